"""What is to be done when a visit has run out."""

from math import ceil
from typing import Any
from uuid import UUID

from core import clock, db
from core.dispatch import Handler, TryLater
from core.web import current_config
from records.visits import closing


def close_run_out(payload: dict[str, Any]) -> None:
    """Close an outpatient, emergency or check-up visit after its days.

    :raises TryLater: visits last longer than they did when this one was opened.
    """
    with db.transaction() as session:
        runs_out_at = closing.close_run_out(
            session, visit_id=UUID(payload["visit_id"]), visit_days=current_config().visit_days
        )
    if runs_out_at is not None:
        raise TryLater(ceil((runs_out_at - clock.now()).total_seconds()))


HANDLERS: dict[str, Handler] = {closing.EXPIRING_TOPIC: close_run_out}
