"""The one place that asks what time it is; tests replace ``_read`` here and nowhere else."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

CITY_ZONE = ZoneInfo("Asia/Shanghai")


def _system_time() -> datetime:
    return datetime.now(UTC)


_read: Callable[[], datetime] = _system_time


def now() -> datetime:
    """The current time in UTC, with its zone."""
    return _read()


def in_city(moment: datetime) -> datetime:
    """The same moment on the clocks of the city (Asia/Shanghai), for showing to people."""
    return moment.astimezone(CITY_ZONE)


def bounds_of_days(since: date | None, until: date | None) -> tuple[datetime | None, datetime | None]:
    """Days of the city as moments: the first of the one, and the first after the other.

    :param since: None: from ever; ``until``: None: for ever.
    """
    after = None if until is None else min(until, date(9000, 1, 1)) + timedelta(days=1)
    start, end = (None if day is None else datetime.combine(day, time(), CITY_ZONE) for day in (since, after))
    return start, end


def set_clock(read: Callable[[], datetime] | None) -> None:
    """Replace the clock (``None`` puts the system's clock back)."""
    global _read
    _read = read or _system_time
