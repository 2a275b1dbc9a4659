"""The hourly look at grants that have run out and at receipts that are overdue."""

from typing import Any

from consent.receipts import service
from core import db
from core.dispatch import Handler, TryLater

_HOUR_SECONDS = 3600


def sweep(_payload: dict[str, Any]) -> None:
    """Ask for receipts of what ran out, remind of what is overdue, and look again in an hour.

    :raises TryLater: always.
    """
    is_behind = True
    while is_behind:
        with db.transaction() as session:
            is_behind = service.ask_of_expired(session)
    with db.transaction() as session:
        service.remind_overdue(session)
    raise TryLater(_HOUR_SECONDS)


HANDLERS: dict[str, Handler] = {service.SWEEP_DUE: sweep}
