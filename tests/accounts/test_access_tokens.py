"""Access tokens: whatever is altered, borrowed or made elsewhere is not signed in."""

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from accounts import tokens
from core import clock, db, keys
from core.ids import new_id
from health_card.service.codes import KEY_PURPOSE
from tests.support.city import City, bearer


def status(city: City, token: str) -> int:
    reply = city.client.get("/api/v1/cards", headers=bearer(token))
    assert reply.status_code in {200, 401, 403}
    return reply.status_code


def platform_ring(purpose: str = tokens.PURPOSE) -> keys.Ring:
    with db.transaction() as session:
        return keys.ring(session, purpose)


def claims_of(token: str) -> dict[str, Any]:
    return dict(jwt.decode(token, options={"verify_signature": False}))


def sign(claims: dict[str, Any], **headers: str) -> str:
    """A token signed with the platform's own key: only what it says can be wrong with it."""
    ring = platform_ring()
    wanted = {"kid": ring.signing_kid, "typ": "at+jwt"} | headers
    return jwt.encode(claims, ring.signing_key, algorithm="EdDSA", headers=wanted)


def test_a_token_signed_as_the_platform_does_is_accepted(city: City) -> None:
    assert status(city, sign(claims_of(city.login()[0]))) == 200


def test_every_altered_character_is_noticed(city: City) -> None:
    token = city.login()[0]
    for place in range(0, len(token), 3):
        other = "A" if token[place] != "A" else "B"
        altered = token[:place] + other + token[place + 1 :]
        if same_bytes(altered, token):
            continue
        assert status(city, altered) == 401, place


def same_bytes(one: str, other: str) -> bool:
    """The last character of a base64url part may have spare bits."""
    return [decode(part) for part in one.split(".")] == [decode(part) for part in other.split(".")]


def decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "https://elsewhere.example"},
        {"aud": None},
        {"exp": None},
        {"exp": 1},
        {"iat": None},
        {"jti": None},
        {"sub": None},
        {"sub": "patient:not-a-uuid"},
        {"sub": "patient"},
        {"sub": "staff:00000000-0000-0000-0000-000000000000"},
        {"sub": "system:00000000-0000-0000-0000-000000000000"},
        {"sub": f"patient:{new_id()}"},
        {"sub": f"machine:{new_id()}"},
        {"sid": None},
        {"sid": str(new_id())},
        {"sid": "x"},
        {"scope": None},
    ],
)
def test_a_genuine_signature_on_wrong_claims_is_not_enough(city: City, changes: dict[str, Any]) -> None:
    claims = claims_of(city.login()[0]) | changes
    assert status(city, sign({name: value for name, value in claims.items() if value is not None})) == 401


def test_a_session_of_another_login_is_not_mine(city: City) -> None:
    mine, other = claims_of(city.login()[0]), claims_of(city.login()[0])
    assert status(city, sign(mine | {"sid": other["sid"]})) == 401


@pytest.mark.parametrize("headers", [{"typ": "JWT"}, {"kid": "00000000"}, {"kid": ""}])
def test_another_type_or_key_is_refused(city: City, headers: dict[str, str]) -> None:
    assert status(city, sign(claims_of(city.login()[0]), **headers)) == 401


def test_other_keys_and_other_algorithms_are_refused(city: City) -> None:
    claims, ring = claims_of(city.login()[0]), platform_ring()
    headers = {"kid": ring.signing_kid, "typ": "at+jwt"}
    public = ring.signing_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    header = encode({"alg": "none"} | headers)
    code_ring = platform_ring(KEY_PURPOSE)
    made = [
        jwt.encode(claims, Ed25519PrivateKey.generate(), algorithm="EdDSA", headers=headers),
        jwt.encode(claims, public, algorithm="HS256", headers=headers),
        f"{header}.{encode(claims)}.",
        f"{header}.{encode(claims)}.AA",
        # The key that signs QR codes, under its own name and under that of the right one.
        jwt.encode(claims, code_ring.signing_key, algorithm="EdDSA", headers=headers),
        jwt.encode(claims, code_ring.signing_key, algorithm="EdDSA", headers=headers | {"kid": code_ring.signing_kid}),
    ]
    assert [status(city, token) for token in made] == [401] * len(made)


def encode(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_killed_key_ends_every_token_that_it_signed(city: City) -> None:
    token, kid = city.login()[0], platform_ring().signing_kid
    with db.transaction() as session:
        keys.add_key(session, tokens.PURPOSE)
        keys.kill_key(session, kid)
    keys.forget_rings()
    assert status(city, token) == 401
    assert status(city, city.login()[0]) == 200


def test_a_machines_token_carries_no_more_than_its_scopes(city: City) -> None:
    machine = city.machine(city.hospital(), scopes=["dicomweb.write"])
    assert machine.actor.permissions == {"records:image:submit"}
    unknown = sign(claims_of(machine.token) | {"scope": "everything system/*.delete"})
    assert city.actor(unknown).permissions == frozenset()
    assert status(city, machine.token) == 403


def test_tokens_live_no_longer_than_they_should() -> None:
    assert timedelta(0) < tokens.MACHINE_LIFE <= timedelta(minutes=5)
    assert timedelta(0) < tokens.PATIENT_LIFE <= timedelta(minutes=15)
    assert clock.now().tzinfo is not None
