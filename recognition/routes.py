"""The machine interface of recognition, for the doctor's workplace."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from recognition import service
from recognition.schemas import DecisionRequest, DecisionShown, OrderCheck, ReminderList, ReminderShown, VisitPath

api = Api("recognition", tag="Mutual recognition 检查检验互认", url_prefix="/api/v1")


@api.post("/visits/<uuid:visit_id>/order-checks", responses={200: ReminderList})
@requires("recognition:order:check")
def check_order(path: VisitPath, body: OrderCheck) -> Response:
    """Before ordering: which of these items have a valid result from another hospital already"""
    with db.transaction() as session:
        found = service.check_order(session, current_actor(), visit_id=path.visit_id, item_codes=body.item_codes)
    return present(ReminderList(reminders=[ReminderShown.model_validate(reminder) for reminder in found]))


@api.post("/visits/<uuid:visit_id>/recognitions", responses={201: DecisionShown})
@requires("recognition:decision:record")
def record_decision(path: VisitPath, body: DecisionRequest) -> Response:
    """The doctor's answer to a reminder: recognised, or refused with a reason"""
    with db.transaction() as session:
        decision_id = service.record_decision(session, current_actor(), visit_id=path.visit_id, **dict(body))
    return present(DecisionShown(decision_id=decision_id, answer=body.answer, reason=body.reason), 201)
