"""SMART Health Links: what another program gets that opens a link."""

import base64
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc import jwe
from joserfc.jwk import OctKey
from werkzeug.test import TestResponse

from tests.conftest import SteppingClock
from tests.support.charts import send_report
from tests.support.city import City, Patient, bearer
from tests.support.links import PASSCODE, Link, call, make


@pytest.fixture(scope="module")
def owner(module_city: City) -> Patient:
    return module_city.patient("张分享")


@pytest.fixture(scope="module")
def report_id(module_city: City, owner: Patient) -> str:
    return str(send_report(module_city, module_city.hospital(), owner))


def payload_of(link: Link) -> Any:
    assert link.health_link is not None
    written = link.health_link.partition("#shlink:/")[2]
    return json.loads(base64.urlsafe_b64decode(written + "=" * (-len(written) % 4)))


def ask(city: City, link: Link, passcode: str = PASSCODE, **more: Any) -> TestResponse:
    address = urlsplit(payload_of(link)["url"]).path
    return city.client.post(address, json={"recipient": "Verona Clinic", "passcode": passcode} | more)


def decrypt(link: Link, written: str) -> Any:
    key = base64.urlsafe_b64decode(payload_of(link)["key"] + "=")
    opened = jwe.decrypt_compact(written, OctKey.import_key(key))
    assert {name: opened.headers()[name] for name in ("alg", "enc", "zip", "cty")} == {
        "alg": "dir",
        "enc": "A256GCM",
        "zip": "DEF",
        "cty": "application/fhir+json",
    }
    assert opened.plaintext is not None
    return json.loads(opened.plaintext)


def kinds_of(bundle: Any) -> set[str]:
    return {one["resource"]["resourceType"] for one in bundle["entry"]}


def test_the_payload_is_as_the_specification_has_it(city: City, owner: Patient) -> None:
    link = make(city, owner, may_download=True)
    payload = payload_of(link)
    assert set(payload) == {"url", "key", "exp", "flag", "label", "v"}
    assert (len(payload["key"]), payload["flag"], payload["v"]) == (43, "LP", 1)
    assert payload["url"] == f"{city.config.base_url}/shl/{link.secret}"
    assert len(payload["url"]) <= 128
    assert len(payload["label"]) <= 80


def test_a_manifest_holds_the_summary_of_what_is_shared(city: City, owner: Patient, report_id: str) -> None:
    link = make(city, owner, may_download=True)
    reply = ask(city, link, embeddedLengthMax=100_000)
    assert reply.status_code == 200, reply.text
    (file,) = reply.json["files"]
    assert (reply.json["status"], file["contentType"]) == ("can-change", "application/fhir+json")
    bundle = decrypt(link, file["embedded"])
    assert (bundle["type"], kinds_of(bundle)) == (
        "document",
        {"Composition", "Patient", "DiagnosticReport", "Observation"},
    )
    written = json.dumps(bundle)
    assert report_id in written
    assert owner.certificate_number not in written
    assert owner.phone not in written
    nothing = make(city, owner, may_download=True, scope={"kinds": ["allergy"]})
    empty = decrypt(nothing, ask(city, nothing, embeddedLengthMax=100_000).json["files"][0]["embedded"])
    assert kinds_of(empty) == {"Composition", "Patient"}
    seen = call(city, owner.token, "GET", f"/{link.id}/viewers").json
    assert [(one["way"], one["viewer"]) for one in seen["openings"]] == [("health_link", "Verona Clinic")]
    assert "records.resource.listed" in {look["action"] for look in seen["looks"]}


def test_a_location_works_once_and_not_after_a_revoke(city: City, owner: Patient, report_id: str) -> None:
    link = make(city, owner, may_download=True)
    first, second = (ask(city, link, embeddedLengthMax=10).json["files"][0]["location"] for _ in range(2))
    fetched = city.client.get(urlsplit(first).path)
    assert (fetched.status_code, fetched.mimetype) == (200, "application/jose")
    assert report_id in json.dumps(decrypt(link, fetched.text))
    again = city.client.get(urlsplit(first).path)
    assert (again.status_code, again.json["code"]) == (404, "consent.share_link_closed")
    assert call(city, owner.token, "POST", f"/{link.id}/revoke").status_code == 200
    assert city.client.get(urlsplit(second).path).status_code == 404
    assert ask(city, link).status_code == 404


def test_a_location_dies_after_ten_minutes(city: City, owner: Patient, stepping_clock: SteppingClock) -> None:
    link = make(city, owner, may_download=True)
    location = ask(city, link).json["files"][0]["location"]
    stepping_clock.forward(minutes=10)
    assert city.client.get(urlsplit(location).path).status_code == 404


def test_wrong_passcodes_say_how_many_are_left_and_count_with_those_of_the_page(city: City, owner: Patient) -> None:
    link = make(city, owner, may_download=True, openings=1)
    wrong = ask(city, link, "000001")
    assert (wrong.status_code, wrong.json["remainingAttempts"]) == (401, 9)
    assert ask(city, link, "").json["remainingAttempts"] == 8
    assert city.client.post(f"/shl/{link.secret}", json={"passcode": PASSCODE}).status_code == 422
    assert ask(city, link).status_code == 200
    assert ask(city, link).status_code == 404


def test_pages_of_any_origin_may_open_one_and_never_by_cookie(city: City, owner: Patient) -> None:
    link, origin = make(city, owner, may_download=True), {"Origin": "https://viewer.example"}
    path = f"/shl/{link.secret}"
    asked = origin | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    preflight = city.client.options(path, headers=asked)
    assert preflight.headers["Access-Control-Allow-Origin"] == "https://viewer.example"
    assert "Content-Type" in preflight.headers["Access-Control-Allow-Headers"]
    sent = city.client.post(path, json={"recipient": "V", "passcode": PASSCODE}, headers=origin)
    assert (sent.status_code, sent.headers["Access-Control-Allow-Origin"]) == (200, "https://viewer.example")
    assert "Access-Control-Allow-Credentials" not in sent.headers
    knock = {"secret": link.secret, "passcode": PASSCODE, "viewer": "V"}
    assert city.client.post("/share/openings", json=knock, headers=origin).status_code == 403
    assert (
        city.client.get("/fhir/Patient", headers=origin | bearer("nothing")).headers.get("Access-Control-Allow-Origin")
        is None
    )
