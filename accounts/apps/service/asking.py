"""An app asks to be let in: the browser that brings it, the phone that answers, and the code (RFC 6749, section 4.1).

Two numbers tie browser and phone together. The page shows one, which the phone takes up; the phone shows another, which
is typed into the page. Whoever is sent a picture of somebody else's page has nothing to type into it.
"""

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts.apps.models import App, AppAuthorization, AppRequest
from accounts.apps.redirects import add_query, is_registered
from accounts.apps.refusals import (
    AppConfirmationWrong,
    AppNotAgreed,
    AppRequestNotFound,
    AppUnknown,
    AuthorizationRequestInvalid,
)
from accounts.apps.scopes import FHIR_USER, OFFLINE, OPENID, are_within, check_scopes, describe_scopes
from accounts.service.secrets import hash_secret, new_secret
from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from core.vault import vault

REQUEST_LIFE = timedelta(minutes=10)
CODE_LIFE = timedelta(seconds=60)
KEPT = timedelta(days=1)
MOST_TRIES = 5


@dataclass(frozen=True)
class Asked:
    """The parameters of an authorization request, as they came (RFC 6749, RFC 7636, OpenID Connect, SMART)."""

    client_id: str = ""
    redirect_uri: str = ""
    response_type: str = ""
    scope: str = ""
    state: str = ""
    aud: str = ""
    code_challenge: str = ""
    code_challenge_method: str = ""
    nonce: str = ""
    prompt: str = ""


@dataclass(frozen=True)
class OpenedRequest:
    """What the browser gets: ``number`` to look up on the phone, ``browser_secret`` for its cookie."""

    id: UUID
    number: str
    browser_secret: str


@dataclass(frozen=True)
class RequestFile:
    """A request as a person sees it before he answers. ``sees``: in Chinese, what the app would read."""

    id: UUID
    app_name: str
    provider: str
    contact: str
    purpose: str
    redirect_uri: str
    scopes: list[str]
    sees: list[str]
    is_lasting: bool
    expires_at: datetime


@dataclass(frozen=True)
class Agreement:
    """The digits for the page where the request began, and until when they hold."""

    confirmation: str
    expires_at: datetime


def check_asker(session: Session, asked: Asked) -> UUID:
    """The app, when it may be answered at this address at all.

    :raises AppUnknown: no such app in use, or another address than it has registered.
    """
    # Any other text (U+0000) is not even a question that the database can be asked.
    is_name = re.fullmatch(r"[!-~]{1,64}", asked.client_id)
    app = session.scalar(select(App).where(App.client_id == asked.client_id, App.is_enabled)) if is_name else None
    if app is None or not is_registered(asked.redirect_uri, app.redirect_uris):
        raise AppUnknown
    return app.id


def open_request(session: Session, app_id: UUID, asked: Asked, *, fhir_url: str) -> OpenedRequest:
    """Keep what an app asks for, ten minutes long.

    :raises AuthorizationRequestInvalid: what is asked for cannot be.
    """
    app = session.get_one(App, app_id)
    scopes = _check_asked(app, asked, fhir_url)
    now = clock.now()
    session.execute(delete(AppRequest).where(AppRequest.expires_at < now - KEPT))
    secret, browser_hash = new_secret()
    while True:
        request_id, number = new_id(), f"{secrets.randbelow(10**8):08d}"
        new = insert(AppRequest).values(
            id=request_id,
            app_id=app_id,
            redirect_uri=asked.redirect_uri,
            scopes=scopes,
            state=asked.state,
            nonce=asked.nonce or None,
            code_challenge=asked.code_challenge,
            browser_hash=browser_hash,
            number_index=_index("number", number),
            created_at=now,
            expires_at=now + REQUEST_LIFE,
            tries=0,
        )
        if session.scalar(new.on_conflict_do_nothing(index_elements=["number_index"]).returning(AppRequest.id)):
            return OpenedRequest(request_id, number, secret)


def take_up_request(session: Session, actor: Actor, *, number: str) -> RequestFile:
    """A login looks at the request with this number; from now on nobody else can answer it.

    :raises AppRequestNotFound: none that waits for this login.
    """
    wanted = select(AppRequest).where(AppRequest.number_index == _index("number", number))
    request = _load_waiting(session, actor, wanted)
    request.login_id = actor.id
    return _show(session.get_one(App, request.app_id), request)


def agree(
    session: Session,
    actor: Actor,
    request_id: UUID,
    *,
    person_id: UUID,
    user_id: UUID | None,
    scopes: list[str] | None,
    sensitive: bool,
) -> Agreement:
    """Let the app read a person's records, once the digits were typed where the request began.

    The caller has decided that the login may agree for this person.

    :param user_id: the record of the one who agrees; None: the login has none, and the app is told of none.
    :param scopes: of those that are asked for; None: all.
    :param sensitive: sensitive items too.
    :raises AppRequestNotFound: none that waits for this login.
    """
    request = _load_taken_up(session, actor, request_id)
    agreed = [scope for scope in request.scopes if scopes is None or scope in scopes]
    if OPENID not in agreed or user_id is None:
        agreed = [scope for scope in agreed if scope != FHIR_USER]
    try:
        check_scopes(agreed)
    except ValueError as error:
        raise AppRequestNotFound from error
    now, digits = clock.now(), f"{secrets.randbelow(10**6):06d}"
    authorization = AppAuthorization(
        app_id=request.app_id,
        login_id=actor.id,
        person_id=person_id,
        user_id=user_id,
        scopes=agreed,
        shows_sensitive=sensitive,
        notice_hash=_hash_notice(_show(session.get_one(App, request.app_id), request), agreed, sensitive=sensitive),
        agreed_at=now,
        expires_at=request.expires_at + CODE_LIFE,
    )
    session.add(authorization)
    session.flush()
    request.authorization_id = authorization.id
    request.confirmation_index = _index(f"confirmation.{request.id}", digits)
    audit.record_act(
        session,
        actor,
        "accounts.app_authorization.agreed",
        subject_id=person_id,
        of=("app_authorization", authorization.id),
        facts={"scopes": agreed, "sensitive": sensitive},
    )
    return Agreement(digits, request.expires_at)


def decline(session: Session, actor: Actor, request_id: UUID) -> None:
    """Say no. The page where it began leads back to the app with that.

    :raises AppRequestNotFound: none that waits for this login.
    """
    request = _load_taken_up(session, actor, request_id)
    request.declined_at = clock.now()
    audit.record_act(session, actor, "accounts.app_request.declined", of=("app", request.app_id))


def get_asked(session: Session, request_id: UUID, *, browser_secret: str) -> RequestFile:
    """The request that this browser began.

    :raises AppRequestNotFound: it began none such, or it has ended.
    """
    request = _check_of_browser(session.scalar(_of_browser(request_id, browser_secret)))
    return _show(session.get_one(App, request.app_id), request)


def complete_request(session: Session, request_id: UUID, *, browser_secret: str, confirmation: str, issuer: str) -> str:
    """The digits of the phone are typed where the request began.

    :returns: where the browser goes on to: the app's address with the code, or with the refusal of the one asked.
    :raises AppRequestNotFound: this browser began none such, or it has ended.
    :raises AppNotAgreed: nobody has agreed yet.
    :raises AppConfirmationWrong: other digits.
    """
    request = _load_of_browser(session, request_id, browser_secret)
    if request.declined_at is not None:
        return _answer(request, issuer, error="access_denied")
    if request.confirmation_index is None:
        raise AppNotAgreed
    if not hmac.compare_digest(_index(f"confirmation.{request.id}", confirmation), request.confirmation_index):
        request.tries += 1
        raise AppConfirmationWrong(tries_left=MOST_TRIES - request.tries)
    code, request.code_hash = new_secret()
    request.code_expires_at = clock.now() + CODE_LIFE
    return _answer(request, issuer, code=code)


def cancel_request(session: Session, request_id: UUID, *, browser_secret: str, issuer: str) -> str:
    """Go back to the app without letting it in; returns where to. Raises as ``get_asked`` does."""
    request = _load_of_browser(session, request_id, browser_secret)
    request.declined_at = request.declined_at or clock.now()
    return _answer(request, issuer, error="access_denied")


def answer_invalid(asked: Asked, refusal: AuthorizationRequestInvalid, *, issuer: str) -> str:
    """Where the browser goes on to with an error (RFC 6749, section 4.1.2.1)."""
    state = {"state": asked.state} if asked.state else {}
    said = {"error": refusal.error, "error_description": refusal.text}
    return add_query(asked.redirect_uri, {**said, **state, "iss": issuer})


def _check_asked(app: App, asked: Asked, fhir_url: str) -> list[str]:
    if asked.response_type != "code":
        raise AuthorizationRequestInvalid("unsupported_response_type", "response_type must be code.")
    if not re.fullmatch(r"[ -~]{8,512}", asked.state):
        raise AuthorizationRequestInvalid("invalid_request", "state is required, 8 to 512 printable characters.")
    if asked.code_challenge_method != "S256" or not re.fullmatch(r"[\w-]{43}", asked.code_challenge, re.ASCII):
        raise AuthorizationRequestInvalid(
            "invalid_request", "code_challenge with code_challenge_method S256 is required."
        )
    if not re.fullmatch(r"[ -~]{0,512}", asked.nonce):
        raise AuthorizationRequestInvalid("invalid_request", "nonce has at most 512 printable characters.")
    if "none" in asked.prompt.split():
        # Nobody is let in without the phone (OpenID Connect Core 1.0, section 3.1.2.6).
        raise AuthorizationRequestInvalid("interaction_required", "The patient answers on his phone each time.")
    if asked.aud.removesuffix("/") != fhir_url:
        raise AuthorizationRequestInvalid("invalid_request", f"aud must be {fhir_url}.")
    try:
        scopes = check_scopes(asked.scope.split())
    except ValueError:
        offered = "A scope is not offered; see scopes_supported. Of search parameters only category is known."
        raise AuthorizationRequestInvalid("invalid_scope", offered) from None
    if not are_within(scopes, app.scopes):
        raise AuthorizationRequestInvalid("invalid_scope", "A scope is wider than this app is registered for.")
    return scopes


def _load_waiting(session: Session, actor: Actor, wanted: Select[tuple[AppRequest]]) -> AppRequest:
    """The request, locked, if it can still be answered and nobody else has taken it up."""
    request = session.scalar(wanted.with_for_update())
    if (
        request is None
        or request.expires_at <= clock.now()
        or request.login_id not in {None, actor.id}
        or request.authorization_id is not None
        or request.declined_at is not None
    ):
        raise AppRequestNotFound
    return request


def _load_taken_up(session: Session, actor: Actor, request_id: UUID) -> AppRequest:
    mine = select(AppRequest).where(AppRequest.id == request_id, AppRequest.login_id == actor.id)
    return _load_waiting(session, actor, mine)


def _load_of_browser(session: Session, request_id: UUID, browser_secret: str) -> AppRequest:
    """The request, locked, if this browser began it and it did not come to its end."""
    return _check_of_browser(session.scalar(_of_browser(request_id, browser_secret).with_for_update()))


def _of_browser(request_id: UUID, browser_secret: str) -> Select[tuple[AppRequest]]:
    return select(AppRequest).where(AppRequest.id == request_id, AppRequest.browser_hash == hash_secret(browser_secret))


def _check_of_browser(request: AppRequest | None) -> AppRequest:
    if (
        request is None
        or request.expires_at <= clock.now()
        or request.code_hash is not None
        or request.tries >= MOST_TRIES
    ):
        raise AppRequestNotFound
    return request


def _answer(request: AppRequest, issuer: str, **members: str) -> str:
    # The issuer tells an app that speaks to several platforms which one answers (RFC 9207).
    return add_query(request.redirect_uri, {**members, "state": request.state, "iss": issuer})


def _show(app: App, request: AppRequest) -> RequestFile:
    return RequestFile(
        id=request.id,
        app_name=app.name,
        provider=app.provider,
        contact=app.contact,
        purpose=app.purpose,
        redirect_uri=request.redirect_uri,
        scopes=request.scopes,
        sees=describe_scopes(request.scopes),
        is_lasting=OFFLINE in request.scopes,
        expires_at=request.expires_at,
    )


def _hash_notice(file: RequestFile, agreed: list[str], *, sensitive: bool) -> bytes:
    """What the patient was told and said, for proving later that it was this (PIPL, articles 14 and 23)."""
    notice = {
        "name": file.app_name,
        "provider": file.provider,
        "contact": file.contact,
        "purpose": file.purpose,
        "sees": describe_scopes(agreed),
        "is_lasting": OFFLINE in agreed,
        "sensitive": sensitive,
    }
    return hashlib.sha256(json.dumps(notice, ensure_ascii=False, sort_keys=True).encode()).digest()


def _index(name: str, text: str) -> bytes:
    return vault().blind_index(text, context=f"app_requests.{name}")
