"""Before a child turns 14 its family is told; when a guardian's time is over it is written down, and both are told."""

from typing import Any
from uuid import UUID

from core import db
from core.dispatch import Handler
from health_card.family import service
from health_card.family.service.holding import ENDING_TOPIC, LIMITED_TOPIC


def end_guardianship(payload: dict[str, Any]) -> None:
    """Comes due at the birthday that ends it."""
    with db.transaction() as session:
        service.end_run_out_holder(session, UUID(payload["holder_id"]))


def announce_fourteenth_birthday(payload: dict[str, Any]) -> None:
    """Comes due 30 days before a guardian's time ends."""
    with db.transaction() as session:
        service.tell_of_fourteenth_birthday(session, UUID(payload["holder_id"]))


HANDLERS: dict[str, Handler] = {LIMITED_TOPIC: end_guardianship, ENDING_TOPIC: announce_fourteenth_birthday}
