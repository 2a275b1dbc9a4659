"""The machine interface of confirming, for the patient's phone and the desk that waits for it."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from health_card.confirmation import service
from health_card.confirmation.schemas import (
    ConfirmationAnswer,
    ConfirmationPath,
    ConfirmationShown,
    PendingList,
    PendingShown,
    PinChange,
)

api = Api("confirmation", tag="Health card 健康卡", url_prefix="/api/v1")


@api.put("/code-pin", responses={204: None})
@requires("health_card:pin:set")
def set_pin(body: PinChange) -> Response:
    """Set the six digits that confirm codes, or change them with the old ones"""
    with db.transaction() as session:
        service.set_pin(session, current_actor(), **dict(body))
    return Response(status=204)


@api.get("/confirmations", responses={200: PendingList})
@requires("health_card:confirmation:answer")
def list_pending() -> Response:
    """What a desk asks this login to confirm now"""
    with db.snapshot() as session:
        waiting = service.list_pending(session, current_actor())
    return present(PendingList(confirmations=[PendingShown.model_validate(asked) for asked in waiting]))


@api.post("/confirmations/<uuid:confirmation_id>/answer", responses={204: None})
@requires("health_card:confirmation:answer")
def answer_confirmation(path: ConfirmationPath, body: ConfirmationAnswer) -> Response:
    """Confirm or refuse, within 60 seconds"""
    with db.transaction() as session:
        service.answer_confirmation(session, current_actor(), confirmation_id=path.confirmation_id, answer=body.answer)
    return Response(status=204)


@api.get("/desk/confirmations/<uuid:confirmation_id>", responses={200: ConfirmationShown})
@requires("health_card:confirmation:ask")
def get_confirmation(path: ConfirmationPath) -> Response:
    """Whether the patient has confirmed; the desk asks every second or two until it is not `waiting`"""
    with db.snapshot() as session:
        asked = service.get_confirmation(session, current_actor(), confirmation_id=path.confirmation_id)
    return present(ConfirmationShown.model_validate(asked))
