"""Counting the codes that came in and mean nothing yet."""

from typing import Any

from core import db
from core.dispatch import Handler, TryLater
from records.items import service

_MINUTE = 60


def fold_sightings(_payload: dict[str, Any]) -> None:
    """Count what was noted, slice by slice, and look again in a minute.

    :raises TryLater: always.
    """
    folded = 1
    while folded:
        with db.transaction() as session:
            folded = service.fold_sightings(session)
    raise TryLater(_MINUTE)


HANDLERS: dict[str, Handler] = {service.FOLDING_DUE: fold_sightings}
