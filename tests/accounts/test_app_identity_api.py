"""Who agreed, told to apps that ask for it (OpenID Connect Core 1.0; SMART App Launch 2, section 3.0.9)."""

from typing import Any

import jwt
import pytest

from core import db, keys
from health_card.models import Relation
from tests.conftest import SteppingClock
from tests.support.apps import AppSide, agree, hold, query_of, reads
from tests.support.city import City, Patient, bearer

ASKED = "openid fhirUser launch/patient patient/*.rs"
REGISTERED = ["openid", "fhirUser", "patient/*.rs", "offline_access"]


@pytest.fixture
def app_side(city: City) -> AppSide:
    return AppSide(city, scopes=REGISTERED)


def sign_in(app: AppSide, patient: Patient, scope: str = ASKED, *, nonce: str | None = "n-0S6", **agreed: Any) -> Any:
    """What the app gets for the code."""
    page = app.open(app.city.client, scope, nonce=nonce)
    led_on = page.type(agree(app.city, patient, page, **agreed))
    told = app.exchange(query_of(led_on.location)["code"])
    assert told.status_code == 200, told.text
    return told.json


def verify(city: City, token: str, audience: str) -> dict[str, Any]:
    """As an app does it, which knows the platform's address alone."""
    found = city.client.get("/.well-known/openid-configuration").json
    assert (found["issuer"], found["id_token_signing_alg_values_supported"]) == (city.config.base_url, ["RS256"])
    published = city.client.get(found["jwks_uri"].removeprefix(city.config.base_url)).get_json()
    by_kid = {key.key_id: key for key in jwt.PyJWKSet.from_dict(published).keys}
    key = by_kid[jwt.get_unverified_header(token)["kid"]]
    # The stepping clock of a test is not that of the library.
    claims: dict[str, Any] = jwt.decode(
        token, key, algorithms=["RS256"], audience=audience, issuer=found["issuer"], options={"verify_exp": False}
    )
    return claims


def test_an_app_learns_who_agreed(app_side: AppSide, stepping_clock: SteppingClock) -> None:
    city = app_side.city
    patient = city.patient()
    told = sign_in(app_side, patient)
    assert told["scope"] == ASKED
    claims = verify(city, told["id_token"], app_side.client_id)
    now = int(stepping_clock().timestamp())
    assert claims == {
        "iss": city.config.base_url,
        "aud": app_side.client_id,
        "sub": claims["sub"],
        "iat": now,
        "exp": now + 600,
        "auth_time": now,
        "nonce": "n-0S6",
        "fhirUser": f"{city.config.base_url}/fhir/Patient/{patient.person_id}",
    }
    # It is an address that the app may read: here the person who agreed is the patient.
    address = claims["fhirUser"].removeprefix(city.config.base_url)
    read = city.client.get(address, headers=bearer(told["access_token"]))
    assert (read.status_code, read.json["id"]) == (200, str(patient.person_id))
    # The same login is the same to this app, and to another one somebody else.
    assert verify(city, sign_in(app_side, patient)["id_token"], app_side.client_id)["sub"] == claims["sub"]
    other = AppSide(city, scopes=REGISTERED)
    assert verify(city, sign_in(other, patient)["id_token"], other.client_id)["sub"] != claims["sub"]
    # An id_token opens nothing.
    assert reads(city, told["id_token"], "Patient") == 401


def test_who_acts_for_a_child_is_not_the_patient(app_side: AppSide) -> None:
    city = app_side.city
    guardian, young = city.patient(), city.patient("一测试")
    hold(guardian, young, Relation.CHILD, years=10)
    child = str(young.person_id)
    told = sign_in(app_side, guardian, person_id=child)
    claims = verify(city, told["id_token"], app_side.client_id)
    assert told["patient"] == child
    assert claims["fhirUser"].endswith(f"/fhir/Patient/{guardian.person_id}")
    assert reads(city, told["access_token"], f"Patient/{child}") == 200
    # His own record was not asked for.
    assert reads(city, told["access_token"], f"Patient/{guardian.person_id}") == 404


def test_only_what_was_agreed_to_is_told(app_side: AppSide) -> None:
    city = app_side.city
    patient = city.patient()
    plain = AppSide(city)
    assert "id_token" not in sign_in(plain, patient, "patient/*.rs")
    claims = verify(city, sign_in(app_side, patient, "openid patient/*.rs", nonce=None)["id_token"], app_side.client_id)
    assert claims.keys() == {"iss", "aud", "sub", "iat", "exp", "auth_time"}
    for kept in (["patient/*.rs"], ["fhirUser", "patient/*.rs"]):
        told = sign_in(app_side, patient, scopes=kept)
        assert ("id_token" in told, told["scope"]) == (False, "patient/*.rs")
    lasting = sign_in(app_side, patient, f"{ASKED} offline_access")
    assert "id_token" not in app_side.refresh(lasting["refresh_token"]).get_json()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scope": "fhirUser patient/*.rs"}, "invalid_scope"),
        ({"scope": "openid fhirUser"}, "invalid_scope"),
        ({"scope": "openid profile patient/*.rs"}, "invalid_scope"),
        ({"nonce": "x" * 513}, "invalid_request"),
        ({"nonce": "\x07"}, "invalid_request"),
        ({"prompt": "none"}, "interaction_required"),
    ],
)
def test_what_cannot_be_goes_back_to_the_app(app_side: AppSide, changes: dict[str, str], error: str) -> None:
    reply = app_side.led_on(**({"scope": ASKED} | changes))
    assert (reply.status_code, query_of(reply.location)["error"]) == (303, error)


def test_an_app_that_is_not_registered_for_it_is_not_told(city: City) -> None:
    reply = AppSide(city).led_on(scope="openid patient/*.rs")
    assert query_of(reply.location)["error"] == "invalid_scope"


def test_a_server_of_records_is_told_as_the_app_was(app_side: AppSide) -> None:
    city = app_side.city
    patient, server = city.patient(), city.machine(city.hospital(), scopes=["app_tokens.introspect"])
    for scope, members in ((ASKED, {"sub", "fhirUser"}), ("openid patient/*.rs", {"sub"}), ("patient/*.rs", set())):
        told = sign_in(app_side, patient, scope)
        facts = city.client.post(
            "/oauth/introspect", data={"token": told["access_token"]}, headers=bearer(server.token)
        ).get_json()
        assert facts["active"]
        claims = verify(city, told["id_token"], app_side.client_id) if members else {}
        assert {name: facts[name] for name in ("sub", "fhirUser") if name in facts} == {
            name: claims[name] for name in members
        }


def test_a_killed_key_is_published_no_more_and_its_successor_signs(app_side: AppSide) -> None:
    city = app_side.city
    patient = city.patient()
    before = jwt.get_unverified_header(sign_in(app_side, patient)["id_token"])["kid"]
    with db.transaction() as session:
        keys.kill_key(session, before)
    assert before not in [key["kid"] for key in city.client.get("/.well-known/jwks.json").json["keys"]]
    token = sign_in(app_side, patient)["id_token"]
    assert verify(city, token, app_side.client_id)
    published = city.client.get("/.well-known/jwks.json").json["keys"]
    assert all(key.keys() == {"kty", "n", "e", "kid", "alg", "use"} for key in published)
