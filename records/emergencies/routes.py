"""The machine interface: a doctor opens records in an emergency, and how often that happens."""

from datetime import timedelta

from flask import Response, request

from accounts import service as accounts
from consent.emergencies.service import EmergencyView, Times
from core import db, limits
from core.api import Api
from core.web import current_actor, current_config, current_identity, present, requires
from health_card import service as health_card
from records.emergencies import service
from records.emergencies.schemas import (
    EmergencyCountQuery,
    EmergencyCounts,
    EmergencyCountShown,
    EmergencyHeader,
    EmergencyRequest,
    OpenedEmergencyShown,
)

api = Api("record_emergencies", tag="Emergency access 紧急访问", url_prefix="/api/v1")

# Nobody finds out a password, or who is registered, by trying.
OPENED_PER_MINUTE = 10
FAILURES_PER_MINUTE = 5


@api.post("/emergency-accesses", responses={201: OpenedEmergencyShown})
@requires("consent:emergency:open")
def open_emergency(header: EmergencyHeader, body: EmergencyRequest) -> Response:
    """A doctor opens the records of the patient before him without consent: for hours, logged, told, and reviewed

    The patient is identified by his open visit to this hospital, or by a document that was found on him; then he has an
    emergency visit from now on. Go on with `/visits/{visit_id}/timeline`. Only this doctor sees by it."""
    return present(OpenedEmergencyShown.model_validate(open_records(body, header.dpop)), 201)


def open_records(body: EmergencyRequest, proof: str | None) -> EmergencyView:
    """The opening itself, shared with the page.

    :param proof: the terminal's DPoP proof; a terminal without a key has none.
    """
    actor, config = current_actor(), current_config()
    limits.count("emergencies", str(actor.id), per_minute=OPENED_PER_MINUTE)
    guessing = limits.counting_failures(
        "emergency_passwords", str(actor.id), accounts.PasswordWrong, per_minute=FAILURES_PER_MINUTE
    )
    searching = limits.counting_failures(
        "emergency_look_ups", str(actor.id), health_card.PersonNotFound, per_minute=FAILURES_PER_MINUTE
    )
    times = Times(timedelta(hours=config.emergency_hours), timedelta(hours=config.emergency_review_hours))
    with guessing, searching, db.transaction() as session:
        terminal_id = accounts.check_terminal_proof(
            session, actor, code=body.terminal, proof=_bind(proof), department=body.department
        )
        return service.open_emergency(
            session,
            actor,
            patient=body.as_patient(),
            cause=body.as_cause(),
            terminal_id=terminal_id,
            department=body.department,
            password=body.password,
            times=times,
            visit_days=config.visit_days,
        )


@api.get("/emergency-statistics", responses={200: EmergencyCounts})
@requires("records:emergency:count")
def count_emergencies(query: EmergencyCountQuery) -> Response:
    """Emergency accesses by department, and of 1,000 visits: of this hospital; of all, for the audit administrator

    Numbers of other houses below 5 are left out, unless they are 0."""
    with db.transaction() as session:
        counts = service.count_by_department(session, current_actor(), since=query.since, until=query.until)
    return present(EmergencyCounts(departments=[EmergencyCountShown.model_validate(count) for count in counts]))


def _bind(proof: str | None) -> accounts.TerminalProof:
    """A proof is good for this address and this sign-in only; nothing was scanned that it could be bound to."""
    identity = current_identity()
    bearer = request.headers.get("Authorization", "").partition(" ")[2].strip()
    return accounts.TerminalProof(
        text=proof,
        method=request.method,
        address=f"{current_config().base_url}{request.path}",
        session_secret=identity.csrf_token if identity and identity.csrf_token else bearer,
    )
