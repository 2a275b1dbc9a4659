"""Rate limits, counted in Redis over a moving window."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from limits import RateLimitItemPerMinute
from limits.storage import storage_from_string
from limits.strategies import MovingWindowRateLimiter
from redis.exceptions import RedisError

from core import clock, observe
from core.config import Config
from core.errors import RateExceeded, Refusal

# A Redis that hangs must not hold every request up: longer than this, it is not there.
TIMEOUT_SECONDS = 1.0

_limiter: MovingWindowRateLimiter | None = None


def configure(config: Config) -> None:
    """Connect the process's limiter, once, at its start."""
    global _limiter
    storage = storage_from_string(
        config.redis_url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS
    )
    _limiter = MovingWindowRateLimiter(storage)


def count(name: str, subject: str, *, per_minute: int) -> None:
    """Count one try of ``subject`` at ``name``.

    :raises RateExceeded: more than ``per_minute`` within the last 60 seconds.
    """
    _check(name, subject, per_minute, counting=True)


def check(name: str, subject: str, *, per_minute: int) -> None:
    """Refuse when the limit is reached, without counting: for limits on failures only.

    :raises RateExceeded: as ``count``.
    """
    _check(name, subject, per_minute, counting=False)


@contextmanager
def counting_failures(name: str, subject: str, failure: type[Refusal], *, per_minute: int) -> Iterator[None]:
    """Wrap an act: only its failures count, and when there were too many it is not tried any more.

    :param failure: the refusals that count; the one that fills the window is still answered as what it is.
    :raises RateExceeded: ``per_minute`` of them came within the last 60 seconds.
    """
    check(name, subject, per_minute=per_minute)
    try:
        yield
    except failure:
        with suppress(RateExceeded):
            count(name, subject, per_minute=per_minute)
        raise


@contextmanager
def locking_after_failures(
    name: str, subject: str, failure: type[Refusal], *, per_minute: int, lock: Callable[[int], None]
) -> Iterator[None]:
    """As ``counting_failures``, where the caller keeps the lock: an act that succeeds costs no look at Redis.

    :param lock: called with the seconds to wait when ``per_minute`` failures came within the last 60 seconds.
    """
    try:
        yield
    except failure:
        try:
            count(name, subject, per_minute=per_minute)
            check(name, subject, per_minute=per_minute)
        except RateExceeded as full:
            lock(full.retry_after_seconds)
        raise


def _check(name: str, subject: str, per_minute: int, *, counting: bool) -> None:
    if _limiter is None:
        raise RuntimeError("limits were not configured")
    item = RateLimitItemPerMinute(per_minute)
    try:
        allowed = _limiter.hit(item, name, subject) if counting else _limiter.test(item, name, subject)
        if allowed:
            return
        reset_at = _limiter.get_window_stats(item, name, subject).reset_time
    except RedisError:
        # Redis is never the only home of anything: without it the city goes on, unlimited and told so.
        observe.log.warning("limits.redis_unavailable", limit=name)
        return
    raise RateExceeded(max(1, round(reset_at - clock.now().timestamp())))
