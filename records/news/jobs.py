"""After a report was filed: who is told, and of what."""

from typing import Any
from uuid import UUID

from core import db
from core.dispatch import Handler, TryLater
from records.news import service
from records.releasing.service import RELEASED_TOPIC
from records.reports.service import CHANGED_TOPIC, FILED_TOPIC


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


def tell_of_release(payload: dict[str, Any]) -> None:
    """``object_id``: what was held back is open to its patient now."""
    with db.transaction() as session:
        service.tell_of_release(session, object_id=UUID(payload["object_id"]))


HANDLERS: dict[str, Handler] = {
    FILED_TOPIC: tell_of_new,
    CHANGED_TOPIC: tell_of_version,
    RELEASED_TOPIC: tell_of_release,
}
