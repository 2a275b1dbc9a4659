"""The quarantine as it is asked for and shown."""

from datetime import date, datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from core import clock
from core.api import Received, Shown
from records.quarantine.service import Filter


class QuarantineQuery(Received):
    state: Literal["quarantined", "dismissed"] = "quarantined"
    reason: str | None = Field(None, max_length=64, description="the code of the refusal that put it aside")
    channel: Literal["fhir", "hl7v2", "dicomweb", "dicom", "upload"] | None = None
    since: date | None = Field(None, description="received on this day of the city or later")
    until: date | None = Field(None, description="received on this day of the city or before")
    before: UUID | None = Field(None, description="the id of the last line of the page before")
    limit: int = Field(50, ge=1, le=200)

    def as_filter(self) -> Filter:
        """Days of the city become moments."""
        return Filter(self.state, self.reason, self.channel, *clock.bounds_of_days(self.since, self.until))


class MessagePath(Received):
    message_id: UUID


class ContentQuery(Received):
    purpose: Literal["support", "complaint", "audit"] | None = Field(
        None, description="why the content is opened; the operator must say it, and it is recorded"
    )


class MessageShown(Shown):
    id: UUID
    hospital_name: str
    channel: str = Field(description="fhir, hl7v2, dicomweb, dicom (a document among the images) or upload")
    state: str = Field(description="quarantined, dismissed or accepted")
    reason: str | None = Field(description="the code of the refusal, for example records.person_not_matched")
    message_key: str | None = Field(description="the sender's own id of the message")
    received_at: datetime
    resolution: str | None = Field(description="replayed, assigned or dismissed; absent while it waits")
    resolution_reason: str | None = Field(description="the code that was given for it")
    resolved_at: datetime | None


class Quarantine(Shown):
    messages: list[MessageShown]


class ReasonCount(Shown):
    reason: str
    messages: int


class ReasonCounts(Shown):
    reasons: list[ReasonCount]


class ContentShown(Shown):
    text: str = Field(description="decoded; JSON indented, HL7 v2 a line a segment, DICOM its attributes")
    is_cut: bool = Field(description="only the first 100,000 characters are shown")


class AssignmentForm(Received):
    card_number: str | None = Field(None, pattern=r"^[0-9A-Fa-f]{64}$")
    patient_number: str | None = Field(None, min_length=1, max_length=64, description="of this hospital")
    why: Literal["number_wrong", "number_missing", "details_wrong", "number_merged"]
    is_confirmed: bool = Field(
        False, description="it was looked at: a name, sex or birth date that differs is a mistake of the sender"
    )

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        if (self.card_number is None) == (self.patient_number is None):
            raise ValueError("either card_number or patient_number is expected")
        return self

    @property
    def number(self) -> tuple[str, str]:
        """Its kind, and the number."""
        return ("card_number", self.card_number) if self.card_number else ("patient_number", self.patient_number or "")


class DismissalForm(Received):
    why: Literal["duplicate", "superseded", "sent_by_mistake", "test_data", "not_registered"]


class ResolvedShown(Shown):
    id: UUID
    state: str = Field(description="accepted, dismissed, or quarantined: it was refused again")
    reason: str | None = Field(description="the code of the refusal when it still waits or was dismissed")


class BulkReplayForm(Received):
    reason: str = Field(max_length=64, pattern=r"^[a-z_]+\.[a-z0-9_]+$", description="the code of a refusal")


class BulkReplayPath(Received):
    replay_id: UUID


class BulkReplayShown(Shown):
    id: UUID
    reason: str
    filed: int = Field(description="messages that left quarantine")
    kept: int = Field(description="messages that were refused again")
    created_at: datetime
    ended_at: datetime | None
