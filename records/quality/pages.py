"""The page of imaging quality: marks of the last days, samples of a month, and their scores."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import clock, db
from core.api import Received
from core.errors import Refusal
from core.pages import read_form, read_query, show_page, show_refused
from core.web import Pages, current_actor, requires
from records.quality import service, words
from records.quality.schemas import Modality, Month, ScoreReceived

pages = Pages("imaging_quality_pages", __name__, url_prefix="/operator/imaging-quality")

TEMPLATE = "records/operator_imaging_quality.html"
SHOWN_DAYS = 30


class MonthQuery(Received):
    month: Month | None = None


class SampleForm(Received):
    hospital_code: str
    modality: Modality
    month: Month
    size: int = 10


@pages.get("")
@requires("records:quality:read")
def show_quality() -> Response:
    """The marks of the last 30 days and the samples of a month, this one unless asked."""
    return show_page(TEMPLATE, **_list(read_query(MonthQuery).month))


@pages.post("/samples")
@requires("records:quality:draw")
def draw_sample() -> Response:
    """Draw a sample."""

    def act(session: Session) -> date:
        body = read_form(SampleForm, month=f"{request.form.get('month', '')}-01")
        hospital_id = accounts.find_hospital_id(session, body.hospital_code)
        service.draw_sample(
            session,
            current_actor(),
            hospital_id=hospital_id,
            modality=body.modality,
            month=body.month,
            size=max(1, min(body.size, 100)),
        )
        return body.month

    return _change(act)


@pages.post("/samples/<uuid:sample_id>/score")
@requires("records:quality:score")
def score_sample(sample_id: UUID) -> Response:
    """Score one."""

    def act(session: Session) -> date:
        body = read_form(ScoreReceived)
        service.score_sample(session, current_actor(), sample_id=sample_id, grade=body.grade, fault=body.fault)
        return service.get_month(session, sample_id)

    return _change(act)


def _change(act: Callable[[Session], date]) -> Response:
    try:
        with db.transaction() as session:
            month = act(session)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, form=request.form, **_list(None))
    return cast(Response, redirect(f"/operator/imaging-quality?month={month.isoformat()}", 303))


def _list(month: date | None) -> dict[str, Any]:
    today = clock.now().astimezone(clock.CITY_ZONE).date()
    month = month or today.replace(day=1)
    with db.snapshot() as session:
        marks = service.list_marks(session, since=today - timedelta(days=SHOWN_DAYS - 1), until=today)
        samples = service.list_samples(session, month=month)
    return {"marks": marks, "samples": samples, "month": month, "words": words}
