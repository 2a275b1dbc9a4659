"""Seeing the running system: request ids, structured logs without personal data, metrics."""

import logging
import re
import sys
from contextvars import ContextVar

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess

from core.config import Config
from core.ids import new_id

_request_id: ContextVar[str] = ContextVar("request_id", default="-")
_ACCEPTABLE_REQUEST_ID = re.compile(r"[0-9A-Za-z_-]{8,64}")

log = structlog.stdlib.get_logger("yimatong")

REQUESTS = Counter("yimatong_requests", "Requests answered", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("yimatong_request_seconds", "Time to answer, seconds", ["method", "route"])
REFUSALS = Counter("yimatong_refusals", "Refusals by code", ["code"])
OUTBOX_HANDLED = Counter("yimatong_outbox_handled", "Outbox messages handled", ["topic", "outcome"])
OUTBOX_WAITING = Gauge("yimatong_outbox_waiting", "Outbox messages not done yet", multiprocess_mode="livemostrecent")


def request_id() -> str:
    """The id of the request or message that is being worked on."""
    return _request_id.get()


def begin_request(offered: str | None = None) -> str:
    """Take the caller's request id when it has an acceptable form, else make one."""
    accepted = offered if offered and _ACCEPTABLE_REQUEST_ID.fullmatch(offered) else str(new_id())
    _request_id.set(accepted)
    return accepted


def configure_logs() -> None:
    """JSON lines on standard error. Callers log event names, codes and ids; never what people are called."""
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.INFO)
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _add_request_id,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _add_request_id(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event.setdefault("request_id", request_id())
    return event


def metrics_text(config: Config) -> bytes:
    """All metrics in Prometheus text format, summed over the server's processes."""
    if config.metrics_dir is None:
        return generate_latest()
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=str(config.metrics_dir))  # type: ignore[no-untyped-call]
    return generate_latest(registry)
