"""Rate limits: a moving window, and life without Redis."""

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask

from core import limits
from core.config import Config
from core.errors import RateExceeded
from tests.support.city import City


@pytest.fixture
def subject(app: Flask) -> str:
    return secrets.token_hex(8)


@pytest.fixture
def redis_at(config: Config, app: Flask) -> Iterator[Callable[[str], None]]:
    """Lets the limiter of this process look for Redis elsewhere."""
    yield lambda redis_url: limits.configure(replace(config, redis_url=redis_url))
    limits.configure(config)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield listener.getsockname()[1]


def test_more_than_allowed_within_a_minute_is_refused(subject: str) -> None:
    for _ in range(3):
        limits.count("tests", subject, per_minute=3)
    with pytest.raises(RateExceeded) as refused:
        limits.count("tests", subject, per_minute=3)
    assert refused.value.code == "core.rate_exceeded"
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
    limits.count("tests", f"{subject}-other", per_minute=3)
    limits.count("tests-other", subject, per_minute=3)


def test_the_window_moves_on(subject: str, monkeypatch: pytest.MonkeyPatch) -> None:
    really = time.time
    for _ in range(2):
        limits.count("tests", subject, per_minute=2)
    monkeypatch.setattr("time.time", lambda: really() + 30)
    with pytest.raises(RateExceeded) as refused:
        limits.count("tests", subject, per_minute=2)
    assert int(refused.value.headers["Retry-After"]) <= 60
    monkeypatch.setattr("time.time", lambda: really() + 61)
    limits.count("tests", subject, per_minute=2)


def test_looking_does_not_count(subject: str) -> None:
    for _ in range(5):
        limits.check("tests", subject, per_minute=1)
    limits.count("tests", subject, per_minute=1)
    with pytest.raises(RateExceeded):
        limits.check("tests", subject, per_minute=1)


def test_without_redis_the_city_goes_on(subject: str, redis_at: Callable[[str], None], closed_port: int) -> None:
    redis_at(f"redis://127.0.0.1:{closed_port}/0")
    for _ in range(5):
        limits.count("tests", subject, per_minute=1)


def test_a_redis_that_hangs_holds_nobody_up(
    subject: str, redis_at: Callable[[str], None], silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TIMEOUT_SECONDS", 0.05)
    redis_at(f"redis://127.0.0.1:{silent_port}/0")
    limits.count("tests", subject, per_minute=1)


def test_signing_in_too_often_is_answered_with_when_to_come_back(city: City) -> None:
    body = {"username": f"nobody-{secrets.token_hex(8)}", "password": "wrong"}
    replies = [city.client.post("/api/v1/staff/sessions", json=body) for _ in range(11)]
    assert [reply.status_code for reply in replies] == [401] * 10 + [429]
    assert replies[-1].json["code"] == "core.rate_exceeded"
    assert 1 <= int(replies[-1].headers["Retry-After"]) <= 60
