"""The weekly count of what is kept longer than the law asks for."""

from typing import Any

from core import db
from core.dispatch import Handler, TryLater
from records.rights import service

_WEEK_SECONDS = 7 * 24 * 3600


def count_beyond(_payload: dict[str, Any]) -> None:
    """Count, and again in a week.

    :raises TryLater: always.
    """
    with db.transaction() as session:
        service.count_beyond(session)
    raise TryLater(_WEEK_SECONDS)


HANDLERS: dict[str, Handler] = {service.COUNT_DUE: count_beyond}
