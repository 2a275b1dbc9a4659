"""The tokens of apps: for a code with its verifier, for a refresh token; ended and asked about."""

import hmac
import re
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.apps.models import App, AppAuthorization, AppRefreshToken, AppRequest, SpentAppAssertion
from accounts.apps.refusals import AppCredentialsInvalid, AppGrantInvalid, AppGrantReplayed, AppScopeInvalid
from accounts.apps.scopes import OFFLINE, OPENID
from accounts.apps.service.authorizations import end_authorization, lock_one
from accounts.apps.service.identity import issue_id_token
from accounts.assertions import ASSERTION_TYPE, check_assertion, read_claimed_client
from accounts.public_keys import base64url_sha256
from accounts.refusals import SessionEnded
from accounts.service.secrets import hash_secret, new_secret
from accounts.service.spending import is_first_use
from accounts.tokens import PURPOSE, AccessToken, issue_token, looks_like_token, read_token
from core import audit, clock, keys
from core.actor import Actor, ActorKind

# With a refresh token the app comes back often; without one this is all that it gets.
REFRESHED_LIFE = timedelta(minutes=10)
SINGLE_LIFE = timedelta(hours=1)
LASTING_LIFE = timedelta(days=180)


@dataclass(frozen=True)
class AppCredentials:
    """By what an app says who it is: ``client_id`` alone, or a client assertion."""

    client_id: str = ""
    assertion: str = ""
    assertion_type: str = ""


@dataclass(frozen=True)
class AppTokens:
    """What an app gets. ``person_id``: whose records these are; ``scope``: of the access token.

    ``id_token``: who agreed, told once, with the first tokens, where ``openid`` was agreed to.
    """

    access: AccessToken
    refresh_token: str | None
    scope: str
    person_id: UUID
    id_token: str | None = None


def authenticate_app(session: Session, credentials: AppCredentials, *, token_url: str) -> App:
    """The app, in use, that has proven itself as far as it can.

    :raises AppCredentialsInvalid: unknown, switched off, or not proven.
    """
    try:
        claimed = read_claimed_client(credentials.assertion) if credentials.assertion else credentials.client_id
        app = session.scalar(select(App).where(App.client_id == claimed, App.is_enabled))
        if app is None or credentials.client_id not in {"", claimed}:
            raise AppCredentialsInvalid
        # A public app that sends an assertion is as wrong as a confidential one that sends none.
        if (app.jwks is None) == bool(credentials.assertion or credentials.assertion_type):
            raise AppCredentialsInvalid
        if app.jwks is not None:
            if credentials.assertion_type != ASSERTION_TYPE:
                raise AppCredentialsInvalid
            proven = check_assertion(credentials.assertion, client_id=claimed, jwks=app.jwks, audience=token_url)
            if not is_first_use(
                session, SpentAppAssertion.app_id, app.id, jti=proven.jti, expires_at=proven.expires_at
            ):
                raise AppCredentialsInvalid
    except ValueError as error:
        raise AppCredentialsInvalid from error
    return app


def exchange_code(
    session: Session, app: App, *, code: str, redirect_uri: str, code_verifier: str, issuer: str
) -> AppTokens:
    """The first tokens, for a code and the verifier of its challenge (RFC 6749, section 4.1.3; RFC 7636).

    :raises AppGrantInvalid: the code does not hold, or the patient has ended it already.
    :raises AppGrantReplayed: it was used before; all that came of it has now ended.
    """
    request = session.scalar(
        select(AppRequest)
        .where(AppRequest.code_hash == hash_secret(code), AppRequest.app_id == app.id)
        .with_for_update()
    )
    if request is None or request.authorization_id is None or request.code_expires_at is None:
        raise AppGrantInvalid
    authorization, now = lock_one(session, request.authorization_id), clock.now()
    if request.code_used_at is not None:
        end_authorization(session, _as_actor(authorization), authorization, reason="code_replayed")
        raise AppGrantReplayed
    if (
        request.code_expires_at <= now
        or request.redirect_uri != redirect_uri
        or not re.fullmatch(r"[A-Za-z0-9._~-]{43,128}", code_verifier)
        or not hmac.compare_digest(base64url_sha256(code_verifier), request.code_challenge)
        or authorization.ended_at is not None
    ):
        raise AppGrantInvalid
    request.code_used_at = authorization.began_at = now
    authorization.expires_at = now + (LASTING_LIFE if OFFLINE in authorization.scopes else SINGLE_LIFE)
    audit.record_act(
        session,
        _as_actor(authorization),
        "accounts.app_authorization.began",
        subject_id=authorization.person_id,
        of=("app_authorization", authorization.id),
    )
    issued = _issue(session, authorization, tuple(authorization.scopes), issuer)
    if OPENID not in authorization.scopes:
        return issued
    return replace(issued, id_token=issue_id_token(session, app, authorization, nonce=request.nonce, issuer=issuer))


def refresh_tokens(session: Session, app: App, *, refresh_token: str, scope: str | None, issuer: str) -> AppTokens:
    """The next tokens for a refresh token, which is used up (RFC 6749, section 6; RFC 9700, section 4.14).

    :param scope: space-separated; fewer than were agreed to, for the access token alone.
    :raises AppGrantInvalid: unknown, of another app, expired or ended.
    :raises AppGrantReplayed: it was used before; the authorization has now ended.
    :raises AppScopeInvalid: more than was agreed to.
    """
    token = _find_refresh_token(session, app, refresh_token)
    if token is None:
        raise AppGrantInvalid
    authorization = lock_one(session, token.authorization_id)
    if authorization.ended_at is not None or authorization.expires_at <= clock.now():
        raise AppGrantInvalid
    if token.used_at is not None:
        end_authorization(session, _as_actor(authorization), authorization, reason="refresh_token_reused")
        raise AppGrantReplayed
    wanted = tuple(dict.fromkeys(scope.split())) if scope else tuple(authorization.scopes)
    if not set(wanted) <= set(authorization.scopes):
        raise AppScopeInvalid
    token.used_at = clock.now()
    return _issue(session, authorization, wanted, issuer)


def revoke_token(session: Session, app: App, *, token: str, issuer: str) -> None:
    """An app gives back a token, and with it the whole authorization (RFC 7009). What is not its own is passed over."""
    authorization = _find_authorization(session, app, token, issuer)
    if authorization is not None:
        end_authorization(session, _as_actor(authorization), authorization, reason="revoked_by_app")


def _find_authorization(session: Session, app: App, token: str, issuer: str) -> AppAuthorization | None:
    """Whatever token of the app's own this is: what it stands for, locked."""
    if not looks_like_token(token):
        found = _find_refresh_token(session, app, token)
        return lock_one(session, found.authorization_id) if found else None
    try:
        claims = read_token(keys.ring(session, PURPOSE), token, issuer=issuer)
    except SessionEnded:
        return None
    if claims.subject_kind != "app" or claims.subject_id != app.id or claims.session_id is None:
        return None
    return lock_one(session, claims.session_id)


def _find_refresh_token(session: Session, app: App, text: str) -> AppRefreshToken | None:
    return session.scalar(
        select(AppRefreshToken)
        .join(AppAuthorization, AppAuthorization.id == AppRefreshToken.authorization_id)
        .where(AppRefreshToken.token_hash == hash_secret(text), AppAuthorization.app_id == app.id)
        .with_for_update(of=AppRefreshToken)
    )


def _issue(session: Session, authorization: AppAuthorization, scopes: tuple[str, ...], issuer: str) -> AppTokens:
    is_lasting = OFFLINE in authorization.scopes
    access = issue_token(
        session,
        issuer=issuer,
        subject_kind="app",
        subject_id=authorization.app_id,
        life=REFRESHED_LIFE if is_lasting else SINGLE_LIFE,
        session_id=authorization.id,
        scopes=scopes,
    )
    text = None
    if is_lasting:
        text, token_hash = new_secret()
        session.add(AppRefreshToken(authorization_id=authorization.id, token_hash=token_hash, issued_at=clock.now()))
    return AppTokens(access, text, " ".join(scopes), authorization.person_id)


def _as_actor(authorization: AppAuthorization) -> Actor:
    return Actor(
        ActorKind.APP,
        authorization.app_id,
        frozenset(),
        session_id=authorization.id,
        on_behalf_of=authorization.login_id,
    )
