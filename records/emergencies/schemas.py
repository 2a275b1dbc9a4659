"""What opening records in an emergency takes in, and the counts that go out."""

from datetime import date, datetime
from typing import Self
from uuid import UUID

from pydantic import Field, model_validator

from consent import service as consent
from consent.emergencies import service as emergencies
from core.api import Headers, Received, Shown
from records.emergencies.service import FoundDocument

SHORTEST_TEXT, LONGEST_TEXT = 10, 1000


class EmergencyHeader(Headers):
    dpop: str | None = Field(
        None,
        alias="DPoP",
        max_length=2048,
        description="proof of a terminal that has a key (RFC 9449; docs/interfaces/terminals.md)",
    )


class EmergencyRequest(Received):
    visit_id: UUID | None = Field(None, description="the patient's open visit to this hospital")
    certificate_type: str | None = Field(
        None, pattern="^(0[1-7]|99|111)$", description="of a document found on the patient: WS 364.3 CV02.01.101"
    )
    certificate_number: str | None = Field(None, min_length=4, max_length=32, description="as read from the document")
    country: str = Field("", pattern=r"^([A-Z]{3})?$", description="of a foreign passport: ISO 3166-1 alpha-3")
    reason: emergencies.EmergencyReason = Field(
        description="life_at_risk, unconscious, cannot_answer, minor_without_guardian (Civil Code 1220, Law on Doctors "
        "27, PIPL 13(1)(4)), or public_health_duty (PIPL 13(1)(3) and (4))"
    )
    text: str = Field(min_length=SHORTEST_TEXT, max_length=LONGEST_TEXT, description="what happened; kept sealed")
    sensitivities: list[consent.Sensitivity] = Field(
        [], max_length=4, description="sensitive kinds that are needed too; with the reason life_at_risk alone"
    )
    terminal: str = Field(max_length=32, description="the enrolled terminal at which the doctor stands")
    department: str = Field(pattern="^[0-9]{4}$", description="where he acts, standard 4-digit code")
    password: str = Field(min_length=1, max_length=256, description="the doctor's own, once more")

    @model_validator(mode="after")
    def _check_one_way(self) -> Self:
        document = (self.certificate_type, self.certificate_number)
        if (self.visit_id is None) == (None in document) or (self.visit_id is not None and any(document)):
            raise ValueError("either visit_id, or certificate_type and certificate_number")
        return self

    def as_patient(self) -> UUID | FoundDocument:
        """How the patient is identified."""
        if self.visit_id is not None:
            return self.visit_id
        assert self.certificate_type is not None
        assert self.certificate_number is not None
        return FoundDocument(self.certificate_type, self.certificate_number, self.country)

    def as_cause(self) -> emergencies.Cause:
        """Why his records are opened."""
        return emergencies.Cause(self.reason, self.text, frozenset(self.sensitivities))


class EmergencyForm(EmergencyRequest):
    terminal_proof: str | None = Field(None, max_length=4096, description="what a script of the page has signed")


class OpenedEmergencyShown(Shown):
    id: UUID
    grant_id: UUID
    visit_id: UUID = Field(description="under which the doctor reads; the patient's, or a new emergency one")
    person_name: str = Field(description="masked")
    department: str = Field(description="standard 4-digit code")
    reason: str
    sensitivities: list[str] = Field(description="the sensitive kinds that are open too")
    opened_at: datetime
    ended_at: datetime = Field(description="when it will end by itself")
    review_due_at: datetime


class EmergencyCountQuery(Received):
    since: date | None = Field(None, description="the first day; 90 days before the last unless said otherwise")
    until: date | None = Field(None, description="the last day; today unless said otherwise")


class EmergencyCountShown(Shown):
    hospital_name: str
    department: str = Field(description="standard 4-digit code")
    opened: int | None = Field(description="left out: some, but fewer than 5, and the asker is not of this hospital")
    reviewed: int | None = Field(description="as opened")
    not_justified: int | None = Field(description="as opened")
    overdue: int | None = Field(description="without the review that was due; as opened")
    visits: int = Field(description="visits to the department that began in the time")
    per_thousand: float | None = Field(description="opened, of 1,000 visits")


class EmergencyCounts(Shown):
    departments: list[EmergencyCountShown]
