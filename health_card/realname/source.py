"""The real-name source: does a name belong to a certificate number, and whom did a face or bank check prove.

The contract is ours (docs/interfaces/realname.md); whoever connects a source puts a small gateway in front of it.
"""

import base64
import hashlib
import json
import secrets
from datetime import timedelta
from enum import StrEnum
from typing import Literal, TypeVar
from uuid import UUID

import jwt
import requests
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from core import clock, observe
from core.config import RealNameAccess
from core.ids import new_id
from health_card.realname.models import Outcome

_TIMEOUT_SECONDS = (2.0, 3.0)
_TOKEN_SECONDS = 60
_LARGEST_REPLY_BYTES = 16 * 1024
# An answer from the future is a broken clock or a broken source.
_SKEW = timedelta(minutes=5)


class RealNameUnavailable(Exception):
    """No answer that can be believed: nothing is known about the person."""


class Method(StrEnum):
    """How somebody proved at the source who he is."""

    FACE = "face"
    BANK = "bank"


class Proof(StrEnum):
    """Whether a check proved the identity asked about. ``unknown``: no such token, used before, or too old."""

    AGREED = "agreed"
    DISAGREED = "disagreed"
    UNKNOWN = "unknown"


class Answer(BaseModel):
    """What the source knows about name and number."""

    request_id: UUID
    result: Outcome
    reference: str = Field(min_length=1, max_length=128, pattern=r"^[!-~]+$")
    checked_at: AwareDatetime


class Verification(BaseModel):
    """What a face or bank check at the source proved, and when."""

    request_id: UUID
    result: Proof
    method: Method
    reference: str = Field(min_length=1, max_length=128, pattern=r"^[!-~]+$")
    checked_at: AwareDatetime


Reply = TypeVar("Reply", Answer, Verification)
Path = Literal["/realname/v1/checks", "/realname/v1/verifications"]


class RealNameSource:
    """One source. Never used inside a transaction: every call may take seconds."""

    def __init__(self, access: RealNameAccess) -> None:
        self._access = access

    @property
    def name(self) -> str:
        """What stands beside the source's references."""
        return self._access.base_url

    def check(self, *, name: str, certificate_type: str, number: str) -> Answer:
        """Ask whether the name belongs to the number.

        :param certificate_type: WS 364.3 CV02.01.101.
        :raises RealNameUnavailable: no answer, or none that can be understood.
        """
        sent = {"name": name, "certificate_type": certificate_type, "number": number}
        return self._ask("/realname/v1/checks", sent, Answer)

    def check_face(self, token: str, *, name: str, certificate_type: str, number: str) -> Verification:
        """Ask whether the face check of this token, made on the phone, proved this identity.

        :raises RealNameUnavailable: as ``check``.
        """
        return self._verify(Method.FACE, token, (certificate_type, number, name))

    def check_bank(self, token: str, *, name: str, certificate_type: str, number: str) -> Verification:
        """As ``check_face``, for a check against a bank account.

        :raises RealNameUnavailable: as ``check``.
        """
        return self._verify(Method.BANK, token, (certificate_type, number, name))

    def _verify(self, method: Method, token: str, identity: tuple[str, str, str]) -> Verification:
        # The source is told a salted fingerprint only: of somebody whom it did not verify it learns nothing.
        salt = secrets.token_hex(16)
        sent = {"method": method, "token": token, "salt": salt, "identity_digest": digest_identity(salt, *identity)}
        verification = self._ask("/realname/v1/verifications", sent, Verification)
        if verification.method != method:
            raise RealNameUnavailable
        return verification

    def _ask(self, path: Path, content: dict[str, str], schema: type[Reply]) -> Reply:
        request_id = new_id()
        body = json.dumps({"request_id": str(request_id), **content}, ensure_ascii=False).encode()
        try:
            with requests.post(
                f"{self._access.base_url}{path}",
                data=body,
                headers={
                    "Authorization": f"Bearer {self._sign(path, body)}",
                    "Content-Type": "application/json",
                    "User-Agent": "yimatong",
                },
                timeout=_TIMEOUT_SECONDS,
                allow_redirects=False,
                stream=True,
            ) as reply:
                reply.raise_for_status()
                answer = schema.model_validate_json(reply.raw.read(_LARGEST_REPLY_BYTES, decode_content=True))
        except (requests.RequestException, OSError, ValidationError) as error:
            # Neither what was asked nor what was answered: both are about a person.
            observe.log.warning("realname.unavailable", error=type(error).__name__)
            raise RealNameUnavailable from None
        if reply.status_code != 200 or answer.request_id != request_id or answer.checked_at > clock.now() + _SKEW:
            observe.log.warning("realname.answer_unfit", status=reply.status_code)
            raise RealNameUnavailable
        return answer

    def _sign(self, path: Path, body: bytes) -> str:
        """A JWT (RFC 7519, EdDSA) bound to this one request: its address and the digest of its body."""
        now = int(clock.now().timestamp())
        claims = {
            "iss": self._access.client_id,
            "aud": f"{self._access.base_url}{path}",
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "jti": secrets.token_urlsafe(16),
            "body_sha256": base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode(),
        }
        return jwt.encode(claims, self._access.key, algorithm="EdDSA")


def digest_identity(salt: str, certificate_type: str, number: str, name: str) -> str:
    """The fingerprint of an identity under a salt: hexadecimal SHA-256 of the four texts, a zero byte between each."""
    return hashlib.sha256("\0".join((salt, certificate_type, number, name)).encode()).hexdigest()
