"""The machine interface of visits, for desks."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, current_config, present, requires
from health_card import service as health_card
from records.visits import service
from records.visits.schemas import CheckInShown, LookUpOpened, Scan, VisitPath
from records.visits.service import CheckIn, ScanContext

api = Api("visits", tag="Desk 登记窗口", url_prefix="/api/v1")


@api.post("/desk/scans", responses={201: CheckInShown})
@requires("records:visit:open")
def scan(body: Scan) -> Response:
    """A desk scans a patient's code: who it is (masked), how well that was checked, and an open visit"""
    return present(CheckInShown.model_validate(scan_code(body)), 201)


@api.post("/desk/visits/<uuid:visit_id>/look-ups", responses={201: LookUpOpened})
@requires("health_card:person:look_up")
def look_up(path: VisitPath) -> Response:
    """The person of an open visit at this hospital, for corrections and cards: see `/desk/persons/{look_up_id}`"""
    with db.transaction() as session:
        look_up_id = service.look_up_visitor(session, current_actor(), visit_id=path.visit_id)
    return present(LookUpOpened(look_up_id=look_up_id), 201)


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
