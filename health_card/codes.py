"""The QR code's text: national shape, signed token. Pure: no database, no clock.

==========  =================================================================================
static      ``<64 HEX>:1`` or ``<64 HEX>:1::<issuer>``
dynamic     ``<64 HEX>:0:<token>:<issuer>``
token       base64url(version (1) | class (1) | kid (4) | issued at (4) | epoch (2) | nonce (12) | Ed25519 (64))
signed      ``yimatong.code.v1`` NUL, the token's first 24 bytes, card number, ``:``, issuer
==========  =================================================================================

No personal data is in it. The signature is checked before anything of the token is believed.
"""

import base64
import binascii
import re
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from health_card.refusals import CodeForged, CodeMalformed

_VERSION = 1
_HEAD = struct.Struct(">Bc4sIH12s")
_SIGNATURE_BYTES = 64
_DOMAIN = b"yimatong.code.v1\0"
_SHAPE = re.compile(r"([0-9A-F]{64}):([01])(?::([A-Za-z0-9_-]{0,256}))?(?::([0-9A-Za-z]{4,32}))?")
LONGEST = 400


@dataclass(frozen=True)
class ReadCode:
    """What a genuine code says. ``kind``: D dynamic, S static; a static one says only the card."""

    kind: str
    card_number: str
    issued_at: datetime | None = None
    epoch: int | None = None
    nonce: bytes | None = None


@dataclass(frozen=True)
class Signer:
    """The key that signs now."""

    kid: str
    key: Ed25519PrivateKey


def write_static(card_number: str, issuer: str) -> str:
    """The code of a printed card."""
    return f"{card_number}:1::{issuer}"


def write_dynamic(signer: Signer, *, card_number: str, epoch: int, issuer: str, issued_at: datetime) -> str:
    """A fresh dynamic code (class D)."""
    nonce = secrets.token_bytes(12)
    head = _HEAD.pack(_VERSION, b"D", bytes.fromhex(signer.kid), int(issued_at.timestamp()), epoch, nonce)
    signature = signer.key.sign(_signed_text(head, card_number, issuer))
    return f"{card_number}:0:{_encode(head + signature)}:{issuer}"


def read_code(text: str, keys: Mapping[str, Ed25519PublicKey], issuer: str) -> ReadCode:
    """Take a scanned text apart and check its signature.

    :raises CodeMalformed: it does not have the shape of a code.
    :raises CodeForged: of another issuer, of an unknown key, or the signature does not hold.
    """
    shape = _SHAPE.fullmatch(text) if len(text) <= LONGEST else None
    if shape is None:
        raise CodeMalformed
    card_number, flag, token, code_issuer = shape.groups()
    if flag == "1":
        return _read_static(card_number, token, code_issuer, issuer)
    if not token or not code_issuer:
        raise CodeMalformed
    if code_issuer != issuer:
        raise CodeForged
    return _read_token(card_number, token, keys, issuer)


def _read_static(card_number: str, token: str | None, code_issuer: str | None, issuer: str) -> ReadCode:
    # "...:1:" is neither of the two shapes: one card, no third text.
    if token or (token is not None and code_issuer is None):
        raise CodeMalformed
    if code_issuer not in {None, issuer}:
        raise CodeForged
    return ReadCode("S", card_number)


def _read_token(card_number: str, token: str, keys: Mapping[str, Ed25519PublicKey], issuer: str) -> ReadCode:
    raw = _decode(token)
    if len(raw) != _HEAD.size + _SIGNATURE_BYTES:
        raise CodeMalformed
    head, signature = raw[: _HEAD.size], raw[_HEAD.size :]
    version, kind, kid, issued_at, epoch, nonce = _HEAD.unpack(head)
    key = keys.get(kid.hex())
    if version != _VERSION or kind != b"D" or key is None:
        raise CodeForged
    try:
        key.verify(signature, _signed_text(head, card_number, issuer))
    except InvalidSignature as error:
        raise CodeForged from error
    return ReadCode("D", card_number, datetime.fromtimestamp(issued_at, UTC), epoch, nonce)


def _signed_text(head: bytes, card_number: str, issuer: str) -> bytes:
    return _DOMAIN + head + f"{card_number}:{issuer}".encode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(token: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError) as error:
        raise CodeMalformed from error
    if _encode(raw) != token:
        # One token, one text: spare bits of the last character must be zero.
        raise CodeForged
    return raw
