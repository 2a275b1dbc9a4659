"""A timeline page as it goes out."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import AwareDatetime, ConfigDict, Field

from core.api import Received, Shown
from records.life.stages import Stage
from records.timeline.service import TimelineFilter


class PageQuery(Received):
    before: UUID | None = Field(None, description="the id of the last line of the page before")
    limit: int = Field(30, ge=1, le=100, json_schema_extra={"example": 30})
    kind: Literal["report", "study", "entry"] | None = Field(None, json_schema_extra={"example": "report"})
    category: str | None = Field(
        None,
        max_length=32,
        pattern=r"^[a-z_-]+$",
        description="laboratory, imaging ...",
        json_schema_extra={"example": "laboratory"},
    )
    hospital_id: UUID | None = Field(None, json_schema_extra={"example": "018f0000-0000-7000-8000-0000000000b1"})
    occurred_from: AwareDatetime | None = Field(
        None,
        description="at this moment or later, with its zone",
        json_schema_extra={"example": "2026-01-01T00:00:00+08:00"},
    )
    occurred_until: AwareDatetime | None = Field(
        None,
        description="before this moment, with its zone",
        json_schema_extra={"example": "2027-01-01T00:00:00+08:00"},
    )
    stage: Stage | None = Field(
        None, description="of the person's life (see /api/v1/life)", json_schema_extra={"example": "pregnancy"}
    )

    def as_filter(self) -> TimelineFilter:
        """Without the stage, whose times the person's life tells."""
        return TimelineFilter(**{name: value for name, value in self if name not in {"before", "limit", "stage"}})


class OwnPageQuery(PageQuery):
    person_id: UUID | None = Field(
        None, description="left out: everybody for whom the login acts; with a stage: the login's own person"
    )
    is_unread: bool = Field(
        False, description="only what the login has not opened", json_schema_extra={"example": True}
    )


class VisitOfItemShown(Shown):
    id: UUID
    kind: str = Field(description="I inpatient, O outpatient, E emergency, H check-up, T other")
    department: str = Field(description="standard 4-digit code")
    opened_at: datetime
    hospital_name: str


class TimelineItemShown(Shown):
    id: UUID
    person_id: UUID
    object_kind: str = Field(description="report, study or entry")
    object_id: UUID
    version: int = Field(description="of the report; an amendment or correction makes the next one")
    category: str = Field(
        description="laboratory, imaging ...; of entries: condition, allergy, medication, immunization ..."
    )
    title: str
    status: str
    hospital_id: UUID
    hospital_name: str
    visit: VisitOfItemShown | None = Field(description="the visit under which it belongs: lines of one are a group")
    occurred_at: datetime
    is_unread: bool = Field(description="this login has not opened this version; false for a hospital")
    is_hidden: bool = Field(description="the person keeps it from those who act for him; no hospital is told")
    is_held: bool = Field(description="the patient does not see it yet; always false for a patient")
    sensitivity: str | None = Field(description="hiv, psychiatric, reproductive, genetic")
    is_disclosed: bool = Field(description="sensitive, and the patient lets every hospital that treats him see it")


class ChoicesQuery(Received):
    person_id: UUID | None = Field(None, description="left out: everybody for whom the login acts")


class HospitalChoice(Shown):
    id: UUID = Field(
        description="`hospital_id` of the filter", json_schema_extra={"example": "018f0000-0000-7000-8000-0000000000b1"}
    )
    name: str = Field(json_schema_extra={"example": "市第一测试医院"})


class KindChoice(Shown):
    object_kind: str = Field(description="`kind` of the filter", json_schema_extra={"example": "report"})
    category: str = Field(description="`category` of the filter", json_schema_extra={"example": "laboratory"})


class ChoicesShown(Shown):
    hospitals: list[HospitalChoice] = Field(description="by name")
    kinds: list[KindChoice]


class ItemPath(Received):
    object_id: UUID = Field(description="of a line of the timeline")


class Timeline(Shown):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "items": [
                    {
                        "id": "018f0000-0000-7000-8000-0000000000c1",
                        "person_id": "018f0000-0000-7000-8000-0000000000a1",
                        "object_kind": "report",
                        "object_id": "018f0000-0000-7000-8000-0000000000d1",
                        "version": 2,
                        "category": "laboratory",
                        "title": "生化全套",
                        "status": "corrected",
                        "hospital_id": "018f0000-0000-7000-8000-0000000000b1",
                        "hospital_name": "市第一测试医院",
                        "visit": None,
                        "occurred_at": "2026-03-20T00:30:00Z",
                        "is_unread": True,
                        "is_hidden": False,
                        "is_held": False,
                        "sensitivity": None,
                        "is_disclosed": False,
                    }
                ]
            }
        }
    )

    items: list[TimelineItemShown]


class SeenRequest(Received):
    person_id: UUID | None = Field(None, description="only what is this person's; left out: of all whom I act for")


class SeenShown(Shown):
    marked: int = Field(description="how many lines were unread")
