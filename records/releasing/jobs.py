"""What was filed before the list of sensitive codes knew it is labelled afterwards, a slice a message."""

from typing import Any
from uuid import UUID

from core import db
from core.dispatch import Handler
from records.releasing import relabelling


def label_filed(payload: dict[str, Any]) -> None:
    """One slice; doing it again changes nothing. The next one is announced with it.

    A message of before studies and entries were looked through, too, names no kind: it is about reports.
    """
    with db.transaction() as session:
        relabelling.label_slice(session, kind=payload.get("kind", "report"), after=UUID(payload["after"]))


HANDLERS: dict[str, Handler] = {relabelling.LIST_CHANGED_TOPIC: label_filed}
