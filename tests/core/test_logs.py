"""Logs name events, codes and ids; a scanner with planted canaries finds out when they name people."""

import logging
import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from flask import Flask, Response
from werkzeug.test import TestResponse

from core import observe, web
from core.api import Api, new_app
from core.config import Config
from tests.support.city import City, bearer, resident_id


class Log(logging.Handler):
    """Everything that any logger of the process says, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def find(self, canaries: dict[str, str]) -> set[str]:
        """The names of the canaries that the log gives away."""
        text = "\n".join(self.lines)
        return {name for name, value in canaries.items() if value in text or ascii(value)[1:-1] in text}


@pytest.fixture
def log(config: Config) -> Iterator[Log]:
    observe.configure_logs()
    handler, root = Log(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


def canaries() -> dict[str, str]:
    return {
        "name": f"金丝雀{secrets.token_hex(4)}",
        "phone": f"139{secrets.randbelow(10**8):08d}",
        "certificate": resident_id(),
        "password": secrets.token_urlsafe(16),
        "patient number": f"MZ{secrets.token_hex(6)}",
    }


def test_a_whole_visit_leaves_no_person_in_the_log(city: City, log: Log) -> None:
    planted = canaries()
    token, refresh_token = city.login()
    client, patient = city.client, {"Authorization": f"Bearer {token}"}
    application = {
        "certificate_type": "01",
        "certificate_number": planted["certificate"],
        "name": planted["name"],
        "phone": planted["phone"],
    }
    replies: list[TestResponse] = [client.post("/api/v1/registrations", json=application, headers=patient)]
    card_id = replies[0].get_json()["card_id"]
    number = client.get("/api/v1/cards", headers=patient).get_json()["cards"][0]["number"]
    code = client.post(f"/api/v1/cards/{card_id}/codes", json={}, headers=patient).get_json()["text"]
    hospital = city.hospital()
    doctor, machine = city.staff(hospital), city.machine(hospital)
    replies += [
        city.scan(doctor, code, hospital, patient_number=planted["patient number"]),
        city.scan(doctor, code, hospital, terminal=planted["name"]),
        city.scan(doctor, f"{number}:1", hospital, certificate_number=planted["certificate"]),
        client.post("/api/v1/registrations", json=application | {"name": planted["name"] * 9}, headers=patient),
        client.post("/api/v1/registrations", json=application | {planted["phone"]: 1}, headers=patient),
        client.post("/api/v1/staff/sessions", json={"username": planted["name"], "password": planted["password"]}),
        client.get(f"/{planted['name']}/{planted['phone']}?name={planted['name']}", headers=bearer(machine.token)),
        client.get("/api/v1/timeline", headers=bearer(planted["password"])),
        client.post("/api/v1/sessions/refresh", json={"refresh_token": refresh_token}),
        client.open(
            "/healthz", method=planted["phone"], headers={"User-Agent": planted["name"].encode().decode("latin-1")}
        ),
    ]
    planted |= {"card": number, "code": code, "token": token, "refresh token": refresh_token}
    planted |= {"doctor": doctor.token, "machine": machine.token}
    assert {reply.status_code for reply in replies} >= {201, 401, 404, 422}
    assert len(log.lines) > len(replies)
    assert log.find(planted) == set()


def test_a_mistake_leaves_no_person_in_the_log(config: Config, log: Log) -> None:
    planted = canaries()
    app: Flask = new_app("mistaken")
    web.install(app, config, lambda: None, sign_in_page="/sign-in")
    api = Api("mistaken", tag="Mistaken")

    @api.get("/mistake")
    @web.public("for tests")
    def mistake() -> Response:
        raise KeyError(planted["name"], planted["certificate"])

    app.register_api(api)  # type: ignore[attr-defined]  # new_app makes an OpenAPI application
    assert app.test_client().get("/mistake").status_code == 500
    assert any('"mistake"' in line and "KeyError" in line for line in log.lines)
    assert log.find(planted) == set()


@pytest.mark.parametrize("name", ["name", "phone", "certificate", "password", "patient number"])
def test_the_scanner_finds_a_planted_leak(log: Log, name: str) -> None:
    planted: dict[str, Any] = canaries()
    leaks: dict[str, Callable[[], Any]] = {
        "name": lambda: observe.log.info("leak", who=planted["name"]),
        "phone": lambda: logging.getLogger("elsewhere").warning("called %s", planted["phone"]),
        "certificate": lambda: observe.log.error(planted["certificate"]),
        "password": lambda: logging.getLogger("urllib3").error("GET /?password=%s", planted["password"]),
        "patient number": lambda: structlog.get_logger().warning("leak", facts={"deep": [planted["patient number"]]}),
    }
    leaks[name]()
    assert log.find(planted) == {name}
