"""The machine interface of emergency accesses: ending, reviewing and watching over them, and what a patient is told."""

from uuid import UUID

from flask import Response

from consent.emergencies import service
from consent.emergencies.schemas import (
    EmergencyAlarmList,
    EmergencyAlarmPath,
    EmergencyAlarmQuery,
    EmergencyAlarmShown,
    EmergencyCaseShown,
    EmergencyLineShown,
    EmergencyList,
    EmergencyPath,
    EmergencyQuery,
    EmergencyReviewRequest,
    EmergencyShown,
    EmergencyToldShown,
)
from consent.emergencies.service import EmergencyView
from consent.schemas import GrantPath
from core import db
from core.actor import Actor
from core.api import Api
from core.web import current_actor, present, requires

api = Api("emergencies", tag="Emergency access 紧急访问", url_prefix="/api/v1")


@api.post("/emergency-accesses/<uuid:access_id>/end", responses={200: EmergencyShown})
@requires("consent:emergency:open")
def end_emergency(path: EmergencyPath) -> Response:
    """The doctor needs it no longer: the next request under it is refused. Saying it again is harmless"""
    with db.transaction() as session:
        ended = service.end_emergency(session, current_actor(), access_id=path.access_id)
    return present(EmergencyShown.model_validate(ended))


@api.get("/emergency-accesses", responses={200: EmergencyList})
@requires("consent:emergency:read")
def list_emergencies(query: EmergencyQuery) -> Response:
    """The emergency accesses of this hospital, for its medical affairs office; of all, for the audit administrator"""
    actor = current_actor()
    with db.transaction() as session:
        found = service.list_emergencies(session, actor, queue=query.queue, before=query.before)
    return present(EmergencyList(emergencies=[as_line(actor, access) for access in found]))


@api.get("/emergency-accesses/<uuid:access_id>", responses={200: EmergencyCaseShown})
@requires("consent:emergency:review")
def get_emergency(path: EmergencyPath) -> Response:
    """One of this hospital: what the doctor wrote, and what kind of things he looked at meanwhile, without content"""
    with db.transaction() as session:
        case = service.get_emergency(session, current_actor(), access_id=path.access_id)
    return present(EmergencyCaseShown.model_validate(case))


@api.post("/emergency-accesses/<uuid:access_id>/review", responses={200: EmergencyLineShown})
@requires("consent:emergency:review")
def review_emergency(path: EmergencyPath, body: EmergencyReviewRequest) -> Response:
    """Decide whether it was right: once, and by somebody else than the doctor"""
    return present(as_line(current_actor(), write_review(path.access_id, body)))


def write_review(access_id: UUID, body: EmergencyReviewRequest) -> EmergencyView:
    """The review itself, shared with the page."""
    with db.transaction() as session:
        return service.review_emergency(
            session, current_actor(), access_id=access_id, finding=body.finding, text=body.text
        )


@api.get("/emergency-alarms", responses={200: EmergencyAlarmList})
@requires("consent:emergency:oversee")
def list_alarms(query: EmergencyAlarmQuery) -> Response:
    """What is unusual, overdue or was not justified, for the audit administrator; newest first"""
    with db.transaction() as session:
        found = service.list_alarms(session, current_actor(), is_seen=query.is_seen, before=query.before)
    return present(EmergencyAlarmList(alarms=[EmergencyAlarmShown.model_validate(alarm) for alarm in found]))


@api.post("/emergency-alarms/<uuid:alarm_id>/seen", responses={200: EmergencyAlarmList})
@requires("consent:emergency:oversee")
def see_alarm(path: EmergencyAlarmPath) -> Response:
    """The audit administrator has looked into it; answers those that are left. Saying it again is harmless"""
    with db.transaction() as session:
        service.see_alarm(session, current_actor(), alarm_id=path.alarm_id)
        left = service.list_alarms(session, current_actor(), is_seen=False)
    return present(EmergencyAlarmList(alarms=[EmergencyAlarmShown.model_validate(alarm) for alarm in left]))


@api.get("/grants/<uuid:grant_id>/emergency", responses={200: EmergencyToldShown})
@requires("consent:grant:read")
def read_told(path: GrantPath) -> Response:
    """Of a grant that a doctor opened in an emergency: why, by which law, and what the review has found"""
    with db.snapshot() as session:
        found = service.find_of_patient(session, current_actor(), grant_id=path.grant_id)
    return present(EmergencyToldShown.of(found))


def as_line(actor: Actor, access: EmergencyView) -> EmergencyLineShown:
    """Whoever works for the platform is not told whose records they are."""
    line = EmergencyLineShown.model_validate(access)
    return line if actor.hospital_id else line.model_copy(update={"person_name": None})
