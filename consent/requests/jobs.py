"""What is to be done about a request when its time comes."""

from math import ceil
from typing import Any
from uuid import UUID

from consent.requests import service
from core import clock, db
from core.dispatch import Handler, TryLater


def remind_patient(payload: dict[str, Any]) -> None:
    """Tell the phone, once, that a request still waits."""
    with db.transaction() as session:
        service.remind_patient(session, request_id=UUID(payload["request_id"]))


def lapse_request(payload: dict[str, Any]) -> None:
    """Close a request that nobody has answered.

    :raises TryLater: its time is not over.
    """
    with db.transaction() as session:
        due_at = service.lapse_request(session, request_id=UUID(payload["request_id"]))
    if due_at is not None:
        raise TryLater(max(1, ceil((due_at - clock.now()).total_seconds())))


HANDLERS: dict[str, Handler] = {
    service.REMINDING_TOPIC: remind_patient,
    service.LAPSING_TOPIC: lapse_request,
}
