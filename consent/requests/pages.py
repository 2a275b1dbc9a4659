"""Asking a patient, on pages for doctors: the form, one request that is waited for, and all of one's own."""

from contextlib import suppress
from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, redirect, request, url_for

from consent.requests import service
from consent.requests.routes import find_visitor, send_request
from consent.requests.schemas import AccessRequestQuery, AskForm
from consent.requests.wording import WORDS
from core import db
from core.errors import Refusal
from core.pages import read_form, read_query, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("access_request_pages", __name__, url_prefix="/access-requests")

# Boxes of one name, of which a form sends as many as are ticked.
_BOXES = ("kinds", "sensitivities")


@pages.get("")
@requires("consent:access_request:ask")
def show_requests() -> Response:
    """What I have asked and how it stands; ``?state=`` of one state."""
    query = read_query(AccessRequestQuery)
    with db.transaction() as session:
        found = service.list_sent_requests(
            session, current_actor(), wanted=query.as_filter(), before=query.before, limit=query.limit
        )
    kept = {"state": query.state.value} if query.state else {}
    older = urlencode(kept | {"before": str(found[-1].id)}) if len(found) == query.limit else None
    return show_page("consent/requests.html", requests=found, query=query, older=older, words=WORDS)


@pages.get("/new")
@requires("consent:access_request:ask")
def show_form() -> Response:
    """The form; ``?visit=``: of an open visit here."""
    visit_id = request.args.get("visit", type=UUID)
    with db.snapshot() as session:
        may_ask = visit_id is not None and find_visitor()(session, current_actor(), visit_id=visit_id) is not None
    if not may_ask:
        return show_refused("consent/ask.html", service.CannotBeAsked(), words=WORDS, may_ask=False)
    return show_page("consent/ask.html", visit_id=visit_id, words=WORDS, may_ask=True)


@pages.post("")
@requires("consent:access_request:ask")
def ask() -> Response:
    """Send what the form says; then wait for the answer under an address of its own."""
    try:
        body = read_form(AskForm, **{name: chosen for name in _BOXES if (chosen := request.form.getlist(name))})
        request_id = send_request(body)
    except Refusal as refusal:
        visit_id = request.form.get("visit_id", type=UUID)
        return show_refused("consent/ask.html", refusal, visit_id=visit_id, words=WORDS, may_ask=True)
    return _lead_to(request_id)


@pages.get("/<uuid:request_id>")
@requires("consent:access_request:ask")
def show_request(request_id: UUID) -> Response:
    """One request; as long as it waits the page is told by server-sent events when it is answered."""
    with db.snapshot() as session:
        found = service.get_sent_request(session, current_actor(), request_id=request_id)
    return show_page("consent/request.html", asked=found, is_mine=found.asker_name is not None, words=WORDS)


@pages.post("/<uuid:request_id>/withdraw")
@requires("consent:access_request:ask")
def withdraw(request_id: UUID) -> Response:
    """Take it back; one that has ended meanwhile is shown as it has ended."""
    with suppress(service.RequestOver), db.transaction() as session:
        service.withdraw_request(session, current_actor(), request_id=request_id)
    return _lead_to(request_id)


def _lead_to(request_id: UUID) -> Response:
    return cast(Response, redirect(url_for("access_request_pages.show_request", request_id=request_id), 303))
