"""An entry as it goes out."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown


class EntryPath(Received):
    entry_id: UUID = Field(description="`object_id` of a timeline line whose `object_kind` is entry")


class EntryShown(Shown):
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
    content: dict[str, Any] = Field(description="the resource of FHIR R4 as it was accepted")
