"""Whom an app reads for, asked at every request."""

from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, select
from sqlalchemy.orm import Session

from accounts.apps.models import App, AppAuthorization
from accounts.apps.scopes import permissions_of
from accounts.refusals import SessionEnded
from accounts.tokens import Claims
from core import clock
from core.actor import Actor, ActorKind


def identify_app(session: Session, claims: Claims) -> Actor:
    """The app that presents a genuine token, with what this token carries of what the patient agreed to.

    :raises SessionEnded: the authorization was ended or has expired, or the app is switched off.
    """
    found = session.execute(
        select(AppAuthorization.login_id)
        .join(App, App.id == AppAuthorization.app_id)
        .where(AppAuthorization.id == claims.session_id, App.id == claims.subject_id, App.is_enabled, is_alive())
    ).one_or_none()
    if found is None:
        raise SessionEnded
    return Actor(
        ActorKind.APP,
        claims.subject_id,
        permissions_of(claims.scopes),
        session_id=claims.session_id,
        on_behalf_of=found.login_id,
        scopes=claims.scopes,
    )


def is_alive() -> ColumnElement[bool]:
    """Whether an authorization lets read now."""
    return and_(
        AppAuthorization.began_at.is_not(None),
        AppAuthorization.ended_at.is_(None),
        AppAuthorization.expires_at > clock.now(),
    )


def authorized_person_ids(actor: Actor, *, sensitive: bool = False) -> Select[tuple[UUID]]:
    """The person whose records the actor's authorization lets it read now, to be used inside a ``where``.

    :param sensitive: only when it lets it read sensitive items too.
    """
    living = select(AppAuthorization.person_id).where(AppAuthorization.id == actor.session_id, is_alive())
    return living.where(AppAuthorization.shows_sensitive) if sensitive else living


def lock_authorization(session: Session, actor: Actor) -> UUID | None:
    """The person whom the actor's authorization is about, if it is alive.

    Its row is share-locked until the transaction ends, so that ending it is acknowledged only after every read that it
    did not stop.
    """
    return session.scalar(authorized_person_ids(actor).with_for_update(read=True))
