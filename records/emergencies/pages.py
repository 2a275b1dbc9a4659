"""The doctor's page for emergencies, and how often they are, for who reviews and who watches over them."""

from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for

from accounts import service as accounts
from consent import service as consent
from consent.emergencies import service as emergencies
from core import clock, db
from core.errors import Refusal
from core.pages import read_form, read_query, show_page, show_refused
from core.web import Pages, current_actor, current_config, requires
from records.emergencies import service
from records.emergencies.routes import open_records
from records.emergencies.schemas import EmergencyCountQuery, EmergencyForm
from records.emergencies.words import ADVICE, CERTIFICATE_TYPES
from records.visits import service as visits
from records.visits.codes import DEPARTMENTS
from records.visits.pages import read_settings

pages = Pages("emergency_pages", __name__)

TEMPLATE = "records/emergency.html"
# So long the doctor is shown what he has opened himself.
OWN_SHOWN = timedelta(days=7)


@pages.get("/desk/emergency")
@requires("consent:emergency:open")
def show_entrance() -> Response:
    """The form, and what the doctor has opened himself; ``?visit=`` the open visit of the patient before him."""
    visit_id = request.args.get("visit", type=UUID)
    return show_page(TEMPLATE, form={}, **_surroundings(visit_id))


@pages.post("/desk/emergency")
@requires("consent:emergency:open")
def open_emergency() -> Response:
    """Open the records; on to them."""
    try:
        body = read_form(EmergencyForm, sensitivities=request.form.getlist("sensitivities"))
        opened = open_records(body, body.terminal_proof)
    except Refusal as refusal:
        visit_id = request.form.get("visit_id", type=UUID)
        found = _surroundings(visit_id)
        advice = ADVICE.get(refusal.code, "")
        return show_refused(TEMPLATE, refusal, form=request.form, advice=advice, **found)
    return cast(Response, redirect(url_for("chart_pages.show_chart", visit_id=opened.visit_id), 303))


@pages.post("/desk/emergency/<uuid:access_id>/end")
@requires("consent:emergency:open")
def end_emergency(access_id: UUID) -> Response:
    """One tap: the doctor needs it no longer."""
    with db.transaction() as session:
        emergencies.end_emergency(session, current_actor(), access_id=access_id)
    return cast(Response, redirect(url_for("emergency_pages.show_entrance"), 303))


@pages.get("/emergency-statistics")
@requires("records:emergency:count")
def show_statistics() -> Response:
    """How often, by department."""
    query = read_query(EmergencyCountQuery)
    with db.transaction() as session:
        counts = service.count_by_department(session, current_actor(), since=query.since, until=query.until)
    return show_page("records/emergency_statistics.html", counts=counts, query=query, departments=DEPARTMENTS)


def _surroundings(visit_id: UUID | None) -> dict[str, Any]:
    actor = current_actor()
    with db.transaction() as session:
        check_in = visits.get_check_in(session, actor, visit_id=visit_id) if visit_id else None
        own = emergencies.list_own(session, actor, since=clock.now() - OWN_SHOWN)
        terminals, departments = accounts.list_terminals(session, actor), accounts.list_departments(session, actor)
    return {
        "check_in": check_in,
        "own": own,
        "terminals": terminals,
        "departments": departments,
        "department_words": DEPARTMENTS,
        "settings": read_settings(),
        "hospital_id": actor.house_id,
        "grounds": emergencies.GROUNDS,
        "sensitivities": consent.SENSITIVITY_WORDS,
        "certificate_types": CERTIFICATE_TYPES,
        "hours": current_config().emergency_hours,
        "proof_address": f"{current_config().base_url}{url_for('emergency_pages.open_emergency')}",
    }
