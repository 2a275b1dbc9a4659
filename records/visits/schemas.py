"""What a desk sends and sees."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown

MedicalStep = Literal["010101", "010102", "010103", "010104", "010105", "010106", "010107"]


class Scan(Received):
    code: str = Field(min_length=1, max_length=400, description="the text of the QR code as the scanner typed it")
    medical_step: MedicalStep = Field(
        description="010101 register, 010102 diagnose, 010103 dispense, 010104 examine, 010105 charge, "
        "010106 prescribe, 010107 operate"
    )
    department: str = Field(
        min_length=1, max_length=8, description="standard department code, a text of 4 digits, for example 0300"
    )
    terminal: str = Field(min_length=1, max_length=32, description="enrolled terminal of this hospital")
    visit_kind: Literal["I", "O", "E", "H", "T"] = Field(
        "O", description="I inpatient, O outpatient, E emergency, H check-up, T other"
    )
    patient_number: str | None = Field(None, min_length=1, max_length=32, description="this hospital's own number")
    certificate_number: str | None = Field(
        None, min_length=4, max_length=32, description="as read from the document; needed with a static code"
    )
    new_visit: bool = Field(
        False, description="open a visit of its own, also where this scan would continue an open one"
    )


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


class StepShown(Shown):
    at: datetime
    medical_step: str
    department: str
    code_class: str = Field(description="how the patient was identified: D by a dynamic code, S by a static one ...")


class CheckInShown(Shown):
    visit_id: UUID
    person: PersonShown
    patient_number: str | None
    medical_step: str = Field(description="of the last scan")
    department: str = Field(description="of the last scan")
    opened_at: datetime
    is_new: bool = Field(description="the last scan opened the visit; false: it continued one")
    steps: list[StepShown] = Field(description="the scans of this visit, at most the newest 50, the last one last")
    access_until: datetime | None = Field(description="records are shared with this hospital until then")
    closed_at: datetime | None = Field(description="the visit has ended; a scan opens a new one")
    disowned_at: datetime | None = Field(description="the patient has said that this was somebody else")


class VisitPath(Received):
    visit_id: UUID


class DisownedVisitShown(Shown):
    visit_id: UUID
    hospital_name: str
    opened_at: datetime
    disowned_at: datetime


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
