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
    department: str = Field(pattern=r"^[0-9]{4}$", description="standard department code, for example 0300")
    terminal: str = Field(min_length=1, max_length=32, description="enrolled terminal of this hospital")
    visit_kind: Literal["I", "O", "E", "H", "T"] = Field(
        "O", description="I inpatient, O outpatient, E emergency, H check-up, T other"
    )
    patient_number: str | None = Field(None, min_length=1, max_length=32, description="this hospital's own number")
    certificate_number: str | None = Field(
        None, min_length=4, max_length=32, description="as read from the document; needed with a static code"
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


class CheckInShown(Shown):
    visit_id: UUID
    person: PersonShown
    patient_number: str | None
    medical_step: str
    department: str
    opened_at: datetime
    access_until: datetime | None = Field(description="records are shared with this hospital until then")
    disowned_at: datetime | None = Field(description="the patient has said that this was somebody else")


class VisitPath(Received):
    visit_id: UUID


class DisownedVisitShown(Shown):
    visit_id: UUID
    hospital_name: str
    opened_at: datetime
    disowned_at: datetime
