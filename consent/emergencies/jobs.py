"""What follows an emergency access: whether it is unusual, and whether its review came in time."""

from typing import Any
from uuid import UUID

from consent.emergencies import service
from consent.emergencies.service.opening import OPENED_TOPIC, REVIEW_DUE_TOPIC
from core import db
from core.dispatch import Handler


def watch_access(payload: dict[str, Any]) -> None:
    """Raise the alarms that an access gives cause for."""
    with db.transaction() as session:
        service.watch_access(session, access_id=UUID(payload["access_id"]))


def note_overdue(payload: dict[str, Any]) -> None:
    """Tell the audit administrator when the review is overdue."""
    with db.transaction() as session:
        service.note_overdue(session, access_id=UUID(payload["access_id"]))


HANDLERS: dict[str, Handler] = {OPENED_TOPIC: watch_access, REVIEW_DUE_TOPIC: note_overdue}
