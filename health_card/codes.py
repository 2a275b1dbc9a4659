"""The QR code's text: national shape, signed token. Pure: no database, no clock.

===========  ====================================================================================
static       ``<64 HEX>:1`` or ``<64 HEX>:1::<issuer>``
signed       ``<64 HEX>:0:<token>:<issuer>``, the token in base64url without padding
version 1    version (1) | class (1) | kid (4) | issued at (4) | epoch (2) | nonce (12)
             | class P: payee (16) | amount in fen (4) | Ed25519 of the platform (64)
version 2    version (1) | class (1) | certificate (110) | issued at (4) | nonce (12)
             | Ed25519 of the device (64)
certificate  kid (4) | certified at (4) | expires at (4) | epoch (2) | device's public key (32)
             | Ed25519 of the platform (64)
what signs   ``yimatong.code.v1``, ``yimatong.code.v2`` or ``yimatong.device.v1``, NUL, the fields
             before the signature, card number, ``:``, issuer
===========  ====================================================================================

Times are Unix seconds; numbers are big-endian. No personal data is in a code. The signature is checked before anything
of the token is believed. A device makes class D only: what it has confirmed, only the platform can know.
"""

import base64
import binascii
import hashlib
import re
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from health_card.refusals import CodeForged, CodeMalformed

_HEAD = struct.Struct(">Bc4sIH12s")
_PAYMENT = struct.Struct(">16sI")
_CERTIFICATE = struct.Struct(">4sIIH32s")
_MOMENT = struct.Struct(">I12s")
_SIGNATURE_BYTES = 64
_CERTIFICATE_BYTES = _CERTIFICATE.size + _SIGNATURE_BYTES
_CODE_DOMAIN = b"yimatong.code.v1\0"
_DEVICE_CODE_DOMAIN = b"yimatong.code.v2\0"
_CERTIFICATE_DOMAIN = b"yimatong.device.v1\0"
_SHAPE = re.compile(r"([0-9A-F]{64}):([01])(?::([A-Za-z0-9_-]{0,256}))?(?::([0-9A-Za-z]{4,32}))?")
LONGEST = 400

# Version and class of a token -> its length in bytes.
_LENGTHS = {
    b"\x01D": _HEAD.size + _SIGNATURE_BYTES,
    b"\x01C": _HEAD.size + _SIGNATURE_BYTES,
    b"\x01P": _HEAD.size + _PAYMENT.size + _SIGNATURE_BYTES,
    b"\x02D": 2 + _CERTIFICATE_BYTES + _MOMENT.size + _SIGNATURE_BYTES,
}


class Power(StrEnum):
    """What a code can be used for."""

    REGISTER = "register"
    SHARE_RECORDS = "share_records"
    CONFIRM = "confirm"
    PAY = "pay"


# S static, D dynamic, C confirmed on the phone, P bound to payee and amount.
POWERS: Mapping[str, frozenset[Power]] = {
    "S": frozenset({Power.REGISTER}),
    # Another card that is bound to the person; it carries no code of ours.
    "M": frozenset({Power.REGISTER}),
    "D": frozenset({Power.REGISTER, Power.SHARE_RECORDS}),
    "C": frozenset({Power.REGISTER, Power.SHARE_RECORDS, Power.CONFIRM}),
    "P": frozenset({Power.PAY}),
}


@dataclass(frozen=True)
class Payment:
    """What a P code may pay: this hospital, exactly this amount."""

    payee_id: UUID
    amount_fen: int


@dataclass(frozen=True)
class DeviceCertificate:
    """The platform's word that a phone's own key may make codes for one card, from and until these times."""

    public_key: bytes
    certified_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class ReadCode:
    """What a genuine code says. ``kind``: S, D, C or P; a static one says only the card.

    :ivar nonce: what may be redeemed once. A device picks its own, so they are told apart by its key.
    """

    kind: str
    card_number: str
    issued_at: datetime | None = None
    epoch: int | None = None
    nonce: bytes | None = None
    payment: Payment | None = None
    device: DeviceCertificate | None = None

    def can(self, power: Power) -> bool:
        """Whether a code of this class has the power."""
        return power in POWERS[self.kind]


@dataclass(frozen=True)
class Signer:
    """The key that signs now."""

    kid: str
    key: Ed25519PrivateKey


def write_static(card_number: str, issuer: str) -> str:
    """The code of a printed card."""
    return f"{card_number}:1::{issuer}"


def write_dynamic(
    signer: Signer,
    *,
    card_number: str,
    epoch: int,
    issuer: str,
    issued_at: datetime,
    kind: str = "D",
    payment: Payment | None = None,
) -> str:
    """A fresh code that the platform signs.

    :param kind: D, C, or P; with P comes the payment.
    """
    nonce = secrets.token_bytes(12)
    signed = _HEAD.pack(1, kind.encode(), bytes.fromhex(signer.kid), int(issued_at.timestamp()), epoch, nonce)
    if payment is not None:
        signed += _PAYMENT.pack(payment.payee_id.bytes, payment.amount_fen)
    signature = signer.key.sign(_signed_text(_CODE_DOMAIN, signed, card_number, issuer))
    return f"{card_number}:0:{encode(signed + signature)}:{issuer}"


def nonce_of(text: str) -> bytes:
    """What tells a code that ``write_dynamic`` has written from all others."""
    _, _, token, _ = text.split(":")
    nonce: bytes = _HEAD.unpack(decode(token)[: _HEAD.size])[-1]
    return nonce


def write_certificate(
    signer: Signer,
    *,
    card_number: str,
    epoch: int,
    issuer: str,
    public_key: bytes,
    certified_at: datetime,
    expires_at: datetime,
) -> bytes:
    """Certify a device's Ed25519 key (32 bytes): it makes D codes for the card by itself until ``expires_at``."""
    times = int(certified_at.timestamp()), int(expires_at.timestamp())
    body = _CERTIFICATE.pack(bytes.fromhex(signer.kid), *times, epoch, public_key)
    return body + signer.key.sign(_signed_text(_CERTIFICATE_DOMAIN, body, card_number, issuer))


def read_code(text: str, keys: Mapping[str, Ed25519PublicKey], issuer: str) -> ReadCode:
    """Take a scanned text apart and check its signature. Time, card and device are the caller's to check.

    :raises CodeMalformed: it does not have the shape of a code.
    :raises CodeForged: of another issuer, of an unknown key, or a signature does not hold.
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
    raw = decode(token)
    length = _LENGTHS.get(raw[:2])
    if length is None:
        raise CodeForged
    if len(raw) != length:
        raise CodeMalformed
    read = _read_platform_token if raw[0] == 1 else _read_device_token
    return read(card_number, raw, keys, issuer)


def encode(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode(token: str) -> bytes:
    """:raises CodeMalformed: not base64url.

    :raises CodeForged: not the one text of these bytes: the spare bits of the last character must be zero.
    """
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError) as error:
        raise CodeMalformed from error
    if encode(raw) != token:
        raise CodeForged
    return raw


def moment(seconds: int) -> datetime:
    """Unix seconds as they stand in codes."""
    return datetime.fromtimestamp(seconds, UTC)


def _read_static(card_number: str, token: str | None, code_issuer: str | None, issuer: str) -> ReadCode:
    # "...:1:" is neither of the two shapes: one card, no third text.
    if token or (token is not None and code_issuer is None):
        raise CodeMalformed
    if code_issuer not in {None, issuer}:
        raise CodeForged
    return ReadCode("S", card_number)


def _read_platform_token(card_number: str, raw: bytes, keys: Mapping[str, Ed25519PublicKey], issuer: str) -> ReadCode:
    signed, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    _, kind, kid, issued_at, epoch, nonce = _HEAD.unpack(signed[: _HEAD.size])
    _check_signature(keys.get(kid.hex()), signature, _signed_text(_CODE_DOMAIN, signed, card_number, issuer))
    payment = None
    if kind == b"P":
        payee, amount_fen = _PAYMENT.unpack(signed[_HEAD.size :])
        payment = Payment(UUID(bytes=payee), amount_fen)
    return ReadCode(kind.decode(), card_number, moment(issued_at), epoch, nonce, payment)


def _read_device_token(card_number: str, raw: bytes, keys: Mapping[str, Ed25519PublicKey], issuer: str) -> ReadCode:
    certificate = raw[2 : 2 + _CERTIFICATE_BYTES]
    body, signature = certificate[: _CERTIFICATE.size], certificate[_CERTIFICATE.size :]
    kid, certified_at, expires_at, epoch, public_key = _CERTIFICATE.unpack(body)
    _check_signature(keys.get(kid.hex()), signature, _signed_text(_CERTIFICATE_DOMAIN, body, card_number, issuer))
    signed, signature = raw[:-_SIGNATURE_BYTES], raw[-_SIGNATURE_BYTES:]
    device_key = Ed25519PublicKey.from_public_bytes(public_key)
    _check_signature(device_key, signature, _signed_text(_DEVICE_CODE_DOMAIN, signed, card_number, issuer))
    issued_at, nonce = _MOMENT.unpack(signed[2 + _CERTIFICATE_BYTES :])
    return ReadCode(
        kind="D",
        card_number=card_number,
        issued_at=moment(issued_at),
        epoch=epoch,
        nonce=hashlib.sha256(public_key + nonce).digest()[:16],
        device=DeviceCertificate(public_key, moment(certified_at), moment(expires_at)),
    )


def _check_signature(key: Ed25519PublicKey | None, signature: bytes, signed: bytes) -> None:
    if key is None:
        raise CodeForged
    try:
        key.verify(signature, signed)
    except InvalidSignature as error:
        raise CodeForged from error


def _signed_text(domain: bytes, fields: bytes, card_number: str, issuer: str) -> bytes:
    return domain + fields + f"{card_number}:{issuer}".encode()
