"""Whatever is sent, the answer is a problem with a code, and never says more than it should."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from psycopg.errors import AdminShutdown
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.test import TestResponse

from core import web
from core.api import Api, new_app
from core.config import Config
from tests.support.city import City, bearer

CANARY = "canary-7f3a"
SIGN_IN = "/api/v1/staff/sessions"
MEMBERS = {"type", "title", "status", "detail", "code", "request_id"}


def check_problem(reply: TestResponse, status: int, code: str, config: Config) -> dict[str, Any]:
    """RFC 9457, section 3.1: the members, and the status said twice alike."""
    assert (reply.status_code, reply.content_type) == (status, "application/problem+json")
    problem: dict[str, Any] = reply.get_json()
    assert set(problem) >= MEMBERS
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"] == f"{config.base_url}/docs/errors#{code}"
    assert problem["request_id"] == reply.headers["X-Request-Id"]
    assert CANARY not in reply.text
    return problem


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", f"/{CANARY}", {}, 404),
        ("GET", "/api/v1/timeline/", {}, 404),
        ("GET", f"/api/v1/visits/{CANARY}/timeline", {}, 404),
        ("DELETE", "/api/v1/timeline", {}, 405),
        ("CANARY", "/api/v1/timeline", {}, 405),
        ("POST", SIGN_IN, {"data": b"x" * (4 * 1024 * 1024 + 1), "content_type": "application/json"}, 413),
    ],
)
def test_what_http_itself_refuses(city: City, method: str, path: str, options: dict[str, Any], status: int) -> None:
    reply = city.client.open(path, method=method, **options)
    check_problem(reply, status, "core.http_error", city.config)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "null",
        "[]",
        '"text"',
        "[" * 100_000,
        '{"a":' * 50_000,
        '{"username": NaN, "password": "x"}',
        f'{{"username": ["{CANARY}"], "password": "x"}}',
        f'{{"username": "x", "password": "x", "{CANARY}x": 1}}',
        f'{{"username": "{CANARY}\\u0000", "password": "x"}}',
        '{"username": "\\ud800", "password": "x"}',
        f'{{"username": "{CANARY * 20}", "password": "x"}}',
        '{"username": ' + "1" * 5000 + ', "password": "x"}',
    ],
)
def test_a_body_that_cannot_be_understood(city: City, body: str) -> None:
    reply = city.client.post(SIGN_IN, data=body, content_type="application/json")
    assert reply.status_code == 422
    problem = reply.get_json()
    assert problem["code"] == "core.malformed_request"
    assert all(set(error) == {"field", "message"} for error in problem["errors"])
    assert all(CANARY not in error["message"] for error in problem["errors"])


def test_a_body_of_another_kind_is_not_read(city: City) -> None:
    reply = city.client.post(SIGN_IN, data="username=x&password=y")
    check_problem(reply, 422, "core.malformed_request", city.config)


@pytest.mark.parametrize("field", ["terminal", "patient_number", "certificate_number", "department"])
def test_no_text_may_hold_the_character_nul(city: City, field: str) -> None:
    hospital = city.hospital()
    reply = city.scan(city.staff(hospital), "A" * 64 + ":1", hospital, **{field: f"{CANARY}\0"})
    check_problem(reply, 422, "core.malformed_request", city.config)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=9" * 9, f"before={CANARY}", f"{CANARY}=1", "before=%00"]
)
def test_a_query_that_cannot_be_understood(city: City, query: str) -> None:
    reply = city.client.get(f"/api/v1/timeline?{query}", headers=bearer(city.patient().token))
    assert (reply.status_code, reply.json["code"]) == (422, "core.malformed_request")


def test_a_bearer_text_of_any_shape_is_only_not_signed_in(city: City) -> None:
    deep = base64.urlsafe_b64encode(b"[" * 6000).decode().rstrip("=")
    empty = base64.urlsafe_b64encode(json.dumps([]).encode()).decode().rstrip("=")
    texts = ["", " ", "x", "x.y", "x.y.z", "....", f"{deep}.x.y", f"{empty}.{empty}.{empty}", "é.é.é", "a" * 10_000]
    for text in texts:
        reply = city.client.get("/api/v1/timeline", headers={"Authorization": f"Bearer {text}"})
        check_problem(reply, 401, "accounts.session_ended", city.config)
    for header in ("Basic eDp5", "bearerx y", "Digest x"):
        reply = city.client.get("/api/v1/timeline", headers={"Authorization": header})
        check_problem(reply, 401, "core.not_signed_in", city.config)


@pytest.mark.parametrize(
    "fault",
    [
        lambda: OperationalError(f"SELECT '{CANARY}'", None, AdminShutdown(CANARY)),
        lambda: PoolTimeout(CANARY),
    ],
)
def test_a_database_that_does_not_answer_is_said_to_be_away(config: Config, fault: Callable[[], Exception]) -> None:
    app: Flask = new_app("faulty")
    web.install(app, config, lambda: None, sign_in_page="/sign-in")
    api = Api("faulty", tag="Faulty")

    @api.get("/fault")
    @web.public("for tests")
    def fail() -> None:
        raise fault()

    app.register_api(api)  # type: ignore[attr-defined]  # new_app makes an OpenAPI application
    reply = app.test_client().get("/fault")
    check_problem(reply, 503, "core.database_unavailable", config)
    assert int(reply.headers["Retry-After"]) > 0
