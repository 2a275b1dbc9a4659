"""Pages of emergency accesses: the queue of the medical affairs office, and what the audit administrator watches."""

from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for

from accounts.service import DEPARTMENTS
from consent.emergencies import service
from consent.emergencies.reasons import FINDINGS, GROUNDS
from consent.emergencies.routes import write_review
from consent.emergencies.rules import WORDS
from consent.emergencies.schemas import EmergencyAlarmQuery, EmergencyQuery, EmergencyReviewRequest
from consent.emergencies.service.reviewing import PAGE, EmergencyCase
from consent.emergencies.service.watching import PAGE as ALARM_PAGE
from consent.scope import SENSITIVITY_WORDS
from core import db
from core.errors import Refusal
from core.pages import read_form, read_query, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("emergency_review_pages", __name__)

CASE = "consent/emergency_review.html"
QUEUES = {"waiting": "待复核", "overdue": "已逾期", "reviewed": "已复核", "not_justified": "认定不正当"}
# What the doctor looked at, in words that name no content.
THINGS = {
    "report": "报告",
    "study": "影像检查",
    "series": "影像序列",
    "instance": "影像",
    "entry": "健康记录",
    "visit": "就诊",
    "person": "患者信息",
    "trend": "指标趋势",
}
_WORDS: dict[str, Any] = {
    "grounds": GROUNDS,
    "findings": FINDINGS,
    "departments": DEPARTMENTS,
    "sensitivities": SENSITIVITY_WORDS,
    "things": THINGS,
}


@pages.get("/emergency-reviews")
@requires("consent:emergency:review")
def show_queue() -> Response:
    """The accesses of this hospital, those that wait for a review first."""
    query = read_query(EmergencyQuery)
    with db.transaction() as session:
        found = service.list_emergencies(session, current_actor(), queue=query.queue, before=query.before)
    older = found[-1].id if len(found) == PAGE else None
    return show_page(
        "consent/emergency_reviews.html", emergencies=found, query=query, older=older, queues=QUEUES, **_WORDS
    )


@pages.get("/emergency-reviews/<uuid:access_id>")
@requires("consent:emergency:review")
def show_case(access_id: UUID) -> Response:
    """One of them, with the form for its review."""
    return show_page(CASE, case=_read(access_id), form={}, **_WORDS)


@pages.post("/emergency-reviews/<uuid:access_id>")
@requires("consent:emergency:review")
def review(access_id: UUID) -> Response:
    """The review; back to it, as it stands from now on."""
    try:
        write_review(access_id, read_form(EmergencyReviewRequest))
    except Refusal as refusal:
        if refusal.status == 404:
            raise
        return show_refused(CASE, refusal, case=_read(access_id), form=request.form, **_WORDS)
    return cast(Response, redirect(url_for("emergency_review_pages.show_case", access_id=access_id), 303))


@pages.get("/operator/emergencies")
@requires("consent:emergency:oversee")
def show_alarms() -> Response:
    """What is unusual, overdue or was not justified, in the whole city."""
    query = read_query(EmergencyAlarmQuery)
    with db.transaction() as session:
        found = service.list_alarms(session, current_actor(), is_seen=query.is_seen, before=query.before)
    older = found[-1].id if len(found) == ALARM_PAGE else None
    return show_page("consent/operator_emergencies.html", alarms=found, query=query, older=older, rules=WORDS, **_WORDS)


@pages.post("/operator/emergencies/<uuid:alarm_id>/seen")
@requires("consent:emergency:oversee")
def see_alarm(alarm_id: UUID) -> Response:
    """The audit administrator has looked into it."""
    with db.transaction() as session:
        service.see_alarm(session, current_actor(), alarm_id=alarm_id)
    return cast(Response, redirect(url_for("emergency_review_pages.show_alarms"), 303))


def _read(access_id: UUID) -> EmergencyCase:
    with db.transaction() as session:
        return service.get_emergency(session, current_actor(), access_id=access_id)
