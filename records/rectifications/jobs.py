"""When the time for an answer is over."""

from typing import Any
from uuid import UUID

from core import db
from core.dispatch import Handler
from records.rectifications import service


def escalate_overdue(payload: dict[str, Any]) -> None:
    """``request_id``: it goes to the operator unless it was answered."""
    with db.transaction() as session:
        service.escalate_overdue(session, request_id=UUID(payload["request_id"]))


HANDLERS: dict[str, Handler] = {service.DUE_TOPIC: escalate_overdue}
