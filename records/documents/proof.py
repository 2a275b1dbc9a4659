"""What the platform signs when it gives a report out as a document. Pure: no database, no clock.

==========  ========================================================================================
content     the version as JSON: keys sorted, no spaces, UTF-8; decimals and times as texts
hash        SHA-256 of the content
what signs  ``yimatong.document.v1``, NUL, number (12 characters), Unix seconds of issue (8 bytes), hash
number      12 characters of Crockford's base 32, random: 60 bits
==========  ========================================================================================
"""

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from core import canonical_json
from records.reports.authors import Author
from records.reports.service import ObservationView, ReportView

PURPOSE = "document"
# Crockford's base 32: no I, L, O, U.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH = 12
_LOOK_ALIKE = str.maketrans("OIL", "011", " -\u2010\u2013\u2014")
_CONTEXT = b"yimatong.document.v1\0"

# By name, so that a field which a report has some day does not make older documents wrong.
_OF_REPORT = "id person_id hospital_id version status category code code_system name performed_at issued_at conclusion"
_OF_LINE = (
    "position status code code_system name value comparator text unit unit_code reference_low reference_high "
    "reference_text interpretation note"
)


def new_number() -> str:
    """A number for a document, not to be guessed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def show_number(number: str) -> str:
    """As it is printed: 0A1B-2C3D-4E5F."""
    return "-".join(number[start : start + 4] for start in range(0, _LENGTH, 4))


def read_number(written: str) -> str | None:
    """The number that somebody typed or scanned, whatever the dashes, spaces and look-alikes; None: it is none."""
    number = written.strip().upper().translate(_LOOK_ALIKE)
    return number if len(number) == _LENGTH and set(number) <= set(_ALPHABET) else None


def hash_content(report: ReportView) -> bytes:
    """The fingerprint of what a version says, 32 bytes."""
    content: dict[str, Any] = {name: _as_text(getattr(report, name)) for name in _OF_REPORT.split()}
    content["observations"] = [
        {name: _as_text(getattr(line, name)) for name in _OF_LINE.split()} | _of_components(line)
        for line in report.observations
    ]
    # Only what is there: older documents had no such field.
    content |= {"authors": [_of_author(one) for one in report.authors]} if report.authors else {}
    return hashlib.sha256(canonical_json.write(content)).digest()


def _of_components(line: ObservationView) -> dict[str, int]:
    return {} if line.component_count is None else {"component_count": line.component_count}


def _of_author(author: Author) -> dict[str, Any]:
    return {name: value for name, value in vars(author).items() if name != "lines" or value is not None}


def sign(sign_bytes: Callable[[bytes], bytes], *, number: str, issued_at: datetime, content_hash: bytes) -> bytes:
    """The signature of a document, 64 bytes.

    :param sign_bytes: of the Ed25519 key that signs.
    """
    return sign_bytes(_signed(number, issued_at, content_hash))


def is_signed_by(
    key: Ed25519PublicKey, signature: bytes, *, number: str, issued_at: datetime, content_hash: bytes
) -> bool:
    """Whether this key signed exactly this."""
    try:
        key.verify(signature, _signed(number, issued_at, content_hash))
    except InvalidSignature:
        return False
    return True


def _signed(number: str, issued_at: datetime, content_hash: bytes) -> bytes:
    return _CONTEXT + number.encode("ascii") + int(issued_at.timestamp()).to_bytes(8, "big") + content_hash


def _as_text(value: object) -> object:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return str(int(value.timestamp() * 1_000_000))
    return str(value) if isinstance(value, UUID) else value
