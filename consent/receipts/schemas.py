"""Erasure requests and receipts as they come in and go out."""

from datetime import date, datetime
from uuid import UUID

from pydantic import AwareDatetime, Field

from consent.receipts.models import Erased, KeptReason, Outcome
from core.api import Received, Shown


class ErasureQuery(Received):
    before: UUID | None = Field(None, description="the id of the last one of the page before")
    is_open: bool | None = Field(None, description="true: only those without a receipt; false: only those with one")


class OwnErasureQuery(Received):
    before: UUID | None = Field(None, description="the id of the last one of the page before")
    grant_id: UUID | None = Field(None, description="only of this grant")


class ErasurePath(Received):
    request_id: UUID


class ReceiptReceived(Received):
    receipt: str = Field(
        min_length=1,
        max_length=8192,
        description="JWS compact (RFC 7515), typ erasure-receipt+jws, ES256, ES384 or EdDSA, by a key registered for "
        "this client; its payload is the canonical JSON of an ErasureStatement (RFC 8785)",
    )


class ErasureStatement(Received):
    """What a receipt says."""

    request_id: UUID
    grant_id: UUID
    grant_version: int
    outcome: Outcome
    erased: list[Erased] = Field(max_length=len(Erased))
    erased_at: AwareDatetime | None = None
    kept_reason: KeptReason | None = None
    kept_until: date | None = None


class ReceiptShown(Shown):
    outcome: str = Field(description="erased, partly_kept or kept")
    erased: list[str] = Field(description="of reports, entries, images, demographics")
    erased_at: datetime | None
    kept_reason: str | None = Field(description="medical_record, other_grant, dispute or legal_order")
    kept_until: date | None
    received_at: datetime
    signed_by: str = Field(description="the hospital's system, by name")
    kid: str = Field(description="which of its registered keys signed")
    jws: str = Field(description="the receipt whole, as it was signed")


class ErasureShown(Shown):
    id: UUID
    grant_id: UUID
    grant_version: int = Field(description="the version by which the grant had ended")
    person_id: UUID
    person_name: str | None = Field(description="masked; told to the patient alone")
    patient_number: str | None = Field(description="the hospital's own; told to the hospital alone")
    hospital_name: str
    cause: str = Field(description="revoked or expired")
    copies: int = Field(description="reads of the hospital's systems under the grant since it was asked last")
    last_copied_at: datetime
    asked_at: datetime
    due_at: datetime
    is_overdue: bool
    reminders: int
    receipt: ReceiptShown | None


class ErasureList(Shown):
    erasures: list[ErasureShown]
