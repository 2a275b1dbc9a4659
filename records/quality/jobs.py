"""After images were filed: they are checked."""

from typing import Any
from uuid import UUID

from core import db
from core.dispatch import Handler
from records.images.service import FILED_TOPIC
from records.quality import service


def check_study(payload: dict[str, Any]) -> None:
    """``study_id``: check what has arrived of it."""
    with db.transaction() as session:
        service.check_study(session, UUID(payload["study_id"]))


HANDLERS: dict[str, Handler] = {FILED_TOPIC: check_study}
