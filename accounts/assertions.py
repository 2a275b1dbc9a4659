"""Client assertions (RFC 7523; private_key_jwt): how hospital systems and apps prove who they are."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import jwt

from core import clock

ALGORITHMS = ("EdDSA", "ES256", "ES384", "PS256")
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_ASSERTION_SECONDS = 300
CLOCK_SKEW_SECONDS = 30


@dataclass(frozen=True)
class Assertion:
    """What a genuine assertion says; whoever accepts it uses its ``jti`` up until it expires."""

    jti: str
    expires_at: datetime


def read_claimed_client(assertion: str) -> str:
    """Whose keys to check an assertion against; nothing of it is believed before the signature.

    :raises ValueError: it names nobody who could be one.
    """
    try:
        claimed = jwt.decode(assertion, options={"verify_signature": False}).get("iss")
    except jwt.InvalidTokenError as error:
        raise ValueError("not an assertion") from error
    if not isinstance(claimed, str) or not re.fullmatch(r"[!-~]{1,128}", claimed):
        # Any other text (U+0000, half a surrogate pair) is not even a question that the database can be asked.
        raise ValueError("not a client_id")
    return claimed


def check_assertion(assertion: str, *, client_id: str, jwks: Mapping[str, Any], audience: str) -> Assertion:
    """Check the signature by the client's own registered key, then names and times.

    :raises ValueError: any of it does not hold.
    """
    try:
        key = _registered_key(jwks, jwt.get_unverified_header(assertion))
        claims: dict[str, Any] = jwt.decode(
            assertion,
            key,
            algorithms=[key.algorithm_name],
            audience=audience,
            issuer=client_id,
            options={
                "require": ["iss", "sub", "aud", "exp", "iat", "jti"],
                "verify_exp": False,
                "verify_iat": False,
            },
        )
        _check_times_and_names(client_id, claims)
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError("the assertion does not hold") from error
    return Assertion(claims["jti"], datetime.fromtimestamp(float(claims["exp"]), UTC))


def _registered_key(jwks: Mapping[str, Any], header: Mapping[str, Any]) -> jwt.PyJWK:
    """The one registered key that the header names exactly, with the algorithm it was registered for."""
    for candidate in jwks["keys"]:
        if candidate.get("kid") == header.get("kid") and candidate.get("alg") == header.get("alg"):
            if candidate["alg"] not in ALGORITHMS:
                break
            return jwt.PyJWK(candidate)
    raise KeyError("no such key")


def _check_times_and_names(client_id: str, claims: Mapping[str, Any]) -> None:
    now = clock.now().timestamp()
    issued, expires = float(claims["iat"]), float(claims["exp"])
    if not 0 < expires - issued <= LONGEST_ASSERTION_SECONDS:
        raise ValueError("too long-lived")
    if expires <= now or issued > now + CLOCK_SKEW_SECONDS:
        raise ValueError("not valid now")
    if claims["sub"] != client_id or isinstance(claims["aud"], list):
        raise ValueError("sub must be the client, aud one address")
    if not isinstance(claims["jti"], str) or not re.fullmatch(r"[!-~]{8,128}", claims["jti"]):
        raise ValueError("jti must be a text of 8 to 128 printable characters")
