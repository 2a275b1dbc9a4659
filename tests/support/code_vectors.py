"""Codes, keys and lists made with fixed keys.

Written from the layouts in docs/interfaces/codes.md, not with the product's own writer, so that both must be right.
"""

import base64
import hashlib
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOW = 1_795_320_000
ISSUER = "3703TEST"
PAYEE = UUID("01890000-0000-7000-8000-000000000001")
AMOUNT_FEN = 12_345
DAY = 86_400
# The order of the group of Ed25519 (RFC 8032, section 5.1).
ORDER = 2**252 + 27742317777372353535851937790883648493

CODE, DEVICE_CODE, CERTIFICATE = b"yimatong.code.v1\0", b"yimatong.code.v2\0", b"yimatong.device.v1\0"

MALFORMED, FORGED = "health_card.code_malformed", "health_card.code_forged"
EXPIRED, REVOKED = "health_card.code_expired", "health_card.code_revoked"
WRONG_CLASS, REDEEMED = "health_card.code_wrong_class", "health_card.code_redeemed"


@dataclass(frozen=True)
class Key:
    """A key pair made of its name."""

    name: str

    @property
    def kid(self) -> str:
        return hashlib.sha256(f"kid {self.name}".encode()).hexdigest()[:8]

    @property
    def seed(self) -> bytes:
        return hashlib.sha256(f"seed {self.name}".encode()).digest()

    @property
    def private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    def sign(self, text: bytes) -> bytes:
        return self.private.sign(text)


# The platform's: one signs, one was before it, one is over, one was killed. And another city's.
CURRENT, RETIRED, OVER, KILLED, STRANGER = (Key(n) for n in ("current", "retired", "over", "killed", "stranger"))
# Phones: one in use, one revoked, one that was never certified here.
PHONE, REVOKED_PHONE, UNKNOWN_PHONE = (Key(name) for name in ("phone", "revoked phone", "unknown phone"))


def card_number(name: str) -> str:
    return hashlib.sha256(f"card {name}".encode()).hexdigest().upper()


GOOD, OTHER, LOST, CANCELLED, REPLACED, BEING_MADE, RAISED, NEVER = (
    card_number(name) for name in ("good", "other", "lost", "cancelled", "replaced", "being made", "raised", "never")
)
EPOCH, RAISED_EPOCH = 3, 5


def encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def raw_of(text: str) -> bytes:
    token = text.split(":")[2]
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))


def with_raw(text: str, raw: bytes) -> str:
    return with_token(text, encode(raw))


def with_token(text: str, token: str) -> str:
    card, flag, _, issuer = text.split(":")
    return f"{card}:{flag}:{token}:{issuer}"


def code(name: str, card: str = GOOD, *, kind: bytes = b"D", key: Key = CURRENT, **changes: Any) -> str:
    """A version 1 code; ``name`` makes its nonce. ``changes``: kid, at, epoch, payee, amount_fen, issuer, domain."""
    nonce = hashlib.sha256(f"nonce {name}".encode()).digest()[:12]
    at, epoch, issuer = changes.get("at", NOW - 5), changes.get("epoch", EPOCH), changes.get("issuer", ISSUER)
    version = changes.get("version", 1)
    head = struct.pack(">Bc4sIH12s", version, kind, bytes.fromhex(changes.get("kid", key.kid)), at, epoch, nonce)
    if kind == b"P":
        head += struct.pack(">16sI", changes.get("payee", PAYEE).bytes, changes.get("amount_fen", AMOUNT_FEN))
    signature = key.sign(changes.get("domain", CODE) + head + f"{card}:{issuer}".encode())
    return f"{card}:0:{encode(head + signature)}:{issuer}"


def certificate(card: str = GOOD, *, key: Key = CURRENT, phone: Key = PHONE, **changes: Any) -> bytes:
    """A device's certificate. ``changes``: kid, since, until, epoch, domain."""
    since, until = changes.get("since", NOW - DAY), changes.get("until", NOW + 2 * DAY)
    kid, epoch = bytes.fromhex(changes.get("kid", key.kid)), changes.get("epoch", EPOCH)
    body = struct.pack(">4sIIH32s", kid, since, until, epoch, phone.public)
    return body + key.sign(changes.get("domain", CERTIFICATE) + body + f"{card}:{ISSUER}".encode())


def device_code(
    name: str, card: str = GOOD, *, phone: Key = PHONE, certified: bytes | None = None, **changes: Any
) -> str:
    """A version 2 code. ``changes``: kind, version, at, issuer, domain."""
    nonce = hashlib.sha256(f"nonce {name}".encode()).digest()[:12]
    issuer = changes.get("issuer", ISSUER)
    head = struct.pack(">Bc", changes.get("version", 2), changes.get("kind", b"D"))
    head += certified if certified is not None else certificate(card)
    head += struct.pack(">I12s", changes.get("at", NOW - 5), nonce)
    signature = phone.sign(changes.get("domain", DEVICE_CODE) + head + f"{card}:{issuer}".encode())
    return f"{card}:0:{encode(head + signature)}:{issuer}"


def key_set(**changes: Any) -> dict[str, Any]:
    keys = [
        {"kty": "OKP", "crv": "Ed25519", "x": encode(key.public), "kid": key.kid, "use": "sig", "alg": "EdDSA"} | more
        for key, more in (
            (CURRENT, {"nbf": NOW - DAY}),
            (RETIRED, {"nbf": NOW - 90 * DAY, "exp": NOW + DAY}),
            (OVER, {"nbf": NOW - 180 * DAY, "exp": NOW}),
        )
    ]
    return {"keys": keys, "issuer": ISSUER, "exp": NOW + DAY} | changes


def revocations(
    key: Key = CURRENT, *, kid: str | None = None, typ: str = "code-revocations+jwt", **changes: Any
) -> str:
    dead = sorted(short(number) for number in (LOST, CANCELLED, REPLACED))
    raised = [short(RAISED) + RAISED_EPOCH.to_bytes(2, "big")]
    claims = {
        "iss": ISSUER,
        "iat": NOW - 60,
        "exp": NOW + DAY,
        "dead": encode(b"".join(dead)),
        "raised": encode(b"".join(raised)),
    } | changes
    return jwt.encode(claims, key.private, algorithm="EdDSA", headers={"kid": kid or key.kid, "typ": typ})


def short(number: str) -> bytes:
    return hashlib.sha256(number.encode()).digest()[:8]


def good_codes() -> Iterator[dict[str, Any]]:
    for name, text, kind in (
        ("static", f"{GOOD}:1::{ISSUER}", "S"),
        ("static, short", f"{GOOD}:1", "S"),
        ("dynamic", code("good"), "D"),
        ("dynamic, of a card whose codes were ended before", code("good raised", RAISED, epoch=RAISED_EPOCH), "D"),
        ("dynamic, of the key before", code("good retired", key=RETIRED), "D"),
        ("dynamic, 59 seconds old", code("good old", at=NOW - 59), "D"),
        ("dynamic, of a clock that is 30 seconds ahead", code("good ahead", at=NOW + 30), "D"),
        ("made by a phone", device_code("good phone"), "D"),
        ("made by a phone 90 seconds ago", device_code("good phone old", at=NOW - 90), "D"),
    ):
        yield {"name": name, "text": text, "kind": kind, "card_number": text[:64]}


def stale_trusts() -> Iterator[dict[str, Any]]:
    signed = revocations()
    head, body, signature = signed.split(".")
    unsigned = encode(json.dumps({"alg": "none", "typ": "code-revocations+jwt", "kid": CURRENT.kid}).encode())
    for name, keys, texts in (
        ("list out of date", key_set(), revocations(exp=NOW)),
        ("key set out of date", key_set(exp=NOW), signed),
        ("list of another issuer", key_set(), revocations(iss="3702TEST")),
        ("list signed by a stranger", key_set(), revocations(STRANGER, kid=CURRENT.kid)),
        ("list of an unknown key", key_set(), revocations(STRANGER)),
        ("list of a key that is over", key_set(), revocations(OVER)),
        ("another kind of token", key_set(), revocations(typ="at+jwt")),
        ("list without a signature", key_set(), f"{unsigned}.{body}."),
        ("list changed", key_set(), f"{head}.{body[:-4]}AAAA.{signature}"),
        ("list cut", key_set(), signed[:-1]),
        ("no list", key_set(), ""),
        ("no keys", key_set(keys=[]), signed),
        ("nothing", {}, signed),
    ):
        yield {"name": name, "key_set": keys, "revocations": texts}


def bad(name: str, text: str, online: str | None, offline: str | None = "same", **more: Any) -> dict[str, Any]:
    """One bad code. None: there it cannot be known, or is good. ``more``: use, certificate, amount_fen, is_replay."""
    return {"name": name, "text": text, "online": online, "offline": online if offline == "same" else offline, **more}
