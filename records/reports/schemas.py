"""A report as it goes out. Numbers are texts, so that 5.10 stays 5.10."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown


class ReportPath(Received):
    report_id: UUID


class ObservationShown(Shown):
    position: int
    status: str = Field(
        description="registered, preliminary, final, amended, corrected, cancelled; entered-in-error: withdrawn"
    )
    code: str
    code_system: str = Field(description="for example http://loinc.org, or as the hospital calls its own")
    name: str
    value: Decimal | None = Field(description="exact, as text")
    comparator: str | None = Field(description="< <= >= > when the value is only a bound")
    text: str | None = Field(description="a result that is no number")
    unit: str | None = Field(description="as the hospital writes it")
    unit_code: str | None = Field(description="UCUM, where the hospital says it")
    reference_low: Decimal | None
    reference_high: Decimal | None
    reference_text: str | None
    interpretation: str | None = Field(description="HL7 ObservationInterpretation: H, L, HH, LL, N, A ...")
    note: str | None


class AttachmentPath(Received):
    report_id: UUID
    number: int = Field(ge=1, le=32767)


class AttachmentShown(Shown):
    number: int = Field(description="from 1; its address is /api/v1/reports/{id}/attachments/{number}")
    title: str
    content_type: str = Field(description="application/pdf, image/jpeg or image/png")
    size_bytes: int


class ReportShown(Shown):
    id: UUID
    version: int = Field(description="1, then one more with each amendment, correction or cancellation")
    status: str = Field(description="preliminary, final, amended, corrected, cancelled")
    category: str = Field(description="laboratory, imaging, other")
    code: str
    code_system: str
    name: str
    hospital_name: str
    performed_at: datetime
    issued_at: datetime | None
    conclusion: str | None
    observations: list[ObservationShown]
    attachments: list[AttachmentShown] = Field(
        description="documents that came inside the report, as the hospital made them"
    )
