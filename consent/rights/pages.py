"""The platform's page of deletions: one checks, another one approves."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, url_for
from sqlalchemy.orm import Session

from consent.rights import service, words
from consent.rights.retention import RULES
from consent.rights.schemas import DeletionQuery, RefusalForm
from core import db
from core.errors import Refusal
from core.pages import read_form, read_query, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("rights_pages", __name__, url_prefix="/operator/deletions")

TEMPLATE = "consent/operator_deletions.html"


@pages.get("")
@requires("consent:deletion:read")
def show_deletions() -> Response:
    """What people asked to have deleted."""
    return show_page(TEMPLATE, **_list(read_query(DeletionQuery)))


@pages.post("/<uuid:request_id>/check")
@requires("consent:deletion:check")
def check_deletion(request_id: UUID) -> Response:
    """The first of two agrees."""
    return _act(lambda session: service.check_deletion(session, current_actor(), request_id=request_id))


@pages.post("/<uuid:request_id>/approve")
@requires("consent:deletion:approve")
def approve_deletion(request_id: UUID) -> Response:
    """The second agrees, and it is done."""
    return _act(lambda session: service.approve_deletion(session, current_actor(), request_id=request_id))


@pages.post("/<uuid:request_id>/refuse")
@requires("consent:deletion:check")
def refuse_deletion(request_id: UUID) -> Response:
    """The platform does not delete."""

    def refuse(session: Session) -> None:
        reason = read_form(RefusalForm).reason
        service.refuse_deletion(session, current_actor(), request_id=request_id, reason=reason)

    return _act(refuse)


def _act(act: Callable[[Session], None]) -> Response:
    try:
        with db.transaction() as session:
            act(session)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, **_list(DeletionQuery()))
    return cast(Response, redirect(url_for("rights_pages.show_deletions"), 303))


def _list(query: DeletionQuery) -> dict[str, Any]:
    with db.transaction() as session:
        found = service.list_deletions(session, current_actor(), is_open=query.is_open, before=query.before)
        actor = current_actor()
    return {
        "deletions": found,
        "query": query,
        "words": words,
        "rules": RULES,
        "most": service.PAGE,
        "may_check": actor.can("consent:deletion:check"),
        "may_approve": actor.can("consent:deletion:approve"),
    }
