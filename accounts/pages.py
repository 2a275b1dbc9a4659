"""Pages of accounts: the front door, and signing in and out for staff."""

from dataclasses import dataclass
from typing import Any, cast

from flask import Response, redirect, request
from sqlalchemy.exc import SQLAlchemyError

from accounts import service
from accounts.identify import COOKIE, forget, remember
from accounts.models import Role
from accounts.schemas import StaffCredentials
from accounts.service.staff import TRIES_PER_MINUTE
from core import db, limits
from core.actor import ActorKind
from core.errors import Refusal
from core.pages import find_local_path, read_form, show_page, show_refused
from core.web import Identity, Pages, current_actor, current_identity, public, requires

pages = Pages("staff_pages", __name__)

SIGN_IN_PAGE = "/staff/sign-in"

# Where each role's work begins.
HOME_PAGES = {Role.REGISTRAR: "/desk", Role.DOCTOR: "/desk", Role.OPERATOR: "/docs"}


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page: for its bar on top and for its forms."""

    name: str
    role: str
    hospital_name: str | None
    home_page: str
    csrf_token: str


@pages.app_context_processor
def give_visitor() -> dict[str, Any]:
    """Every template knows the ``visitor``, or None. A page that says what is broken must not need what is broken."""
    try:
        return {"visitor": _find_visitor()}
    except (Refusal, SQLAlchemyError):
        return {"visitor": None}


@pages.get("/")
@public("the front door: what this is and who goes where")
def show_front_door() -> Response:
    """What this is, and who goes where."""
    return show_page("accounts/front_door.html")


@pages.get(SIGN_IN_PAGE)
@public("this is how staff sign in")
def show_sign_in() -> Response:
    """The form. Who is signed in already is led on."""
    visitor = _find_visitor()
    if visitor is not None:
        return _lead_to(visitor.home_page)
    return show_page("accounts/sign_in.html", has_expired=COOKIE in request.cookies)


@pages.post(SIGN_IN_PAGE)
@public("this is how staff sign in")
def sign_in() -> Response:
    """Open a session: always a new one, and the one that this browser had ends."""
    earlier = _find_page_identity()
    try:
        credentials = read_form(StaffCredentials)
        limits.count("staff_sign_in", credentials.username, per_minute=TRIES_PER_MINUTE)
        with db.transaction() as session:
            opened = service.sign_in_staff(session, username=credentials.username, password=credentials.password)
            if earlier is not None:
                service.end_session(session, earlier.actor)
    except Refusal as refusal:
        return show_refused("accounts/sign_in.html", refusal, username=request.form.get("username", ""))
    return remember(_lead_to(HOME_PAGES[Role(opened.role)]), opened.token)


@pages.post("/staff/sign-out")
@requires("accounts:session:end")
def sign_out() -> Response:
    """End the session, also on the server."""
    with db.transaction() as session:
        service.end_session(session, current_actor())
    return forget(cast(Response, redirect(SIGN_IN_PAGE, 303)))


def _lead_to(home_page: str) -> Response:
    return cast(Response, redirect(find_local_path(request.args.get("next")) or home_page, 303))


def _find_page_identity() -> Identity | None:
    """The staff member whom this browser's cookie names."""
    identity = current_identity()
    if identity is None or identity.csrf_token is None or identity.actor.kind is not ActorKind.STAFF:
        return None
    return identity


def _find_visitor() -> Visitor | None:
    identity = _find_page_identity()
    if identity is None or identity.csrf_token is None:
        return None
    with db.snapshot() as session:
        card = service.get_staff_card(session, identity.actor)
    return Visitor(card.name, card.role.value, card.hospital_name, HOME_PAGES[card.role], identity.csrf_token)
