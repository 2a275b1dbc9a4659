"""The machine interface of intake: what waits to be resolved."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.intake import service
from records.intake.schemas import Quarantine, QuarantineQuery, WaitingMessageShown

api = Api("intake", tag="Hospital systems 系统接入", url_prefix="/api/v1")


@api.get("/quarantine", responses={200: Quarantine})
@requires("records:quarantine:read")
def list_quarantine(query: QuarantineQuery) -> Response:
    """Messages that could not be filed: a hospital's own, or every hospital's for the operator; newest first"""
    with db.transaction() as session:
        waiting = service.list_quarantine(session, current_actor(), **dict(query))
    return present(Quarantine(messages=[WaitingMessageShown.model_validate(line) for line in waiting]))
