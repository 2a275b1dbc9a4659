"""The machine interface of visits, for desks."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, current_config, present, requires
from health_card import service as health_card
from records.visits import service
from records.visits.schemas import (
    CheckInShown,
    DisownedVisitShown,
    Scan,
    VisitLineShown,
    VisitList,
    VisitPath,
    VisitQuery,
)
from records.visits.service import CheckIn, ScanContext

api = Api("visits", tag="Desk 登记窗口", url_prefix="/api/v1")


@api.post("/desk/scans", responses={201: CheckInShown})
@requires("records:visit:open")
def scan(body: Scan) -> Response:
    """A desk scans a patient's code: who it is (masked), how well that was checked, and a visit, new or continued"""
    return present(CheckInShown.model_validate(scan_code(body)), 201)


@api.get("/visits", responses={200: VisitList})
@requires("records:visit:list")
def list_visits(query: VisitQuery) -> Response:
    """The visits at this hospital, newest first: those that are open, or those that have ended"""
    with db.transaction() as session:
        lines = service.read_visits(
            session, current_actor(), is_open=query.state == "open", before=query.before, limit=query.limit
        )
    return present(VisitList(visits=[VisitLineShown.model_validate(line) for line in lines]))


@api.post("/visits/<uuid:visit_id>/close", responses={200: CheckInShown})
@requires("records:visit:close")
def close_visit(path: VisitPath) -> Response:
    """The hospital has finished with this visit: what was shared for it ends at once. Saying it again is harmless"""
    with db.transaction() as session:
        service.close_visit(session, current_actor(), visit_id=path.visit_id)
        visit = service.get_check_in(session, current_actor(), visit_id=path.visit_id)
    return present(CheckInShown.model_validate(visit))


@api.post("/visits/<uuid:visit_id>/not-me", responses={200: DisownedVisitShown})
@requires("records:visit:disown")
def disown_visit(path: VisitPath) -> Response:
    """The patient says: that was not me. The hospital sees nothing any more, and all codes shown so far are dead"""
    with db.transaction() as session:
        visit = service.disown_visit(session, current_actor(), visit_id=path.visit_id)
    return present(DisownedVisitShown.model_validate(visit))


def scan_code(body: Scan) -> CheckIn:
    """The scan itself, shared with the desk page: refused codes are counted outside the transaction."""
    actor = current_actor()
    with health_card.counting_failures(f"{actor.hospital_id}/{body.terminal}"), db.transaction() as session:
        return service.check_in(
            session,
            actor,
            text=body.code,
            issuer=current_config().issuer_code,
            context=ScanContext(**body.model_dump(exclude={"code"})),
            visit_days=current_config().visit_days,
        )
