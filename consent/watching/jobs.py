"""After a look that is out of the ordinary: its patient is told."""

from typing import Any
from uuid import UUID

from consent.watching import service
from core import db
from core.dispatch import Handler


def tell_of_look(payload: dict[str, Any]) -> None:
    """``entry_id``: a row of the audit trail."""
    with db.transaction() as session:
        service.tell_of_look(session, entry_id=UUID(payload["entry_id"]))


HANDLERS: dict[str, Handler] = {service.LOOKED_TOPIC: tell_of_look}
