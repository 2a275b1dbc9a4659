"""An entry as it goes out."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ConfigDict, Field

from core.api import Received, Shown


class EntryPath(Received):
    entry_id: UUID = Field(description="`object_id` of a timeline line whose `object_kind` is entry")


class EntryLineShown(Shown):
    label: str = Field(description="in Chinese")
    text: str


class EntryDocumentPath(EntryPath):
    number: int = Field(ge=1, le=32_767)


class EntryDocumentShown(Shown):
    number: int = Field(description="from 1; its address is /api/v1/entries/{id}/documents/{number}")
    title: str
    content_type: str = Field(
        description="application/pdf, image/jpeg, image/png, text/plain; application/octet-stream: anything else"
    )


class RecordEntryShown(Shown):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "018f0000-0000-7000-8000-0000000000e1",
                "version": 1,
                "resource_type": "Immunization",
                "category": "immunization",
                "status": "completed",
                "code": "0301",
                "code_system": "urn:example:vaccine",
                "name": "乙肝疫苗",
                "hospital_name": "市疾控测试中心",
                "occurred_at": "2026-03-01T01:00:00Z",
                "documents": [],
                "lines": [{"label": "剂次", "text": "2"}, {"label": "批号", "text": "A2026-7"}],
                "content": {
                    "status": "completed",
                    "vaccineCode": {"coding": [{"system": "urn:example:vaccine", "code": "0301"}]},
                    "patient": {"reference": "Patient/018f0000-0000-7000-8000-0000000000a1"},
                    "occurrenceDateTime": "2026-03-01T09:00:00+08:00",
                    "lotNumber": "A2026-7",
                    "protocolApplied": [{"doseNumberPositiveInt": 2}],
                },
            }
        }
    )

    id: UUID
    version: int = Field(description="1, then one more with each change")
    resource_type: str = Field(description="of FHIR R4: Condition, AllergyIntolerance, Immunization ...")
    category: str = Field(description="condition, allergy, medication, immunization, procedure, document, order ...")
    status: str = Field(description="as the resource type has it; entered-in-error: withdrawn")
    code: str | None
    code_system: str | None
    name: str
    hospital_name: str
    occurred_at: datetime
    lines: list[EntryLineShown] = Field(description="what the resource says, for people to read")
    documents: list[EntryDocumentShown] = Field(description="what came inside it, of a document")
    content: dict[str, Any] = Field(description="the resource of FHIR R4 as it was accepted")
