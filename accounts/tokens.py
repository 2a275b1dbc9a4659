"""Access tokens: short-lived JWTs (RFC 9068 profile) signed with the platform's own keys."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy.orm import Session

from accounts.refusals import SessionEnded
from core import clock, keys
from core.ids import new_id

PURPOSE = "access_token"
ALGORITHM = "EdDSA"
PATIENT_LIFE = timedelta(minutes=10)
MACHINE_LIFE = timedelta(minutes=5)
# Tokens whose signature need not be checked again, a process.
_REMEMBERED = 512


@dataclass(frozen=True)
class AccessToken:
    """A token as handed out."""

    text: str
    expires_at: datetime
    expires_in_seconds: int


@dataclass(frozen=True)
class Claims:
    """What a genuine token says. ``subject_kind``: patient, machine or app. Times in Unix seconds."""

    subject_kind: str
    subject_id: UUID
    session_id: UUID | None
    scopes: tuple[str, ...]
    issued_at: int
    expires_at: int


def issue_token(
    session: Session,
    *,
    issuer: str,
    subject_kind: str,
    subject_id: UUID,
    life: timedelta,
    session_id: UUID | None = None,
    scopes: tuple[str, ...] = (),
) -> AccessToken:
    """Sign an access token for a login or a machine client."""
    ring = keys.ring(session, PURPOSE)
    now = clock.now()
    claims = {
        "iss": issuer,
        "aud": issuer,
        "sub": f"{subject_kind}:{subject_id}",
        "iat": int(now.timestamp()),
        "exp": int((now + life).timestamp()),
        "jti": str(new_id()),
        "scope": " ".join(scopes),
    }
    if session_id is not None:
        claims["sid"] = str(session_id)
    headers = {"kid": ring.signing_kid, "typ": "at+jwt"}
    text = jwt.encode(claims, ring.signing_key, algorithm=ALGORITHM, headers=headers)
    return AccessToken(text, now + life, int(life.total_seconds()))


def read_token(ring: keys.Ring, text: str, *, issuer: str) -> Claims:
    """Check signature, type, issuer, audience and time, in that order.

    :param ring: of ``PURPOSE``.
    :raises SessionEnded: any of it does not hold.
    """
    try:
        kid = str(jwt.get_unverified_header(text).get("kid"))
        header, claims = _verify(text, ring.verifying_keys[kid].public_bytes_raw(), issuer)
        kind, _, subject = claims["sub"].partition(":")
        read = Claims(
            kind,
            UUID(subject),
            UUID(claims["sid"]) if "sid" in claims else None,
            tuple(claims["scope"].split()),
            int(claims["iat"]),
            int(claims["exp"]),
        )
    except (jwt.InvalidTokenError, KeyError, ValueError) as error:
        raise SessionEnded from error
    if header.get("typ") != "at+jwt" or claims["exp"] <= clock.now().timestamp():
        raise SessionEnded
    return read


@lru_cache(maxsize=_REMEMBERED)
def _verify(text: str, key: bytes, issuer: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a text that this key has signed: a machine sends one token a thousand times.

    Whether the key still counts, the time and the sender himself are looked at every time.
    """
    decoded = jwt.decode_complete(
        text,
        Ed25519PublicKey.from_public_bytes(key),
        algorithms=[ALGORITHM],
        audience=issuer,
        issuer=issuer,
        # The time is compared with our own clock, which tests can set.
        options={"require": ["exp", "iat", "sub", "jti"], "verify_exp": False, "verify_iat": False},
    )
    return decoded["header"], decoded["payload"]


def looks_like_token(text: str) -> bool:
    """Whether a bearer text is one of these tokens (three base64url parts) and not a staff session's."""
    return re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", text) is not None
