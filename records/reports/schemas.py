"""A report as it goes out. Numbers are texts, so that 5.10 stays 5.10."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import ConfigDict, Field

from core.api import Received, Shown


class ReportPath(Received):
    report_id: UUID


class JudgementShown(Shown):
    item: str | None = Field(description="the item in the city's dictionary; left out for a code without a meaning yet")
    item_name: str | None
    flag: str | None = Field(description="HL7 ObservationInterpretation: H, L, HH, LL, N, A ...")
    flag_source: str | None = Field(description="hospital: as sent; hospital_range: by its range; city_range: by ours")
    explanation: str | None = Field(description="what the flag means, in Chinese")
    value: Decimal | None = Field(description="in the item's unit, where it is a number that can be converted")


class VersionPath(ReportPath):
    version: int = Field(ge=1, le=32_767)


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
    component_count: int | None = Field(
        description="so many of the next lines are components of this one; 0: it is one itself; left out: neither"
    )
    judgement: JudgementShown = Field(description="what the platform adds; all other fields are as sent")


class ReportChangeShown(Shown):
    kind: str = Field(description="added, removed or changed")
    code: str
    code_system: str
    name: str
    fields: list[str] = Field(description="of a changed line: value, reference, interpretation, note, status, name")
    before: str | None = Field(description="the result as one text; left out: none")
    after: str | None


class VersionShown(Shown):
    version: int
    is_current: bool
    status: str
    issued_at: datetime | None
    filed_at: datetime
    conclusion_changed: bool
    authors_changed: bool
    changes: list[ReportChangeShown] = Field(description="against the version before")


class AttachmentPath(Received):
    report_id: UUID
    number: int = Field(ge=1, le=32767)


class AttachmentQuery(Received):
    version: int | None = Field(None, ge=1, le=32_767, description="of the report; left out: the current one")


class AttachmentShown(Shown):
    number: int = Field(
        description="from 1; its address is /api/v1/reports/{id}/attachments/{number}?version={version}"
    )
    title: str
    content_type: str = Field(description="application/pdf, image/jpeg or image/png")
    size_bytes: int


class AuthorShown(Shown):
    role: str = Field(description="performer: who measured or examined; interpreter: who says what it means")
    name: str | None
    number: str | None = Field(description="by which the hospital knows this person, where it says one")
    staff_id: UUID | None = Field(description="of somebody with an account here; left out: only said by the hospital")
    lines: list[int] | None = Field(
        None,
        description="positions of the results that name this person; [0]: all; left out: the report alone does",
    )


class ReportStudyShown(Shown):
    id: UUID = Field(description="of GET /api/v1/studies/{study_id}, and of the page /view/{study_id}")
    title: str = Field(description="as on the timeline")


class ReportShown(Shown):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "018f0000-0000-7000-8000-0000000000d1",
                "version": 1,
                "status": "final",
                "category": "laboratory",
                "code": "24323-8",
                "code_system": "http://loinc.org",
                "name": "生化全套",
                "hospital_id": "018f0000-0000-7000-8000-0000000000b1",
                "hospital_name": "市第一测试医院",
                "performed_at": "2026-03-20T00:30:00Z",
                "issued_at": "2026-03-20T02:00:00Z",
                "conclusion": None,
                "observations": [
                    {
                        "position": 1,
                        "status": "final",
                        "code": "2345-7",
                        "code_system": "http://loinc.org",
                        "name": "葡萄糖",
                        "value": "7.20",
                        "comparator": None,
                        "text": None,
                        "unit": "mmol/L",
                        "unit_code": "mmol/L",
                        "reference_low": "3.9",
                        "reference_high": "6.1",
                        "reference_text": None,
                        "interpretation": "H",
                        "note": None,
                        "component_count": None,
                        "judgement": {
                            "item": "LAB-GLU",
                            "item_name": "葡萄糖",
                            "flag": "H",
                            "flag_source": "hospital",
                            "explanation": "高于参考范围（医院判定）",
                            "value": "7.20",
                        },
                    }
                ],
                "versions": [
                    {
                        "version": 1,
                        "is_current": True,
                        "status": "final",
                        "issued_at": "2026-03-20T02:00:00Z",
                        "filed_at": "2026-03-20T02:00:05Z",
                        "conclusion_changed": False,
                        "authors_changed": False,
                        "changes": [],
                    }
                ],
                "is_current": True,
                "is_held": False,
                "sensitivity": None,
                "attachments": [
                    {"number": 1, "title": "检验报告单", "content_type": "application/pdf", "size_bytes": 48213}
                ],
                "authors": [{"role": "interpreter", "name": "李审核", "number": "1007", "staff_id": None}],
                "studies": [],
            }
        }
    )

    id: UUID
    version: int = Field(description="1, then one more with each amendment, correction or cancellation")
    status: str = Field(description="preliminary, final, amended, corrected, cancelled")
    category: str = Field(description="laboratory, imaging, other")
    code: str
    code_system: str
    name: str
    hospital_id: UUID
    hospital_name: str
    performed_at: datetime
    issued_at: datetime | None
    conclusion: str | None
    observations: list[ObservationShown]
    versions: list[VersionShown] = Field(description="all of them, the first one first")
    is_current: bool = Field(description="false: an older version was asked for")
    is_held: bool = Field(description="the patient does not see it yet; always false for a patient")
    sensitivity: str | None = Field(description="hiv, psychiatric, reproductive, genetic")
    attachments: list[AttachmentShown] = Field(
        description="documents that came inside the report, as the hospital made them"
    )
    authors: list[AuthorShown] = Field(description="who made it, as the hospital says; performers first")
    studies: list[ReportStudyShown] = Field(
        description="images of the examination, by its accession number or their study's UID: what the reader may see; "
        "newest first"
    )
