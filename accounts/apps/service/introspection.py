"""What a token is good for, told to servers of records (RFC 7662; SMART App Launch 2, section 8)."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.apps.models import App, AppAuthorization
from accounts.apps.scopes import OPENID
from accounts.apps.service.identifying import is_alive
from accounts.apps.service.identity import address_user, subject_of
from accounts.refusals import SessionEnded
from accounts.tokens import PURPOSE, looks_like_token, read_token
from core import audit, keys
from core.actor import Actor


@dataclass(frozen=True)
class TokenFacts:
    """An access token of an app that is good now. ``issued_at``, ``expires_at``: Unix seconds.

    ``subject``, ``fhir_user``: who agreed, as its id_token says it.
    """

    client_id: str
    scope: str
    person_id: UUID
    issued_at: int
    expires_at: int
    subject: str | None
    fhir_user: str | None


def introspect_token(session: Session, actor: Actor, *, token: str, issuer: str) -> TokenFacts | None:
    """What an app's access token lets it do at this moment; None: nothing, or it is no such token.

    Who asked, and about whom, stands in the audit log.
    """
    if not looks_like_token(token):
        return None
    try:
        claims = read_token(keys.ring(session, PURPOSE), token, issuer=issuer)
    except SessionEnded:
        return None
    if claims.subject_kind != "app":
        return None
    found = session.execute(
        select(App.client_id, AppAuthorization)
        .join(App, App.id == AppAuthorization.app_id)
        .where(AppAuthorization.id == claims.session_id, App.id == claims.subject_id, App.is_enabled, is_alive())
    ).one_or_none()
    if found is None or claims.session_id is None:
        return None
    authorization = found.AppAuthorization
    audit.record_act(
        session,
        actor,
        "accounts.app_token.introspected",
        subject_id=authorization.person_id,
        of=("app_authorization", claims.session_id),
    )
    return TokenFacts(
        client_id=found.client_id,
        scope=" ".join(claims.scopes),
        person_id=authorization.person_id,
        issued_at=claims.issued_at,
        expires_at=claims.expires_at,
        subject=subject_of(claims.subject_id, authorization.login_id) if OPENID in claims.scopes else None,
        fhir_user=address_user(authorization, claims.scopes, issuer=issuer),
    )
