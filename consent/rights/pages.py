"""The platform's page of deletions: one checks, another one approves."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect
from sqlalchemy.orm import Session

from consent.rights import service, words
from consent.rights.retention import RULES
from consent.rights.schemas import DeletionQuery, RefusalForm
from core import db
from core.errors import Refusal
from core.pages import read_form, read_query, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("rights_pages", __name__)

TEMPLATE = "consent/operator_deletions.html"
CHECKS, APPROVALS = "/operator/deletions", "/operator/deletion-approvals"


@pages.get(CHECKS)
@requires("consent:deletion:check")
def show_deletions() -> Response:
    """What people asked to have deleted, for the first of two."""
    return show_page(TEMPLATE, **_list(CHECKS, read_query(DeletionQuery)))


@pages.get(APPROVALS)
@requires("consent:deletion:approve")
def show_approvals() -> Response:
    """The same, for the second."""
    return show_page(TEMPLATE, **_list(APPROVALS, read_query(DeletionQuery)))


@pages.post(f"{CHECKS}/<uuid:request_id>/check")
@requires("consent:deletion:check")
def check_deletion(request_id: UUID) -> Response:
    """The first of two agrees."""
    return _act(CHECKS, lambda session: service.check_deletion(session, current_actor(), request_id=request_id))


@pages.post(f"{APPROVALS}/<uuid:request_id>/approve")
@requires("consent:deletion:approve")
def approve_deletion(request_id: UUID) -> Response:
    """The second agrees, and it is done."""
    return _act(APPROVALS, lambda session: service.approve_deletion(session, current_actor(), request_id=request_id))


@pages.post(f"{CHECKS}/<uuid:request_id>/refuse")
@requires("consent:deletion:check")
def refuse_deletion(request_id: UUID) -> Response:
    """The platform does not delete."""

    def refuse(session: Session) -> None:
        reason = read_form(RefusalForm).reason
        service.refuse_deletion(session, current_actor(), request_id=request_id, reason=reason)

    return _act(CHECKS, refuse)


def _act(place: str, act: Callable[[Session], None]) -> Response:
    try:
        with db.transaction() as session:
            act(session)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, **_list(place, DeletionQuery()))
    return cast(Response, redirect(place, 303))


def _list(place: str, query: DeletionQuery) -> dict[str, Any]:
    with db.transaction() as session:
        found = service.list_deletions(session, current_actor(), is_open=query.is_open, before=query.before)
    return {
        "deletions": found,
        "query": query,
        "words": words,
        "rules": RULES,
        "most": service.PAGE,
        "place": place,
        "may_check": place == CHECKS,
        "may_approve": place == APPROVALS,
    }
