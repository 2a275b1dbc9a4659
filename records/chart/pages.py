"""The doctor's view of one patient."""

from typing import cast
from uuid import UUID

from flask import Response, redirect, request, url_for

from consent import service as consent
from consent.emergencies import service as emergencies
from consent.requests import service as requests
from core import db
from core.pages import read_form, read_query, show_page, show_refused
from core.web import Pages, current_actor, current_config, requires
from records.chart import service
from records.chart.schemas import ChartQuery
from records.entries import wording
from records.orders.wording import STATES
from records.releasing import service as releasing
from records.releasing.schemas import HeldPath
from records.releasing.words import SENSITIVITIES
from records.trends import service as trends
from records.trends.drawing import draw
from records.visits import service as visits
from records.visits.codes import DEPARTMENTS, VISIT_KINDS

pages = Pages("chart_pages", __name__)


@pages.post("/visits/<uuid:visit_id>/release")
@requires("records:held_item:release")
def release_report(visit_id: UUID) -> Response:
    """The doctor has reviewed a report of his own house: back to it, now that the patient sees it."""
    body = read_form(HeldPath)
    with db.transaction() as session:
        releasing.release_item(session, current_actor(), object_id=body.object_id)
    shown = url_for("chart_pages.show_chart", visit_id=visit_id, open=body.object_id, _anchor="opened")
    return cast(Response, redirect(shown, 303))


@pages.get("/visits/<uuid:visit_id>")
@requires("records:shared_timeline:read")
def show_chart(visit_id: UUID) -> Response:
    """One patient on one page: a page of the timeline, and one thing of it or one item over time opened."""
    asked = read_query(ChartQuery)
    older_than = request.args.get("trend_before", type=trends.read_line)
    try:
        with db.transaction() as session:
            chart = service.open_chart(
                session,
                current_actor(),
                visit_id=visit_id,
                wanted=asked.as_filter(),
                stage=asked.stage,
                before=asked.before,
                open_id=asked.open,
            )
            person_id = chart.visit.person_id
            trend = asked.trend and trends.read_trend(
                session, current_actor(), person_id=person_id, item=asked.trend, before=older_than
            )
            emergency = emergencies.find_emergency(session, current_actor(), person_id=person_id)
    except consent.NothingShared as refusal:
        return _show_nothing_shared(refusal, visit_id)
    return show_page(
        "records/chart.html",
        status=404 if chart.is_missing else 200,
        chart=chart,
        trend=trend,
        emergency=emergency,
        drawing=draw(trend) if trend else None,
        departments=DEPARTMENTS,
        visit_kinds=VISIT_KINDS,
        sensitivities=SENSITIVITIES,
        entry_words=wording,
        order_states=STATES,
        has_workstation=current_config().ohif_dir is not None,
        asked=asked,
    )


def _show_nothing_shared(refusal: consent.NothingShared, visit_id: UUID) -> Response:
    """Why nothing is seen, and the way to ask: the form, or how the newest request stands."""
    with db.snapshot() as session:
        asked = requests.find_of_visit(session, current_actor(), visit_id=visit_id)
        visitor_id = visits.find_open_visitor(session, current_actor(), visit_id=visit_id)
    may_ask = visitor_id is not None and current_actor().can("consent:access_request:ask")
    return show_refused(
        "records/nothing_shared.html",
        refusal,
        visit_id=visit_id,
        asked=asked,
        may_ask=may_ask,
        is_mine=asked is not None and asked.asker_name is not None,
        words=requests.WORDS,
    )
