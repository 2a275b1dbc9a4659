"""Apps in browsers and on servers: pages of known origins may ask, and who may is told what a token is good for."""

import json
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from accounts.apps.models import App
from core import db
from core.audit import AuditEntry
from tests.conftest import SteppingClock
from tests.support.apps import REDIRECT, AppSide, accesses, withdraw
from tests.support.city import City, Machine, Patient, bearer

ORIGIN = "https://" + REDIRECT.removeprefix("https://").split("/")[0]


@pytest.fixture(scope="module")
def patient(module_city: City) -> Patient:
    return module_city.patient()


@pytest.fixture(scope="module")
def server(module_city: City) -> Machine:
    return module_city.machine(module_city.hospital(), scopes=["app_tokens.introspect"])


def introspect(city: City, asker: str, token: str) -> TestResponse:
    return city.client.post("/oauth/introspect", data={"token": token}, headers=bearer(asker))


def preflight(city: City, path: str, origin: str, method: str = "GET") -> dict[str, str]:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization",
    }
    reply = city.client.options(path, headers=asked)
    assert reply.status_code == 200
    return {name: value for name, value in reply.headers.items() if name.startswith("Access-Control") or name == "Vary"}


def test_a_page_of_a_registered_app_may_ask_and_read(city: City, patient: Patient) -> None:
    app = AppSide(city)
    token = app.tokens(patient)["access_token"]
    for path in ("/fhir/Patient", "/oauth/token", "/fhir/.well-known/smart-configuration"):
        told = preflight(city, path, ORIGIN, "POST")
        assert (told["Access-Control-Allow-Origin"], told["Vary"]) == (ORIGIN, "Origin")
        assert told["Access-Control-Allow-Methods"] == "GET, POST"
        assert "Authorization" in told["Access-Control-Allow-Headers"]
        assert "Access-Control-Allow-Credentials" not in told
    page = {"Origin": ORIGIN}
    for reply in (
        city.client.get("/fhir/Patient", headers=bearer(token) | page),
        city.client.post("/fhir/Patient/_search", headers=bearer(token) | page),
        city.client.get("/fhir/Patient/1", headers=bearer(token) | page),
        city.client.get("/fhir/Patient", headers=page),
        city.client.post("/oauth/token", data={"grant_type": "nothing"}, headers=page),
    ):
        # Refusals too: a page has to learn why.
        assert reply.headers["Access-Control-Allow-Origin"] == ORIGIN, reply.text
        assert "ETag" in reply.headers["Access-Control-Expose-Headers"]
        assert reply.json.get("code") != "core.cross_site_request"


@pytest.mark.parametrize(
    "origin",
    [
        "https://other.example",
        f"{ORIGIN}.evil.example",
        ORIGIN.replace("https", "http"),
        f"{ORIGIN}:444",
        f"{ORIGIN}/",
        f"{ORIGIN}/back",
        ORIGIN.upper(),
        "null",
        "https://",
        "https://%",
        f"{ORIGIN} https://other.example",
    ],
)
def test_no_other_origin_is_let_in(city: City, patient: Patient, origin: str) -> None:
    token = AppSide(city).tokens(patient)["access_token"]
    assert preflight(city, "/fhir/Patient", origin) == {"Vary": "Origin"}
    reply = city.client.get("/fhir/Patient", headers=bearer(token) | {"Origin": origin})
    assert (reply.status_code, "Access-Control-Allow-Origin" in reply.headers) == (200, False)
    reply = city.client.post("/fhir/Patient/_search", headers=bearer(token) | {"Origin": origin})
    assert json.loads(reply.text)["issue"][0]["details"]["coding"][0]["code"] == "core.cross_site_request"


def test_what_is_not_for_apps_is_not_open_to_their_pages(city: City, patient: Patient) -> None:
    AppSide(city)
    for path in ("/api/v1/cards", "/oauth/introspect", "/oauth/authorize", "/staff/sign-in", "/fhirs", "/oauth/tokens"):
        assert not any(name.startswith("Access-Control") for name in preflight_any(city, path))
    reply = city.client.post("/api/v1/wechat/sessions", json={"code": "x"}, headers={"Origin": ORIGIN})
    assert reply.json["code"] == "core.cross_site_request"


def preflight_any(city: City, path: str) -> dict[str, str]:
    return dict(city.client.options(path, headers={"Origin": ORIGIN, "Access-Control-Request-Method": "GET"}).headers)


def test_an_app_that_is_switched_off_has_no_origin(city: City) -> None:
    app = AppSide(city)
    with db.transaction() as session:
        assert session.get_one(App, app.id).is_enabled
        for one in session.scalars(select(App)):
            one.is_enabled = False
    assert preflight(city, "/fhir/Patient", ORIGIN) == {"Vary": "Origin"}


def test_a_server_learns_what_a_token_is_good_for_now(
    city: City, patient: Patient, server: Machine, stepping_clock: SteppingClock
) -> None:
    app = AppSide(city)
    tokens = app.tokens(patient, "patient/Observation.rs offline_access")
    told = introspect(city, server.token, tokens["access_token"]).json
    assert (told["active"], told["token_type"], told["patient"]) == (True, "Bearer", str(patient.person_id))
    assert told["scope"] == "patient/Observation.rs offline_access"
    assert told["exp"] - told["iat"] == tokens["expires_in"]
    with db.transaction() as session:
        acts = select(AuditEntry).where(AuditEntry.action == "accounts.app_token.introspected")
        (entry,) = session.scalars(acts.where(AuditEntry.subject_id == patient.person_id)).all()
        assert entry.actor_id == server.id
    (access,) = [one for one in accesses(city, patient.token) if one["status"] == "in_force"]
    withdraw(city, patient.token, access["id"])
    assert introspect(city, server.token, tokens["access_token"]).json == {"active": False}
    later = app.tokens(patient)["access_token"]
    stepping_clock.forward(seconds=601)
    fresh = city.machine(city.hospital(), scopes=["app_tokens.introspect"])
    assert introspect(city, fresh.token, later).json == {"active": False}


def test_of_anything_else_nothing_is_told_and_not_to_everybody(city: City, patient: Patient, server: Machine) -> None:
    tokens: dict[str, Any] = AppSide(city).tokens(patient)
    for other in (tokens["refresh_token"], patient.token, server.token, "x", "a.b.c", tokens["access_token"] + "A"):
        assert introspect(city, server.token, other).json == {"active": False}
    for asker in (patient.token, tokens["access_token"], city.machine(city.hospital(), scopes=["system/*.read"]).token):
        assert introspect(city, asker, tokens["access_token"]).status_code == 403
    assert city.client.post("/oauth/introspect", data={"token": tokens["access_token"]}).status_code == 401
