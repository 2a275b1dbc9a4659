"""The machine interface of visits, for desks."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, current_config, present, requires
from health_card import service as health_card
from records.visits import service
from records.visits.schemas import CheckInShown, DisownedVisitShown, Scan, VisitPath
from records.visits.service import CheckIn, ScanContext

api = Api("visits", tag="Desk 登记窗口", url_prefix="/api/v1")


@api.post("/desk/scans", responses={201: CheckInShown})
@requires("records:visit:open")
def scan(body: Scan) -> Response:
    """A desk scans a patient's code: who it is (masked), how well that was checked, and an open visit"""
    return present(CheckInShown.model_validate(scan_code(body)), 201)


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
        )
