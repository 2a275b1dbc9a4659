"""Wishes for a correction on pages: the house answers, the operator sees which house does not."""

from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for

from core import db
from core.errors import Refusal
from core.pages import read_form, read_query, show_page, show_refused
from core.web import Pages, current_actor, requires
from records.rectifications import service, words
from records.rectifications.schemas import RectificationAnswer, RectificationQuery

pages = Pages("rectification_pages", __name__)

TEMPLATE = "records/rectifications.html"


@pages.get("/rectifications")
@requires("records:rectification:answer")
def show_of_house() -> Response:
    """What people say is wrong in what this house made."""
    return show_page(TEMPLATE, **_list(read_query(RectificationQuery)))


@pages.post("/rectifications/<uuid:request_id>/answer")
@requires("records:rectification:answer")
def answer_rectification(request_id: UUID) -> Response:
    """Accept or decline."""
    try:
        # Who accepts has left the list of reasons as it was.
        chosen = {"reason": None} if request.form.get("accepted") == "true" else {}
        answer = read_form(RectificationAnswer, **chosen)
        with db.transaction() as session:
            service.answer_rectification(session, current_actor(), request_id=request_id, **dict(answer))
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, **_list(RectificationQuery.model_validate({"is_open": True})))
    return cast(Response, redirect(url_for("rectification_pages.show_of_house", is_open="true"), 303))


@pages.get("/operator/rectifications")
@requires("records:rectification:oversee")
def show_escalated() -> Response:
    """Which house let the time pass."""
    query = read_query(RectificationQuery)
    with db.transaction() as session:
        found = service.list_escalated(session, current_actor(), before=query.before, is_open=query.is_open)
    template = "records/operator_rectifications.html"
    return show_page(template, rectifications=found, query=query, words=words, most=service.PAGE)


def _list(query: RectificationQuery) -> dict[str, Any]:
    with db.transaction() as session:
        found = service.list_of_house(session, current_actor(), before=query.before, is_open=query.is_open)
    return {"rectifications": found, "query": query, "words": words, "most": service.PAGE}
