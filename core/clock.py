"""The one place that asks what time it is; tests replace ``_read`` here and nowhere else."""

from collections.abc import Callable
from datetime import UTC, datetime
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


def set_clock(read: Callable[[], datetime] | None) -> None:
    """Replace the clock (``None`` puts the system's clock back)."""
    global _read
    _read = read or _system_time
