"""The machine interface of accounts: signing in and out."""

from collections.abc import Callable
from typing import Any

from flask import Response, jsonify, request
from sqlalchemy.orm import Session

from accounts import service, wechat
from accounts.apps import service as apps
from accounts.apps.models import App
from accounts.apps.refusals import AppCredentialsInvalid, AppGrantInvalid, AppGrantReplayed, AppScopeInvalid
from accounts.assertions import ASSERTION_TYPE
from accounts.refusals import (
    ClientAssertionInvalid,
    EnrolmentCodeInvalid,
    GrantTypeUnsupported,
    PasswordWrong,
    ScopeNotAllowed,
    SessionEnded,
)
from accounts.schemas import (
    ClientForm,
    EnrolledTerminalShown,
    IntrospectedToken,
    IntrospectionRequest,
    IssuedToken,
    PasswordChange,
    RefreshRequest,
    RevocationRequest,
    StaffCredentials,
    StaffSessionShown,
    TerminalEnrolmentRequest,
    TokenRequest,
    Tokens,
    WechatCode,
)
from accounts.service import personnel
from accounts.service.staff import TRIES_PER_MINUTE, StaffSignIn
from accounts.service.terminal_keys import enrol_terminal_key
from core import db, limits
from core.actor import Actor
from core.api import Api
from core.errors import NotSignedIn, PermissionMissing, Refusal
from core.web import current_actor, current_config, present, public, requires

api = Api("accounts", tag="Signing in 登录", url_prefix="/api/v1")
oauth = Api("oauth", tag="Hospital systems and apps 系统与应用接入", speaks="application/json")

# Many phones share one address behind a carrier's gateway.
WECHAT_TRIES_PER_MINUTE = 600
# A whole hospital signs in from behind one address in the morning; only failures count.
FAILURES_PER_ADDRESS = 600
ENROLMENT_TRIES_PER_MINUTE = 20


@api.post("/wechat/sessions", responses={201: Tokens})
@public("this is how patients sign in")
def sign_in_with_wechat(body: WechatCode) -> Response:
    """A patient signs in with the code of wx.login"""
    limits.count("wechat_sign_in", request.remote_addr or "-", per_minute=WECHAT_TRIES_PER_MINUTE)
    identity = wechat.exchange_code(current_config(), body.code)
    with db.transaction() as session:
        pair = service.sign_in_login(session, identity, issuer=current_config().base_url)
    return present(Tokens.of(pair), 201)


@api.post("/sessions/refresh", responses={200: Tokens})
@public("the refresh token itself is the proof")
def refresh(body: RefreshRequest) -> Response:
    """Exchange a refresh token for the next pair of tokens"""
    with db.transaction() as session:
        pair = service.refresh_session(session, body.refresh_token, issuer=current_config().base_url)
    return present(Tokens.of(pair))


@api.delete("/sessions/current", responses={204: None})
@requires("accounts:session:end")
def sign_out() -> Response:
    """Sign out: this session's tokens are worthless from now on"""
    with db.transaction() as session:
        service.end_session(session, current_actor())
    return Response(status=204)


@api.post("/staff/sessions", responses={201: StaffSessionShown})
@public("this is how staff sign in")
def sign_in_staff(body: StaffCredentials) -> Response:
    """A staff member signs in with user name and password"""
    opened = open_staff_session(body.username, body.password)
    return present(StaffSessionShown.model_validate(opened), 201)


@api.put("/staff/password", responses={204: None})
@requires("accounts:password:change")
def change_password(body: PasswordChange) -> Response:
    """A staff member changes the own password; all other sessions of the account end"""
    change_own_password(body)
    return Response(status=204)


@api.post("/terminals/enrol", responses={201: EnrolledTerminalShown})
@public("the enrolment code is the proof")
def enrol_terminal(body: TerminalEnrolmentRequest) -> Response:
    """A terminal brings its public key; the DPoP header (RFC 9449) is signed with the private one"""
    proof = service.TerminalProof(
        request.headers.get("DPoP"), request.method, f"{current_config().base_url}{request.path}"
    )
    with (
        limits.counting_failures(
            "terminal_enrolment",
            request.remote_addr or "-",
            EnrolmentCodeInvalid,
            per_minute=ENROLMENT_TRIES_PER_MINUTE,
        ),
        db.transaction() as session,
    ):
        enrolled = enrol_terminal_key(session, code=body.code, public_jwk=body.public_jwk.model_dump(), proof=proof)
    return present(EnrolledTerminalShown.model_validate(enrolled), 201)


def open_staff_session(username: str, password: str, *, instead_of: Actor | None = None) -> StaffSignIn:
    """Signing in, shared with the page: guessing is slowed down by account and by address.

    :param instead_of: who was signed in before in the same browser; that session ends.
    """
    limits.count("staff_sign_in", username, per_minute=TRIES_PER_MINUTE)
    with (
        limits.counting_failures(
            "failed_staff_sign_in", request.remote_addr or "-", PasswordWrong, per_minute=FAILURES_PER_ADDRESS
        ),
        db.transaction() as session,
    ):
        opened = service.sign_in_staff(session, username=username, password=password)
        if instead_of is not None:
            service.end_session(session, instead_of)
    return opened


def change_own_password(body: PasswordChange) -> None:
    """Changing the own password, shared with the page."""
    actor = current_actor()
    limits.count("password_change", str(actor.id), per_minute=TRIES_PER_MINUTE)
    with db.transaction() as session:
        personnel.change_password(session, actor, current=body.current_password, new=body.new_password)


@oauth.post("/oauth/token", responses={200: IssuedToken})
@public("the client assertion, the code or the refresh token is the proof")
def issue_token(form: TokenRequest) -> Response:
    """A hospital system or an app gets tokens (RFC 6749): client credentials, authorization code or refresh token"""
    grant = _GRANTS.get(form.grant_type)
    if grant is None:
        raise GrantTypeUnsupported
    with db.transaction() as session:
        issued = grant(session, form)
    return present(issued)


@oauth.post("/oauth/revoke", responses={200: None})
@public("the token itself is the proof")
def revoke_token(form: RevocationRequest) -> Response:
    """An app gives a token back, and with it what the patient agreed to (RFC 7009)"""
    with db.transaction() as session:
        app = _authenticate_app(session, form)
        apps.revoke_token(session, app, token=form.token, issuer=current_config().base_url)
    return Response(status=200)


@oauth.post("/oauth/introspect", responses={200: IntrospectedToken})
@requires("accounts:app_token:introspect")
def introspect_token(form: IntrospectionRequest) -> Response:
    """A server of records asks what an app's access token is good for now (RFC 7662)"""
    issuer = current_config().base_url
    with db.transaction() as session:
        facts = apps.introspect_token(session, current_actor(), token=form.token, issuer=issuer)
    return present(IntrospectedToken.of(facts, issuer=issuer))


@oauth.get("/.well-known/oauth-authorization-server")
@public("metadata that clients read before they can sign in (RFC 8414)")
def metadata() -> Response:
    """OAuth 2 server metadata (RFC 8414)"""
    return _describe_sign_in()


@oauth.get("/.well-known/openid-configuration")
@public("metadata that clients read before they can sign in (OpenID Connect Discovery 1.0)")
def openid_metadata() -> Response:
    """OpenID provider metadata, the same as that of the OAuth 2 server"""
    return _describe_sign_in()


@oauth.get("/.well-known/jwks.json")
@public("public keys, by which apps verify who agreed")
def publish_keys() -> Response:
    """The keys by which id_tokens are verified (RFC 7517): those that sign now, soon, or did until lately"""
    with db.snapshot() as session:
        return jsonify(keys=apps.list_public_keys(session))


def _describe_sign_in() -> Response:
    base_url = current_config().base_url
    return jsonify(**service.describe_sign_in(base_url), service_documentation=f"{base_url}/docs")


def _token_url() -> str:
    return f"{current_config().base_url}/oauth/token"


def _issue_to_system(session: Session, form: TokenRequest) -> IssuedToken:
    if form.client_assertion_type != ASSERTION_TYPE:
        raise GrantTypeUnsupported
    token, scope = service.issue_machine_token(
        session,
        assertion=form.client_assertion,
        scope=form.scope,
        issuer=current_config().base_url,
        token_url=_token_url(),
    )
    return IssuedToken.of_system(token, scope)


def _issue_for_code(session: Session, form: TokenRequest) -> IssuedToken:
    app = _authenticate_app(session, form)
    issued = apps.exchange_code(
        session,
        app,
        code=form.code,
        redirect_uri=form.redirect_uri,
        code_verifier=form.code_verifier,
        issuer=current_config().base_url,
    )
    return IssuedToken.of_app(issued)


def _issue_for_refresh_token(session: Session, form: TokenRequest) -> IssuedToken:
    app = _authenticate_app(session, form)
    issued = apps.refresh_tokens(
        session, app, refresh_token=form.refresh_token, scope=form.scope, issuer=current_config().base_url
    )
    return IssuedToken.of_app(issued)


def _authenticate_app(session: Session, form: ClientForm) -> App:
    credentials = apps.AppCredentials(form.client_id, form.client_assertion, form.client_assertion_type)
    return apps.authenticate_app(session, credentials, token_url=_token_url())


_GRANTS: dict[str, Callable[[Session, TokenRequest], IssuedToken]] = {
    "client_credentials": _issue_to_system,
    "authorization_code": _issue_for_code,
    "refresh_token": _issue_for_refresh_token,
}

# RFC 6749, section 5.2: the error names that OAuth clients look for, beside our own problem members.
_OAUTH_ERRORS: dict[type[Refusal], str] = {
    ClientAssertionInvalid: "invalid_client",
    GrantTypeUnsupported: "unsupported_grant_type",
    ScopeNotAllowed: "invalid_scope",
    AppCredentialsInvalid: "invalid_client",
    AppGrantInvalid: "invalid_grant",
    AppGrantReplayed: "invalid_grant",
    AppScopeInvalid: "invalid_scope",
    # RFC 6750, section 3.1: of who asks what a token is good for.
    NotSignedIn: "invalid_token",
    SessionEnded: "invalid_token",
    PermissionMissing: "insufficient_scope",
}


@oauth.errorhandler(Refusal)
def _answer_oauth_error(refusal: Refusal) -> tuple[dict[str, Any], int]:
    error = _OAUTH_ERRORS.get(type(refusal), "invalid_request")
    return {"error": error, "error_description": refusal.text, "code": refusal.code}, (
        400 if error == "invalid_request" else refusal.status
    )
