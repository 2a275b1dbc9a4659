"""Cases about looks on pages: for the hospital that answers, and for who watches over the platform."""

from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, redirect, url_for

from consent.questions import service, words
from consent.questions.schemas import (
    OverseenQuestionsQuery,
    QuestionAnswered,
    QuestionConcluded,
    ReceivedQuestionsQuery,
)
from consent.questions.service import QuestionFilter, QuestionView
from core import clock, db
from core.errors import Refusal
from core.pages import read_form, read_query, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("question_pages", __name__)

LIST, ONE = "consent/questions.html", "consent/question.html"
OVERSEEN, OVERSEEN_ONE = "consent/operator_questions.html", "consent/operator_question.html"


@pages.get("/access-questions")
@requires("consent:question:answer")
def show_received() -> Response:
    """What patients have asked the hospital; ``?state=`` and ``?is_overdue=`` choose."""
    query = read_query(ReceivedQuestionsQuery)
    with db.transaction() as session:
        wanted = QuestionFilter(query.state, query.is_overdue)
        found = service.list_received(session, current_actor(), wanted=wanted, before=query.before)
    return show_page(LIST, query=query, **_page(found, query))


@pages.get("/access-questions/<uuid:question_id>")
@requires("consent:question:answer")
def show_question(question_id: UUID) -> Response:
    """One case, and the form for its answer."""
    with db.transaction() as session:
        question = service.read_received(session, current_actor(), question_id=question_id)
    return show_page(ONE, question=question, words=words)


@pages.post("/access-questions/<uuid:question_id>/answer")
@requires("consent:question:answer")
def answer_question(question_id: UUID) -> Response:
    """Answer it."""
    try:
        body = read_form(QuestionAnswered)
        with db.transaction() as session:
            service.answer_question(
                session, current_actor(), question_id=question_id, answer=body.answer, text=body.text
            )
    except Refusal as refusal:
        with db.snapshot() as session:
            question = service.get_received(session, current_actor(), question_id=question_id)
        return show_refused(ONE, refusal, question=question, words=words)
    return cast(Response, redirect(url_for("question_pages.show_question", question_id=question_id), 303))


@pages.get("/operator/access-questions")
@requires("consent:question:oversee")
def show_overseen() -> Response:
    """All cases, and how hospitals deal with them."""
    query = read_query(OverseenQuestionsQuery)
    with db.transaction() as session:
        wanted = QuestionFilter(query.state, query.is_overdue, query.hospital_id)
        found = service.list_overseen(session, current_actor(), wanted=wanted, before=query.before)
        houses = service.count_by_house(session)
    return show_page(OVERSEEN, query=query, houses=houses, **_page(found, query))


@pages.get("/operator/access-questions/<uuid:question_id>")
@requires("consent:question:oversee")
def show_overseen_question(question_id: UUID) -> Response:
    """One case; the audit administrator concludes it when it was escalated."""
    with db.transaction() as session:
        question = service.read_overseen(session, current_actor(), question_id=question_id)
    return show_page(OVERSEEN_ONE, question=question, words=words)


@pages.post("/operator/access-questions/<uuid:question_id>/conclude")
@requires("consent:question:conclude")
def conclude_question(question_id: UUID) -> Response:
    """Say what was found."""
    try:
        body = read_form(QuestionConcluded)
        with db.transaction() as session:
            service.conclude_question(
                session, current_actor(), question_id=question_id, conclusion=body.conclusion, text=body.text
            )
    except Refusal as refusal:
        with db.snapshot() as session:
            question = service.get_overseen(session, question_id=question_id)
        return show_refused(OVERSEEN_ONE, refusal, question=question, words=words)
    return cast(Response, redirect(url_for("question_pages.show_overseen_question", question_id=question_id), 303))


def _page(found: list[QuestionView], query: ReceivedQuestionsQuery) -> dict[str, Any]:
    asked = {name: value for name, value in query.model_dump(mode="json").items() if value and name != "before"}
    older = urlencode(asked | {"before": str(found[-1].id)}) if len(found) == service.PAGE else None
    return {"questions": found, "older": older, "words": words, "now": clock.now()}
