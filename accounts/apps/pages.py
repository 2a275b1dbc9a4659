"""The page on which an app's request begins and ends (RFC 6749, section 3.1), and that of the registry."""

import json
import re
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for

from accounts.apps import service
from accounts.apps.redirects import origin_of
from accounts.apps.refusals import AppConfirmationWrong, AppNotAgreed, AuthorizationRequestInvalid
from accounts.apps.schemas import AppChange, AppKeySet, NewApp, PhoneConfirmation
from accounts.apps.scopes import list_offered
from accounts.refusals import ClientKeysInvalid
from core import db, limits
from core.errors import MalformedRequest, Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, current_config, public, requires

pages = Pages("app_pages", __name__)

ASK_PAGE = "/oauth/authorize"
REGISTRY_PAGE = "/operator/apps"
ASKED = "accounts/app_request.html"
REGISTRY = "accounts/operator_apps.html"
# Many phones share one address behind a carrier's gateway.
REQUESTS_PER_MINUTE = 600
TRIES_PER_MINUTE = 30
# The page carries its number on: only the browser knows it, we keep its index.
PHONE_NUMBER = re.compile(r"[0-9]{8}")

_NAMES = (
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "aud",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "prompt",
)


@pages.get(ASK_PAGE)
@public("an app brings a patient's browser here before anybody is signed in")
def ask() -> Response:
    """What the app asks for, and the number by which the patient finds it on his phone."""
    limits.count("app_request", request.remote_addr or "-", per_minute=REQUESTS_PER_MINUTE)
    # A parameter sent twice is no parameter (RFC 6749, section 3.1).
    given = {name: request.args.getlist(name) for name in _NAMES}
    asked = service.Asked(**{name: texts[0] for name, texts in given.items() if len(texts) == 1})
    issuer = current_config().base_url
    with db.snapshot() as session:
        app_id = service.check_asker(session, asked)
    try:
        with db.transaction() as session:
            opened = service.open_request(session, app_id, asked, fhir_url=f"{issuer}/fhir")
    except AuthorizationRequestInvalid as refusal:
        return _lead_on(service.answer_invalid(asked, refusal, issuer=issuer))
    with db.snapshot() as session:
        file = service.get_asked(session, opened.id, browser_secret=opened.browser_secret)
    reply = _let_lead_on(show_page(ASKED, asked=file, number=opened.number), file)
    # Lax: the browser comes from the app's site, and the forms of this page go to ours.
    reply.set_cookie(
        _cookie_of(opened.id),
        opened.browser_secret,
        max_age=600,
        httponly=True,
        samesite="Lax",
        secure=current_config().is_secure_origin,
        path=ASK_PAGE,
    )
    return reply


@pages.post(f"{ASK_PAGE}/<uuid:request_id>")
@public("the browser that began it, and the digits that the patient's phone shows, are the proof")
def confirm(request_id: UUID) -> Response:
    """The digits of the phone: back to the app, with a code."""
    limits.count("app_confirmation", request.remote_addr or "-", per_minute=TRIES_PER_MINUTE)
    secret = request.cookies.get(_cookie_of(request_id), "")
    try:
        digits = read_form(PhoneConfirmation).confirmation
        with db.transaction() as session:
            address = service.complete_request(
                session,
                request_id,
                browser_secret=secret,
                confirmation=digits,
                issuer=current_config().base_url,
            )
    except (AppConfirmationWrong, AppNotAgreed, MalformedRequest) as refusal:
        with db.snapshot() as session:
            file = service.get_asked(session, request_id, browser_secret=secret)
        number = PHONE_NUMBER.fullmatch(request.form.get("number", ""))
        return _let_lead_on(show_refused(ASKED, refusal, asked=file, number=number and number[0]), file)
    return _lead_on(address)


@pages.post(f"{ASK_PAGE}/<uuid:request_id>/cancel")
@public("the browser that began it is the proof")
def cancel(request_id: UUID) -> Response:
    """Back to the app without letting it in."""
    with db.transaction() as session:
        address = service.cancel_request(
            session,
            request_id,
            browser_secret=request.cookies.get(_cookie_of(request_id), ""),
            issuer=current_config().base_url,
        )
    return _lead_on(address)


@pages.get(REGISTRY_PAGE)
@requires("accounts:app:manage")
def show_apps() -> Response:
    """The apps that patients can let in, and the form for a new one."""
    return show_page(REGISTRY, **_list())


@pages.post(REGISTRY_PAGE)
@requires("accounts:app:manage")
def register_app() -> Response:
    """Register an app."""
    try:
        body = read_form(NewApp, **_read_lists(), **_read_jwks())
        with db.transaction() as session:
            service.register_app(
                session, current_actor(), client_id=body.client_id, details=body.as_details(), jwks=body.jwks
            )
    except Refusal as refusal:
        return show_refused(REGISTRY, refusal, form=request.form, **_list())
    return _back()


@pages.post(f"{REGISTRY_PAGE}/<uuid:app_id>")
@requires("accounts:app:manage")
def change_app(app_id: UUID) -> Response:
    """Change an app's facts and state."""
    try:
        body = read_form(AppChange, **_read_lists())
        with db.transaction() as session:
            service.change_app(session, current_actor(), app_id, details=body.as_details(), is_enabled=body.is_enabled)
    except Refusal as refusal:
        return show_refused(REGISTRY, refusal, **_list())
    return _back()


@pages.post(f"{REGISTRY_PAGE}/<uuid:app_id>/keys")
@requires("accounts:app:manage")
def replace_keys(app_id: UUID) -> Response:
    """Put a new key set in place of the earlier one."""
    try:
        body = read_form(AppKeySet, **_read_jwks())
        with db.transaction() as session:
            service.replace_app_keys(session, current_actor(), app_id, jwks=body.jwks)
    except Refusal as refusal:
        return show_refused(REGISTRY, refusal, **_list())
    return _back()


def _cookie_of(request_id: UUID) -> str:
    """One a request: a patient may have two apps before him."""
    return f"yimatong_app_{request_id.hex}"


def _lead_on(address: str) -> Response:
    reply = cast(Response, redirect(address, 303))
    reply.headers["Cache-Control"] = "no-store"
    reply.headers["Referrer-Policy"] = "no-referrer"
    return reply


def _let_lead_on(reply: Response, file: service.RequestFile) -> Response:
    """Browsers follow a form's redirect only to where the page's policy lets forms go: here, also to the app."""
    reply.headers["Content-Security-Policy"] = (
        "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action 'self' {origin_of(file.redirect_uri)}"
    )
    return reply


def _read_lists() -> dict[str, list[str]]:
    """Fields in which each line, or each word, is one."""
    return {name: request.form.get(name, "").split() for name in ("redirect_uris", "scopes")}


def _read_jwks() -> dict[str, Any]:
    """:raises ClientKeysInvalid: what was pasted is not JSON."""
    text = request.form.get("jwks", "").strip()
    try:
        return {"jwks": json.loads(text)} if text else {}
    except (ValueError, RecursionError):
        raise ClientKeysInvalid from None


def _back() -> Response:
    return cast(Response, redirect(url_for("app_pages.show_apps"), 303))


def _list() -> dict[str, Any]:
    with db.snapshot() as session:
        return {"apps": service.list_apps(session), "offered": list_offered()}
