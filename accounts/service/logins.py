"""Patients sign in with WeChat; their refresh tokens rotate, and reuse ends the family."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.models import Login, LoginSession, RefreshToken
from accounts.refusals import RefreshTokenInvalid, RefreshTokenReused
from accounts.service.secrets import hash_secret, new_secret
from accounts.tokens import PATIENT_LIFE, AccessToken, issue_token
from accounts.wechat import WechatIdentity
from core import audit, clock
from core.actor import SYSTEM, Actor, ActorKind
from core.ids import new_id

SESSION_LIFE = timedelta(days=30)


@dataclass(frozen=True)
class TokenPair:
    """What a signed-in login holds."""

    access: AccessToken
    refresh_token: str
    refresh_expires_at: datetime


def sign_in_login(session: Session, identity: WechatIdentity, *, issuer: str) -> TokenPair:
    """Open a session for the WeChat account, known or new."""
    now, login_id = clock.now(), _keep_login(session, identity)
    family = LoginSession(login_id=login_id, created_at=now, expires_at=now + SESSION_LIFE)
    session.add(family)
    session.flush()
    audit.record_act(session, SYSTEM, "accounts.login.signed_in", of=("login", login_id))
    return _issue_pair(session, family, issuer)


def identify_wechat(session: Session, identity: WechatIdentity) -> Actor:
    """The WeChat account as one who asks, without signing it in: another channel brought its code."""
    return Actor(ActorKind.PATIENT, _keep_login(session, identity), frozenset())


def refresh_session(session: Session, refresh_token: str, *, issuer: str) -> TokenPair:
    """Exchange a refresh token for the next pair.

    :raises RefreshTokenInvalid: unknown, expired or ended.
    :raises RefreshTokenReused: it was used before; its whole family has now ended.
    """
    now = clock.now()
    token = session.scalar(
        select(RefreshToken).where(RefreshToken.token_hash == hash_secret(refresh_token)).with_for_update()
    )
    if token is None:
        raise RefreshTokenInvalid
    family = session.get_one(LoginSession, token.session_id)
    if family.ended_at is not None or token.expires_at <= now:
        raise RefreshTokenInvalid
    if token.used_at is not None:
        end_family(session, family, reason="refresh_token_reused")
        raise RefreshTokenReused
    token.used_at = now
    return _issue_pair(session, family, issuer)


def get_openid(session: Session, login_id: UUID) -> str:
    """The WeChat openid of a login under our app: who WeChat Pay is told will pay."""
    return session.get_one(Login, login_id).openid


def list_openids(session: Session, login_ids: set[UUID]) -> dict[UUID, str]:
    """As ``get_openid``, for some at once."""
    wanted = select(Login.id, Login.openid).where(Login.id.in_(login_ids))
    return dict(session.execute(wanted).tuples().all())


def forget_login(session: Session, *, login_id: UUID) -> None:
    """Forget whose WeChat account a login was; the caller has ended its sign-ins. Who comes back is a new login."""
    forgotten = update(Login).where(Login.id == login_id).values(openid=f"erased:{login_id}", unionid=None)
    session.execute(forgotten)


def end_family(session: Session, family: LoginSession, *, reason: str) -> None:
    """End a sign-in: its refresh tokens and its access tokens are worthless from the next request on."""
    family.ended_at = clock.now()
    family.end_reason = reason
    session.execute(
        update(RefreshToken)
        .where(RefreshToken.session_id == family.id, RefreshToken.used_at.is_(None))
        .values(used_at=family.ended_at)
    )
    audit.record_act(
        session, SYSTEM, "accounts.login.signed_out", of=("login", family.login_id), facts={"reason": reason}
    )


def _keep_login(session: Session, identity: WechatIdentity) -> UUID:
    statement = insert(Login).values(
        id=new_id(), app_id=identity.app_id, openid=identity.openid, unionid=identity.unionid, created_at=clock.now()
    )
    login_id = session.scalar(
        statement.on_conflict_do_update(
            index_elements=["app_id", "openid"], set_={"unionid": statement.excluded.unionid}
        ).returning(Login.id)
    )
    assert login_id is not None
    return login_id


def _issue_pair(session: Session, family: LoginSession, issuer: str) -> TokenPair:
    access = issue_token(
        session,
        issuer=issuer,
        subject_kind="patient",
        subject_id=family.login_id,
        life=PATIENT_LIFE,
        session_id=family.id,
    )
    text, token_hash = new_secret()
    session.add(
        RefreshToken(session_id=family.id, token_hash=token_hash, issued_at=clock.now(), expires_at=family.expires_at)
    )
    return TokenPair(access, text, family.expires_at)
