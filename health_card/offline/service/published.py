"""What a desk needs to verify codes by itself: the public keys, and a signed list of what is no longer good."""

import hashlib
from datetime import timedelta
from typing import Any

import jwt
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import clock, keys
from health_card.codes import encode
from health_card.devices.service import LONGEST_LIFE
from health_card.models import Card
from health_card.service.codes import KEY_PURPOSE, signer

LIFE = timedelta(hours=24)
LIST_TYPE = "code-revocations+jwt"
# What is published moves its times in steps, so that it stays the same text while nothing changes, and caches keep it.
_STEP_SECONDS = 3600
_HASH_BYTES = 8
_EPOCH_BYTES = 2


def publish_keys(session: Session, *, issuer: str) -> dict[str, Any]:
    """The JWK Set (RFC 7517, section 5; RFC 8037, section 2) of the keys that codes are signed with.

    ``nbf``: it signs from then on; ``exp``: it is worthless from then on. ``issuer`` is the codes' last segment, and a
    copy of the set is good until ``exp``.
    """
    return {
        "keys": [_as_jwk(key) for key in keys.list_published(session, KEY_PURPOSE)],
        "issuer": issuer,
        "exp": _step() + int(LIFE.total_seconds()),
    }


def publish_revocations(session: Session, *, issuer: str) -> str:
    """The signed list (JWS compact, RFC 7515, EdDSA by the key that signs codes). Its claims:

    ``dead``: base64url of the sorted first 8 bytes of SHA-256 of each number of a card that is lost, cancelled or
    replaced. Cards that are being made never had a code. ``raised``: the same 8 bytes and the smallest epoch still good
    (2 bytes, big-endian), of cards whose epoch was raised while an older certificate of a device may live.
    11 and 14 characters a card: with 1 in 100 of 4.7 million cards dead, half a megabyte.
    """
    issued_at = _step()
    claims = {
        "iss": issuer,
        "iat": issued_at,
        "exp": issued_at + int(LIFE.total_seconds()),
        "dead": encode(b"".join(_list_dead(session))),
        "raised": encode(b"".join(_list_raised(session))),
    }
    signing = signer(session)
    return jwt.encode(claims, signing.key, algorithm="EdDSA", headers={"kid": signing.kid, "typ": LIST_TYPE})


def _step() -> int:
    return int(clock.now().timestamp()) // _STEP_SECONDS * _STEP_SECONDS


def _as_jwk(key: keys.PublishedKey) -> dict[str, Any]:
    jwk = {
        "kty": "OKP",
        "crv": "Ed25519",
        "x": encode(key.public_key),
        "kid": key.kid,
        "use": "sig",
        "alg": "EdDSA",
        "nbf": int(key.signs_at.timestamp()),
    }
    return jwk if key.expires_at is None else jwk | {"exp": int(key.expires_at.timestamp())}


def _list_dead(session: Session) -> list[bytes]:
    # Written as the partial index is, or the planner would not see that it fits.
    numbers = session.scalars(select(Card.number).where(text("(state IN (2, 3) OR replaced_at IS NOT NULL)")))
    return sorted(_shorten(number) for number in numbers)


def _list_raised(session: Session) -> list[bytes]:
    since = clock.now() - LONGEST_LIFE - timedelta(seconds=_STEP_SECONDS)
    rows = session.execute(select(Card.number, Card.epoch).where(Card.epoch_raised_at > since))
    return sorted(_shorten(number) + epoch.to_bytes(_EPOCH_BYTES) for number, epoch in rows)


def _shorten(number: str) -> bytes:
    return hashlib.sha256(number.encode()).digest()[:_HASH_BYTES]
