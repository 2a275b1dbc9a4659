"""Hospital systems sign in (RFC 6749 section 4.4, RFC 7523, SMART Backend Services): every way to be wrong."""

import base64
import hashlib
import hmac
import json
import secrets
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from accounts import service as accounts
from accounts.assertions import ASSERTION_TYPE
from accounts.models import Hospital, MachineClient
from accounts.refusals import HospitalCodeTaken
from core import clock, db
from core.actor import SYSTEM
from tests.conftest import SteppingClock
from tests.support.city import ALL_SCOPES, City, Machine, bearer


def ask(client: FlaskClient, assertion: str, **changes: str | None) -> TestResponse:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    } | changes
    return client.post("/oauth/token", data={name: value for name, value in form.items() if value is not None})


def check_refused(reply: TestResponse, code: str, error: str, status: int) -> None:
    """RFC 6749, section 5.2: the error's name, beside our own code."""
    assert (reply.status_code, reply.json["error"], reply.json["code"]) == (status, error, code)
    assert "access_token" not in reply.get_json()


def check_not_the_client(reply: TestResponse) -> None:
    check_refused(reply, "accounts.client_assertion_invalid", "invalid_client", 401)


def is_alive(city: City, token: str) -> bool:
    """A machine that is known lacks the permission for a patient's route; an unknown one is not signed in."""
    return city.client.get("/api/v1/cards", headers=bearer(token)).status_code == 403


def segment(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@pytest.fixture(scope="module")
def machine(module_city: City) -> Machine:
    return module_city.machine(module_city.hospital())


def test_a_good_assertion_gets_a_token_of_five_minutes(
    city: City, machine: Machine, stepping_clock: SteppingClock
) -> None:
    reply = ask(city.client, city.assertion(machine.client_id, machine.private_jwk))
    assert reply.status_code == 200
    assert (reply.json["token_type"], reply.json["expires_in"]) == ("Bearer", 300)
    assert reply.json["scope"] == " ".join(ALL_SCOPES)
    assert reply.headers["Cache-Control"] == "no-store"
    token = reply.json["access_token"]
    assert city.actor(token).hospital_id == machine.actor.hospital_id
    stepping_clock.forward(seconds=298)
    assert is_alive(city, token)
    stepping_clock.forward(seconds=2)
    assert not is_alive(city, token)


def wrong_claims(base_url: str, now: int) -> dict[str, dict[str, Any]]:
    """Changes to the claims, each of which alone makes an assertion worthless."""
    return {
        "another audience": {"aud": "https://elsewhere.example/oauth/token"},
        "the issuer as audience": {"aud": base_url},
        "audience with a slash more": {"aud": f"{base_url}/oauth/token/"},
        "a list of audiences": {"aud": [f"{base_url}/oauth/token"]},
        "no audience": {"aud": None},
        "longer than 300 seconds": {"exp": now + 301},
        "a day long": {"exp": now + 86_400},
        "expired": {"iat": now - 300, "exp": now},
        "expired before it began": {"exp": now - 1},
        "issued in the future": {"iat": now + 60, "exp": now + 120},
        "no exp": {"exp": None},
        "no iat": {"iat": None},
        "exp is no number": {"exp": "soon"},
        "exp is not a number": {"exp": float("nan")},
        "exp never": {"exp": float("inf")},
        "iat is a list": {"iat": [now]},
        "not before later": {"nbf": now + 4_000_000},
        "another issuer": {"iss": "somebody-else"},
        "another subject": {"sub": "somebody-else"},
        "no subject": {"sub": None},
        "no issuer": {"iss": None},
        "no jti": {"jti": None},
        "jti too short": {"jti": "1"},
        "jti too long": {"jti": "x" * 129},
        "jti is a number": {"jti": 12_345_678},
        "jti with nul": {"jti": "12345678\0"},
        "issuer with nul": {"iss": "a\0"},
        "issuer is half a character": {"iss": "\ud800"},
    }


@pytest.mark.parametrize("wrong", wrong_claims("", 0))
def test_an_assertion_with_wrong_claims_is_refused(city: City, machine: Machine, wrong: str) -> None:
    claims = wrong_claims(city.config.base_url, int(clock.now().timestamp()))[wrong]
    check_not_the_client(ask(city.client, city.assertion(machine.client_id, machine.private_jwk, **claims)))


def good_claims(city: City, machine: Machine) -> dict[str, Any]:
    assertion = city.assertion(machine.client_id, machine.private_jwk)
    return dict(jwt.decode(assertion, options={"verify_signature": False}))


def test_no_signature_and_borrowed_algorithms_are_refused(city: City, machine: Machine) -> None:
    kid, claims = machine.private_jwk["kid"], good_claims(city, machine)
    public = jwt.PyJWK(machine.private_jwk).key.public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signing = segment({"alg": "HS256", "kid": kid}) + "." + segment(claims)
    by_public_key = segment(hmac.new(pem, signing.encode(), hashlib.sha256).digest())
    for assertion in (
        segment({"alg": "none", "kid": kid}) + "." + segment(claims) + ".",
        segment({"alg": "None", "kid": kid}) + "." + segment(claims) + ".",
        segment({"kid": kid}) + "." + segment(claims) + ".",
        segment({"alg": "ES256", "kid": kid}) + "." + segment(claims) + ".",
        segment({"alg": "ES256", "kid": kid}) + "." + segment(claims) + "." + segment(bytes(64)),
        f"{signing}.{by_public_key}",
        jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": kid}),
    ):
        check_not_the_client(ask(city.client, assertion))


def test_a_weak_algorithm_is_refused_even_when_it_was_registered(city: City, machine: Machine) -> None:
    secret = segment(b"s" * 32)
    shared = {"kty": "oct", "k": secret, "kid": "k1", "alg": "HS256"}
    with db.transaction() as session:
        session.execute(update(MachineClient).where(MachineClient.id == machine.id).values(jwks={"keys": [shared]}))
    claims = good_claims(city, machine)
    assertion = jwt.encode(claims, b"s" * 32, algorithm="HS256", headers={"kid": "k1"})
    check_not_the_client(ask(city.client, assertion))


def test_only_this_clients_own_registered_key_counts(city: City, machine: Machine) -> None:
    other = city.machine(city.hospital("市第二测试医院"))
    stolen_name = other.private_jwk | {"kid": machine.private_jwk["kid"]}
    for key in (other.private_jwk, stolen_name, machine.private_jwk | {"kid": "unknown"}):
        check_not_the_client(ask(city.client, city.assertion(machine.client_id, key)))
    claims, key = good_claims(city, machine), jwt.PyJWK(machine.private_jwk).key
    for headers in ({}, {"kid": ""}, {"jwk": machine.private_jwk}, {"jku": "https://evil.example/jwks"}):
        check_not_the_client(ask(city.client, jwt.encode(claims, key, algorithm="ES256", headers=headers)))
    check_not_the_client(ask(city.client, city.assertion("nobody", machine.private_jwk)))


def test_an_altered_assertion_is_refused(city: City, machine: Machine) -> None:
    header, payload, signature = city.assertion(machine.client_id, machine.private_jwk).split(".")
    claims = good_claims(city, machine) | {"jti": secrets.token_urlsafe(16)}
    altered = [
        f"{header}.{segment(claims)}.{signature}",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{payload}",
        f"{header}.{payload}.{signature}.{signature}",
        "",
        "x",
        "..",
        segment(b"[" * 3000) + f".{payload}.{signature}",
        f"{header}." + segment(b"[" * 3000) + f".{signature}",
        f"{header}.{segment([])}.{signature}",
        "é.é.é",
    ]
    for assertion in altered:
        check_not_the_client(ask(city.client, assertion))
    assert ask(city.client, f"{header}.{payload}.{signature}").status_code == 200


def test_an_assertion_is_good_once_and_its_jti_is_per_client(city: City, machine: Machine) -> None:
    assertion = city.assertion(machine.client_id, machine.private_jwk, jti="the-same-jti")
    assert ask(city.client, assertion).status_code == 200
    check_not_the_client(ask(city.client, assertion))
    check_not_the_client(ask(city.client, city.assertion(machine.client_id, machine.private_jwk, jti="the-same-jti")))
    other = city.machine(city.hospital())
    again = city.assertion(other.client_id, other.private_jwk, jti="the-same-jti")
    assert ask(city.client, again).status_code == 200


def test_a_spent_assertion_stays_spent_as_long_as_it_could_be_used(
    city: City, machine: Machine, stepping_clock: SteppingClock
) -> None:
    assertion = city.assertion(machine.client_id, machine.private_jwk)
    assert ask(city.client, assertion).status_code == 200
    for _ in range(5):
        stepping_clock.forward(seconds=59)
        assert ask(city.client, city.assertion(machine.client_id, machine.private_jwk)).status_code == 200
        check_not_the_client(ask(city.client, assertion))


@pytest.mark.parametrize(
    "changes",
    [
        {"grant_type": "password"},
        {"grant_type": "urn:ietf:params:oauth:grant-type:device_code"},
        {"grant_type": ""},
        {"client_assertion_type": None},
        {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:saml2-bearer"},
    ],
)
def test_other_grants_are_not_supported(city: City, machine: Machine, changes: dict[str, str | None]) -> None:
    reply = ask(city.client, city.assertion(machine.client_id, machine.private_jwk), **changes)
    check_refused(reply, "accounts.grant_type_unsupported", "unsupported_grant_type", 400)


def test_a_request_without_a_grant_is_invalid(city: City) -> None:
    check_refused(city.client.post("/oauth/token"), "core.malformed_request", "invalid_request", 400)


def test_a_scope_is_never_wider_than_registered(city: City) -> None:
    machine = city.machine(city.hospital(), scopes=["system/*.write"])
    for scope in ("billing.write", "system/*.write billing.write", "system/*.*", "SYSTEM/*.WRITE"):
        reply = ask(city.client, city.assertion(machine.client_id, machine.private_jwk), scope=scope)
        check_refused(reply, "accounts.scope_not_allowed", "invalid_scope", 400)
    reply = ask(city.client, city.assertion(machine.client_id, machine.private_jwk), scope="system/*.write")
    assert reply.json["scope"] == "system/*.write"
    assert city.actor(reply.json["access_token"]).permissions == {
        "records:report:submit", "records:entry:submit", "records:fhir_bundle:send"}  # fmt: skip


@pytest.mark.parametrize("entity", [MachineClient, Hospital])
def test_who_is_switched_off_is_out_at_once(city: City, machine: Machine, entity: type[Any]) -> None:
    assert is_alive(city, machine.token)
    key = machine.id if entity is MachineClient else machine.actor.hospital_id
    with db.transaction() as session:
        session.execute(update(entity).where(entity.id == key).values(is_enabled=False))
    assert not is_alive(city, machine.token)
    check_not_the_client(ask(city.client, city.assertion(machine.client_id, machine.private_jwk)))


def test_the_metadata_says_the_same(city: City) -> None:
    told = city.client.get("/.well-known/oauth-authorization-server").get_json()
    assert told["token_endpoint"] == f"{city.config.base_url}/oauth/token"
    assert told["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "none"]
    offered = told["token_endpoint_auth_signing_alg_values_supported"]
    assert "none" not in offered
    assert not any(name.startswith("HS") for name in offered)


def test_two_hospitals_cannot_have_one_code(city: City) -> None:
    hospital = city.hospital()
    with pytest.raises(HospitalCodeTaken) as refused, db.transaction() as session:
        accounts.register_hospital(session, SYSTEM, code=hospital.code, name="市第二测试医院", level=2)
    assert refused.value.code == "accounts.hospital_code_taken"
