"""What patients agreed to: listing and ending it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from accounts.apps.models import App, AppAuthorization
from accounts.apps.scopes import describe_scopes
from core import audit, clock
from core.actor import Actor

MOST_LISTED = 200


@dataclass(frozen=True)
class AuthorizationView:
    """One authorization. ``status``: in_force, expired or ended; ``sees``: in Chinese, what it lets the app read."""

    id: UUID
    app_id: UUID
    app_name: str
    provider: str
    contact: str
    purpose: str
    person_id: UUID
    sees: list[str]
    shows_sensitive: bool
    status: str
    agreed_at: datetime
    expires_at: datetime
    ended_at: datetime | None


def list_authorizations(session: Session, person_ids: Select[tuple[UUID]]) -> list[AuthorizationView]:
    """The authorizations about these persons that an app has made use of, newest first (at most 200)."""
    rows = session.execute(
        select(AppAuthorization, App)
        .join(App, App.id == AppAuthorization.app_id)
        .where(AppAuthorization.person_id.in_(person_ids), AppAuthorization.began_at.is_not(None))
        .order_by(AppAuthorization.agreed_at.desc(), AppAuthorization.id.desc())
        .limit(MOST_LISTED)
    ).tuples()
    return [_view(one, app) for one, app in rows]


def find_authorization(
    session: Session, authorization_id: UUID, person_ids: Select[tuple[UUID]]
) -> AuthorizationView | None:
    """The authorization, if it is about one of these persons."""
    row = session.execute(
        select(AppAuthorization, App)
        .join(App, App.id == AppAuthorization.app_id)
        .where(AppAuthorization.id == authorization_id, AppAuthorization.person_id.in_(person_ids))
    ).one_or_none()
    return _view(*row) if row else None


def end_authorizations(
    session: Session, actor: Actor, *, app_id: UUID, person_ids: Select[tuple[UUID]], reason: str
) -> None:
    """End all that an app may read of these persons, from the next request on; locked against readers."""
    mine = select(AppAuthorization).where(AppAuthorization.app_id == app_id, AppAuthorization.person_id.in_(person_ids))
    _end_all(session, actor, mine, reason)


def end_authorizations_of_login(session: Session, actor: Actor, *, login_id: UUID, reason: str) -> None:
    """End all that a login has let apps read, for example because its phone is lost."""
    _end_all(session, actor, select(AppAuthorization).where(AppAuthorization.login_id == login_id), reason)


def end_authorizations_of_persons(
    session: Session, actor: Actor, *, person_ids: Select[tuple[UUID]], reason: str
) -> None:
    """End all that anybody has let any app read of these persons."""
    _end_all(session, actor, select(AppAuthorization).where(AppAuthorization.person_id.in_(person_ids)), reason)


def end_authorizations_of_app(session: Session, actor: Actor, *, app_id: UUID, reason: str) -> None:
    """End all that anybody has let an app read."""
    _end_all(session, actor, select(AppAuthorization).where(AppAuthorization.app_id == app_id), reason)


def end_authorization(session: Session, actor: Actor, authorization: AppAuthorization, *, reason: str) -> None:
    """End one whose row is locked; one that has ended stays as it is."""
    if authorization.ended_at is not None:
        return
    authorization.ended_at, authorization.end_reason = clock.now(), reason
    audit.record_act(
        session,
        actor,
        "accounts.app_authorization.ended",
        subject_id=authorization.person_id,
        of=("app_authorization", authorization.id),
        facts={"reason": reason},
    )


def lock_one(session: Session, authorization_id: UUID) -> AppAuthorization:
    """The authorization, locked against readers."""
    return session.get_one(AppAuthorization, authorization_id, with_for_update=True, populate_existing=True)


def _end_all(session: Session, actor: Actor, wanted: Select[tuple[AppAuthorization]], reason: str) -> None:
    living = wanted.where(AppAuthorization.ended_at.is_(None)).order_by(AppAuthorization.id).with_for_update()
    for one in session.scalars(living, execution_options={"populate_existing": True}).all():
        end_authorization(session, actor, one, reason=reason)


def _show_status(authorization: AppAuthorization) -> str:
    """in_force, expired or ended."""
    if authorization.ended_at is not None:
        return "ended"
    return "in_force" if authorization.expires_at > clock.now() else "expired"


def _view(one: AppAuthorization, app: App) -> AuthorizationView:
    return AuthorizationView(
        id=one.id,
        app_id=app.id,
        app_name=app.name,
        provider=app.provider,
        contact=app.contact,
        purpose=app.purpose,
        person_id=one.person_id,
        sees=describe_scopes(one.scopes),
        shows_sensitive=one.shows_sensitive,
        status=_show_status(one),
        agreed_at=one.agreed_at,
        expires_at=one.expires_at,
        ended_at=one.ended_at,
    )
