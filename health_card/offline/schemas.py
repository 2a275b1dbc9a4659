"""What desks hand in after a time without the network."""

import base64
from typing import Any, Literal

from pydantic import Field

from core.api import Received, Shown
from health_card.offline.service import Entry, Result, Submission

Outcome = Literal[
    "accepted", "double_used", "revoked", "expired", "unknown", "not_genuine", "wrong_class", "clock_wrong"
]


class OfflineEntry(Received):
    sequence: int = Field(strict=True, ge=1, le=2**31 - 1, description="1, 2, 3 ... without a gap")
    previous: str = Field(
        pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the signed text of the entry before; zeros before the first"
    )
    scanned_at: int = Field(strict=True, ge=0, le=2**32 - 1, description="Unix seconds by the desk's clock")
    code: str = Field(min_length=1, max_length=400, pattern=r"^[ -~]+$")
    signature: str = Field(
        pattern=r"^[A-Za-z0-9_-]{86}$",
        description="base64url of 64 bytes: EdDSA or ES256 (r and s) over the signed text (docs/interfaces/codes.md)",
    )

    def read(self) -> Entry:
        """The same for the service."""
        return Entry(
            sequence=self.sequence,
            previous=bytes.fromhex(self.previous),
            scanned_at=self.scanned_at,
            code=self.code,
            signature=base64.urlsafe_b64decode(self.signature + "=="),
        )


class OfflineScans(Received):
    terminal: str = Field(min_length=1, max_length=32, pattern=r"^[^\n]+$", description="of this hospital")
    key: dict[str, Any] = Field(description="the terminal's public JWK: OKP Ed25519 or EC P-256")
    entries: list[OfflineEntry] = Field(min_length=1, max_length=200)

    def read(self) -> Submission:
        """The same for the service."""
        return Submission(self.terminal, self.key, [entry.read() for entry in self.entries])


class EntryResult(Shown):
    sequence: int
    outcome: Outcome = Field(description="everything but accepted is flagged for the operator to look at")


class OfflineResults(Shown):
    results: list[EntryResult]
    next_sequence: int = Field(description="of the next new entry; what is before it may be forgotten")

    @classmethod
    def of(cls, results: list[Result], next_sequence: int) -> "OfflineResults":
        shown = [EntryResult.model_validate(result) for result in results]
        return cls(results=shown, next_sequence=next_sequence)


class CodeKey(Shown):
    """RFC 7517, RFC 8037."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    x: str
    kid: str
    use: Literal["sig"]
    alg: Literal["EdDSA"]
    nbf: int = Field(description="signs from then on (Unix seconds)")
    exp: int | None = Field(None, description="worthless from then on")


class CodeKeySet(Shown):
    keys: list[CodeKey]
    issuer: str = Field(description="the last segment of codes")
    exp: int = Field(description="a copy is good until then")
