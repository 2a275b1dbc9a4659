"""When a guardian's time is over it is written down, and both are told."""

from typing import Any
from uuid import UUID

from core import db
from core.dispatch import Handler
from health_card.family import service
from health_card.family.service.holding import LIMITED_TOPIC


def end_guardianship(payload: dict[str, Any]) -> None:
    """Comes due at the birthday that ends it."""
    with db.transaction() as session:
        service.end_run_out_holder(session, UUID(payload["holder_id"]))


HANDLERS: dict[str, Handler] = {LIMITED_TOPIC: end_guardianship}
