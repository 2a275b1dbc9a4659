"""After a report was filed: who is told, and of what."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from core import db
from core.dispatch import Handler, Left, Together, TryLater
from records.news import service
from records.releasing.service import RELEASED_TOPIC
from records.reports.service import CHANGED_TOPIC, FILED_TOPIC

# Each person told is locked until the commit: of reports that were filed in several groups, so many at once.
MANY_REPORTS = 256


def tell_of_version(payload: dict[str, Any]) -> None:
    """``report_id``, ``version``: tell those whom it concerns.

    :raises TryLater: a change was filed a moment ago, and somebody may still be reading what it was before.
    """
    report_id, version = UUID(payload["report_id"]), int(payload["version"])
    with db.transaction() as session:
        seconds = service.find_settling_seconds(session, report_id=report_id, version=version)
        if seconds == 0:
            service.tell_of_version(session, report_id=report_id, version=version)
    if seconds:
        raise TryLater(seconds)


def tell_of_new(payload: dict[str, Any]) -> None:
    """``report_ids``: reports that were filed together and are new; tell those whom they concern."""
    with db.transaction() as session:
        service.tell_of_new(session, report_ids=[UUID(report_id) for report_id in payload["report_ids"]])


def tell_of_many_new(session: Session, payloads: Sequence[dict[str, Any]]) -> Left:
    """As ``tell_of_new``, for several groups that were filed; what would be too much waits for the next time."""
    chosen: list[UUID] = []
    for place, payload in enumerate(payloads):
        filed = [UUID(report_id) for report_id in payload["report_ids"]]
        if chosen and len(chosen) + len(filed) > MANY_REPORTS:
            service.tell_of_new(session, report_ids=chosen)
            return dict.fromkeys(range(place, len(payloads)), 0)
        chosen += filed
    service.tell_of_new(session, report_ids=chosen)
    return {}


def tell_of_release(payload: dict[str, Any]) -> None:
    """``object_id``: what was held back is open to its patient now."""
    with db.transaction() as session:
        service.tell_of_release(session, object_id=UUID(payload["object_id"]))


HANDLERS: dict[str, Handler] = {
    FILED_TOPIC: Together(alone=tell_of_new, many=tell_of_many_new),
    CHANGED_TOPIC: tell_of_version,
    RELEASED_TOPIC: tell_of_release,
}
