"""The gate in front of every route, on an application of its own with one route of each kind."""

import secrets
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, Response, g
from flask.testing import FlaskClient

from core import web
from core.actor import Actor, ActorKind
from core.api import Api, Received, new_app
from core.config import Config

CSRF_TOKEN = secrets.token_hex(16)
SECRET_TEXT = "张测试的秘密"


class Body(Received):
    name: str = ""


@dataclass
class Gate:
    """The application, and who is signed in at it."""

    app: Flask
    identity: web.Identity | None = None
    asked: int = 0
    config: Config = field(kw_only=True)

    def identify(self) -> web.Identity | None:
        self.asked += 1
        return self.identity

    def sign_in(self, *permissions: str, csrf_token: str | None = None) -> None:
        actor = Actor(ActorKind.STAFF, UUID(int=1), frozenset(permissions))
        self.identity = web.Identity(actor, csrf_token)

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def post(self, **headers: str) -> Any:
        return self.client.post("/things", json={}, headers={n.replace("_", "-"): v for n, v in headers.items()})


@pytest.fixture
def gate(config: Config) -> Gate:
    app = new_app("gate")
    built = Gate(app, config=config)
    web.install(app, config, built.identify, sign_in_page="/sign-in")
    api = Api("things", tag="Things")

    @api.post("/things")
    @web.requires("tests:thing:create")
    def create() -> Response:
        return Response(str(web.current_actor().id))

    @api.post("/open")
    @web.public("for tests")
    def open_to_all(body: Body) -> Response:
        return Response(body.name)

    @api.get("/whoami")
    @web.public("for tests")
    def whoami() -> Response:
        return Response(str(web.current_actor().id))

    @api.get("/mistake")
    @web.public("for tests")
    def mistake() -> Response:
        raise ValueError(SECRET_TEXT)

    @api.get("/forgotten")
    def forgotten() -> Response:
        return Response(SECRET_TEXT)

    app.register_api(api)
    return built


def code_of(reply: Any) -> tuple[int, str]:
    assert reply.content_type == "application/problem+json"
    return reply.status_code, reply.json["code"]


def test_a_route_without_a_guard_answers_nobody(gate: Gate) -> None:
    gate.sign_in("tests:thing:create")
    reply = gate.client.get("/forgotten")
    assert code_of(reply) == (500, "core.internal_error")
    assert SECRET_TEXT not in reply.text


def test_nobody_signed_in(gate: Gate) -> None:
    reply = gate.post()
    assert code_of(reply) == (401, "core.not_signed_in")
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert code_of(gate.client.get("/whoami")) == (401, "core.not_signed_in")


def test_the_permission_is_needed_exactly(gate: Gate) -> None:
    gate.sign_in("tests:thing:read", "tests:thing:create_more", "tests:thing")
    reply = gate.post()
    assert code_of(reply) == (403, "core.permission_missing")
    assert reply.json["permission"] == "tests:thing:create"
    gate.sign_in("tests:thing:create")
    assert gate.post().status_code == 200


def test_who_asks_is_found_out_once_a_request_and_anew_for_the_next(gate: Gate) -> None:
    gate.sign_in("tests:thing:create")
    assert gate.post().status_code == 200
    assert gate.asked == 1
    gate.identity = None
    with gate.app.app_context():
        assert gate.post().status_code == 401
        gate.sign_in("tests:thing:create")
        assert gate.post().status_code == 200
        assert "identity" in g


@pytest.mark.parametrize(
    "offered",
    [None, "", "0" * 32, CSRF_TOKEN[:-1], CSRF_TOKEN.upper() + "x", "钥"],
    ids=["none", "empty", "zeros", "cut", "other_case", "no_ascii"],
)
def test_a_cookie_alone_changes_nothing(gate: Gate, offered: str | None) -> None:
    gate.sign_in("tests:thing:create", csrf_token=CSRF_TOKEN)
    form = {} if offered is None else {"csrf_token": offered}
    assert code_of(gate.client.post("/things", data=form)) == (403, "core.cross_site_request")


def test_a_cookie_with_its_csrf_token_does(gate: Gate) -> None:
    gate.sign_in("tests:thing:create", csrf_token=CSRF_TOKEN)
    assert gate.post(X_CSRF_Token=CSRF_TOKEN).status_code == 200
    assert gate.client.post("/things", data={"csrf_token": CSRF_TOKEN}).status_code == 200


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        "http://[",
        "http://[::1",
        "evil",
        "http://localhost.evil.example",
        "http://127.0.0.1:8000.evil.example",
        "http://127.0.0.1:8000@evil.example",
    ],
)
@pytest.mark.parametrize("path", ["/things", "/open"])
def test_another_sites_form_is_refused_even_on_public_routes(gate: Gate, origin: str, path: str) -> None:
    gate.sign_in("tests:thing:create")
    reply = gate.client.post(path, json={}, headers={"Origin": origin})
    assert code_of(reply) == (403, "core.cross_site_request")


def test_our_own_origin_is_ours_behind_a_proxy_too(gate: Gate) -> None:
    gate.sign_in("tests:thing:create")
    assert gate.post(Origin="http://localhost").status_code == 200
    assert gate.post(Origin=gate.config.base_url).status_code == 200


def test_a_mistake_of_ours_says_nothing_of_what_it_was_about(gate: Gate) -> None:
    reply = gate.client.get("/mistake")
    assert code_of(reply) == (500, "core.internal_error")
    assert SECRET_TEXT not in reply.text
    assert "ValueError" not in reply.text
    assert "Traceback" not in reply.text


def test_every_answer_carries_the_security_headers(gate: Gate) -> None:
    for reply in (gate.client.get("/mistake"), gate.client.get("/nothing"), gate.client.post("/open", json={})):
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'self'" in reply.headers["Content-Security-Policy"]
        assert reply.headers["Referrer-Policy"] in {"no-referrer", "same-origin"}


def test_refusals_are_kept_by_nobody(gate: Gate) -> None:
    for reply in (gate.post(), gate.client.get("/nothing")):
        assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("offered", ["request-0001", "a" * 64, "01a2016d-4b11-75ef-8eb1-e7f95a92ed3e"])
def test_a_well_formed_request_id_is_given_back(gate: Gate, offered: str) -> None:
    reply = gate.post(X_Request_Id=offered)
    assert (reply.headers["X-Request-Id"], reply.json["request_id"]) == (offered, offered)


@pytest.mark.parametrize("offered", ["", "short", "a" * 65, "张测试张测试张测试", '{"level":"error"}', "a b c d e f g"])
def test_any_other_request_id_is_replaced(gate: Gate, offered: str) -> None:
    given = {gate.post(X_Request_Id=offered).headers["X-Request-Id"] for _ in range(2)}
    assert offered not in given
    assert len(given) == 2


def test_the_gate_looks_at_every_method(gate: Gate) -> None:
    assert set(gate.client.options("/things").headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    assert gate.asked == 0
    reply = gate.client.get("/things")
    assert code_of(reply) == (405, "core.http_error")
    assert set(reply.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
