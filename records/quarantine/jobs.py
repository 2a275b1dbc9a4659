"""Bulk replays go on here: a bounded slice at a time, a message a transaction."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from core import clock, db
from core.dispatch import Handler, TryLater
from core.web import current_config
from records.quarantine.service import replays

# Far below the lease of a message, and no long wait for the messages behind it.
SLICE = timedelta(seconds=5)


def carry_on(payload: dict[str, Any]) -> None:
    """``replay_id``: try the messages of a bulk replay, one after the other.

    :raises TryLater: there is more to do.
    """
    until = clock.now() + SLICE
    while _replay_next(UUID(payload["replay_id"])):
        if clock.now() >= until:
            raise TryLater(0)


def _replay_next(replay_id: UUID) -> bool:
    try:
        with db.transaction() as session:
            return replays.replay_next(
                session,
                replay_id=replay_id,
                card_issuer=current_config().issuer_code,
                visit_days=current_config().visit_days,
            )
    except replays.PassedOver as passed:
        with db.transaction() as session:
            replays.pass_over(session, replay_id=replay_id, message_id=passed.message_id)
        return True


HANDLERS: dict[str, Handler] = {replays.ASKED_TOPIC: carry_on}
