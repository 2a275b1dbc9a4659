"""Pages of accounts: the front door, signing in and out for staff, their passwords, and terminals that bring a key."""

from dataclasses import dataclass
from typing import Any, cast

from flask import Response, has_request_context, redirect, request, url_for
from sqlalchemy.exc import SQLAlchemyError

from accounts import service
from accounts.identify import COOKIE, forget, remember
from accounts.models import Role
from accounts.routes import change_own_password, open_staff_session
from accounts.schemas import PasswordForm, StaffCredentials
from core import db
from core.actor import ActorKind
from core.errors import Refusal
from core.pages import find_local_path, read_form, show_page, show_refused
from core.web import Identity, Pages, current_actor, current_config, current_identity, public, requires

pages = Pages("staff_pages", __name__)

SIGN_IN_PAGE = "/staff/sign-in"
CHANGE_PAGE = "/staff/password"

# Where each role's work begins.
HOME_PAGES = {
    Role.REGISTRAR: "/desk",
    Role.DOCTOR: "/desk",
    Role.OPERATOR: "/operator",
    Role.SECURITY_ADMINISTRATOR: "/operator",
    Role.AUDIT_ADMINISTRATOR: "/operator",
    Role.QUALITY_OFFICER: "/operator/imaging-quality",
    Role.MEDICAL_AFFAIRS: "/emergency-reviews",
}


@dataclass(frozen=True)
class Visitor:
    """Who looks at a page: for its bar on top and for its forms."""

    username: str
    name: str
    role: str
    hospital_name: str | None
    home_page: str
    must_change_password: bool
    csrf_token: str


@pages.app_context_processor
def give_visitor() -> dict[str, Any]:
    """Every template knows the ``visitor``, or None. A page that says what is broken must not need what is broken."""
    if not has_request_context():
        # The worker writes pages too, into exports, and nobody visits it.
        return {"visitor": None}
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
        opened = open_staff_session(
            credentials.username, credentials.password, instead_of=earlier.actor if earlier else None
        )
    except Refusal as refusal:
        return show_refused("accounts/sign_in.html", refusal, username=request.form.get("username", ""))
    if opened.must_change_password:
        return remember(cast(Response, redirect(CHANGE_PAGE, 303)), opened.token)
    return remember(_lead_to(HOME_PAGES[Role(opened.role)]), opened.token)


@pages.get(CHANGE_PAGE)
@requires("accounts:password:change")
def show_password() -> Response:
    """The form for another password; after a first sign-in nothing else is open."""
    return show_page("accounts/password.html")


@pages.post(CHANGE_PAGE)
@requires("accounts:password:change")
def change_password() -> Response:
    """Change it, and go on to where work begins."""
    try:
        change_own_password(read_form(PasswordForm))
    except Refusal as refusal:
        return show_refused("accounts/password.html", refusal)
    with db.snapshot() as session:
        card = service.get_staff_card(session, current_actor())
    return cast(Response, redirect(HOME_PAGES[card.role], 303))


@pages.get("/desk/enrol")
@public("a kiosk has no staff; the enrolment code is the proof")
def show_enrolment() -> Response:
    """Where a browser at a desk makes its key and brings it."""
    address = f"{current_config().base_url}{url_for('accounts.enrol_terminal')}"
    return show_page("accounts/enrol.html", proof_address=address)


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
    return Visitor(
        username=card.username,
        name=card.name,
        role=card.role.value,
        hospital_name=card.hospital_name,
        home_page=CHANGE_PAGE if card.must_change_password else HOME_PAGES[card.role],
        must_change_password=card.must_change_password,
        csrf_token=identity.csrf_token,
    )
