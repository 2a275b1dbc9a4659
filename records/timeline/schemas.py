"""A timeline page as it goes out."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown


class PageQuery(Received):
    before: UUID | None = Field(None, description="the id of the last line of the page before")
    limit: int = Field(30, ge=1, le=100)


class TimelineItemShown(Shown):
    id: UUID
    object_kind: str = Field(description="report, study or entry")
    object_id: UUID
    category: str = Field(
        description="laboratory, imaging ...; of entries: condition, allergy, medication, immunization ..."
    )
    title: str
    status: str
    hospital_name: str
    occurred_at: datetime
    is_hidden: bool = Field(description="the person keeps it from those who act for him; no hospital is told")


class ItemPath(Received):
    object_id: UUID = Field(description="of a line of the timeline")


class Timeline(Shown):
    items: list[TimelineItemShown]
