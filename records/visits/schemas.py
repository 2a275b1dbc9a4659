"""What a desk sends and sees."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field, model_validator

from core.api import Headers, Received, Shown
from health_card import service as health_card

MedicalStep = Literal["010101", "010102", "010103", "010104", "010105", "010106", "010107"]


class Scan(Received):
    code: str | None = Field(
        None, min_length=1, max_length=400, description="the text of the QR code as the scanner typed it"
    )
    carrier_kind: health_card.CarrierKind | None = Field(
        None, description="instead of a code: another card that is bound to the person, which shares no records"
    )
    carrier_number: str | None = Field(None, min_length=4, max_length=40, description="the number of that card")
    medical_step: MedicalStep = Field(
        description="010101 register, 010102 diagnose, 010103 dispense, 010104 examine, 010105 charge, "
        "010106 prescribe, 010107 operate"
    )
    department: str = Field(
        min_length=1,
        max_length=8,
        description="standard department code, a text of 4 digits, for example 0300; where the hospital has registered "
        "departments of its own, one of them",
    )
    terminal: str = Field(min_length=1, max_length=32, description="enrolled terminal of this hospital")
    visit_kind: Literal["I", "O", "E", "H", "T"] = Field(
        "O", description="I inpatient, O outpatient, E emergency, H check-up, T other"
    )
    patient_number: str | None = Field(None, min_length=1, max_length=32, description="this hospital's own number")
    certificate_number: str | None = Field(
        None,
        min_length=4,
        max_length=32,
        description="as read from the document; needed with a static code and with a carrier",
    )
    new_visit: bool = Field(
        False, description="open a visit of its own, also where this scan would continue an open one"
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "Scan":
        if (self.code is None) == (self.carrier_kind is None) or (self.carrier_kind is None) != (
            self.carrier_number is None
        ):
            raise ValueError("send either code, or carrier_kind with carrier_number")
        return self


class ScanHeader(Headers):
    dpop: str | None = Field(
        None,
        alias="DPoP",
        max_length=2048,
        description="proof of a terminal that has a key (RFC 9449; docs/interfaces/terminals.md)",
    )


class ScanForm(Scan):
    terminal_proof: str | None = Field(None, max_length=2048, description="DPoP proof; a form carries no headers")


class PersonShown(Shown):
    name: str = Field(description="masked")
    sex: str
    birth_date: date | None
    age: int | None
    certificate_type: str | None = Field(description="WS 364.3 CV02.01.101; absent for a newborn who has none yet")
    certificate_number: str | None = Field(description="masked")
    phone: str = Field(description="masked")
    assurance: str = Field(
        description="asserted: typed by the patient; document: a desk has seen the document; bank, face: proved so"
    )
    assured_at: datetime | None = Field(description="when the identity was last checked at this level")
    assured_by: str | None = Field(description="the hospital that checked it")


class StepShown(Shown):
    at: datetime
    medical_step: str
    department: str
    code_class: str = Field(
        description="how the patient was identified: D by a dynamic code, S by a static one, E by a "
        "document found on him in an emergency ..."
    )


class CheckInShown(Shown):
    visit_id: UUID
    person: PersonShown
    patient_number: str | None
    medical_step: str = Field(description="of the last scan")
    department: str = Field(description="of the last scan")
    opened_at: datetime
    is_new: bool = Field(description="the last scan opened the visit; false: it continued one")
    steps: list[StepShown] = Field(description="the scans of this visit, at most the newest 50, the last one last")
    shares_records: bool = Field(description="false: this hospital sees no records; the patient's policy may say so")
    access_until: datetime | None = Field(description="records are shared with this hospital until then")
    asked_id: UUID | None = Field(
        description="the phone was asked and has not answered: GET /api/v1/sent-access-requests/{request_id}"
    )
    closed_at: datetime | None = Field(description="the visit has ended; a scan opens a new one")
    disowned_at: datetime | None = Field(description="the patient has said that this was somebody else")


class VisitPath(Received):
    visit_id: UUID


class DisownedVisitShown(Shown):
    visit_id: UUID
    hospital_name: str
    opened_at: datetime
    disowned_at: datetime


class ConfirmationRequest(Received):
    purpose: Literal["records", "account", "credit"] = Field(
        description="records: open records of other hospitals; account: bind an account; credit: sign up for credit"
    )


class ConfirmationAsked(Shown):
    confirmation_id: UUID
    purpose: str
    state: Literal["waiting", "confirmed", "refused", "expired"]
    expires_at: datetime


class LookUpOpened(Shown):
    look_up_id: UUID = Field(description="good for 15 minutes at this hospital")


class VisitQuery(Received):
    state: Literal["open", "closed"] = Field("open")
    before: UUID | None = Field(None, description="the id of the last visit of the page before")
    limit: int = Field(50, ge=1, le=100)


class VisitLineShown(Shown):
    visit_id: UUID
    name: str = Field(description="masked")
    kind: str = Field(description="I inpatient, O outpatient, E emergency, H check-up, T other")
    department: str = Field(description="of the last scan")
    medical_step: str = Field(description="of the last scan")
    opened_at: datetime
    closed_at: datetime | None


class VisitList(Shown):
    visits: list[VisitLineShown]
