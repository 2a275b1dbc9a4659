"""The machine interface of carriers, for desks."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from health_card.carriers.schemas import CarrierBound, CarrierEnd, CarrierPath, CarrierRead, CarrierRequest
from health_card.carriers.service.binding import bind_carrier, end_carrier
from health_card.carriers.service.identification import identify_carrier
from health_card.desk.models import Way
from health_card.desk.person_file import PersonFile, read_person_file
from health_card.desk.schemas import LookUpPath, PersonFileShown
from health_card.desk.service.look_ups import open_look_up
from health_card.service.scans import counting_failures

api = Api("carriers", tag="Desk: persons 窗口：居民", url_prefix="/api/v1")


@api.post("/desk/carriers/resolve", responses={201: PersonFileShown})
@requires("health_card:carrier:resolve")
def resolve(body: CarrierRead) -> Response:
    """Another card is read: whose it is, masked, as a look-up

    Like a static code it needs the certificate number, and opens no records."""
    return present(PersonFileShown.model_validate(resolve_carrier(body)), 201)


def resolve_carrier(body: CarrierRead) -> PersonFile:
    """The look-up itself, shared with the desk page; failures count as refused codes do."""
    actor = current_actor()
    with counting_failures(f"{actor.hospital_id}/{actor.id}"), db.transaction() as session:
        found = identify_carrier(
            session, actor, kind=body.kind, number=body.number, certificate_number=body.certificate_number
        )
        opened = open_look_up(session, actor, person_id=found.person_id, way=Way.CARRIER)
        return read_person_file(session, actor, opened.id)


@api.post("/desk/persons/<uuid:look_up_id>/carriers", responses={201: CarrierBound})
@requires("health_card:carrier:bind")
def bind(path: LookUpPath, body: CarrierRequest) -> Response:
    """Bind another card to the person whose document was seen"""
    with db.transaction() as session:
        carrier_id = bind_carrier(
            session, current_actor(), look_up_id=path.look_up_id, kind=body.kind, number=body.number
        )
    return present(CarrierBound(carrier_id=carrier_id), 201)


@api.post("/desk/persons/<uuid:look_up_id>/carriers/<uuid:carrier_id>/end", responses={204: None})
@requires("health_card:carrier:bind")
def end(path: CarrierPath, body: CarrierEnd) -> Response:
    """This card leads to nobody any more"""
    with db.transaction() as session:
        end_carrier(
            session, current_actor(), look_up_id=path.look_up_id, carrier_id=path.carrier_id, reason=body.reason
        )
    return Response(status=204)
