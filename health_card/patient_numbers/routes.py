"""The machine interface of patient numbers, for hospital systems."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from health_card.patient_numbers import service
from health_card.patient_numbers.schemas import NumberBinding, NumberMerging, NumberPath, NumberShown

api = Api("patient_numbers", tag="Patient numbers 患者号", url_prefix="/api/v1")


@api.put("/patient-numbers/<path:number>", responses={200: NumberShown})
@requires("health_card:patient_number:bind")
def bind_number(path: NumberPath, body: NumberBinding) -> Response:
    """Say under which number this hospital knows a registered person. Saying it again changes nothing"""
    with db.transaction() as session:
        number = service.bind_number(
            session,
            current_actor(),
            number=path.number,
            card_number=body.card_number,
            certificate=body.certificate,
        )
    return present(NumberShown.model_validate(number))


@api.get("/patient-numbers/<path:number>", responses={200: NumberShown})
@requires("health_card:patient_number:bind")
def get_number(path: NumberPath) -> Response:
    """Whether a number of this hospital leads to a person, and which number counts for that person now"""
    with db.transaction() as session:
        number = service.get_number(session, current_actor(), number=path.number)
    return present(NumberShown.model_validate(number))


@api.post("/patient-numbers/merges", responses={200: NumberShown})
@requires("health_card:patient_number:bind")
def merge_numbers(body: NumberMerging) -> Response:
    """This hospital has merged one of its numbers into another. Saying it again changes nothing"""
    with db.transaction() as session:
        number = service.merge_numbers(session, current_actor(), retired=body.retired, surviving=body.surviving)
    return present(NumberShown.model_validate(number))


@api.post("/patient-numbers/merges/undo", responses={200: NumberShown})
@requires("health_card:patient_number:bind")
def undo_merge(body: NumberMerging) -> Response:
    """This hospital takes a merge of two numbers back; the newest merge of a number first"""
    with db.transaction() as session:
        number = service.undo_merge(session, current_actor(), retired=body.retired, surviving=body.surviving)
    return present(NumberShown.model_validate(number))
