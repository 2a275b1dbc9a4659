"""Wishes for a correction as they come in and go out."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown
from records.rectifications.models import DeclineReason

LONGEST = 1000


class RectificationAsked(Received):
    object_id: UUID = Field(description="a report, study or entry of the timeline")
    wrong: str = Field(min_length=1, max_length=LONGEST, description="what is wrong in it")
    right: str = Field(min_length=1, max_length=LONGEST, description="what it should say")


class RectificationPath(Received):
    request_id: UUID


class RectificationQuery(Received):
    before: UUID | None = Field(None, description="the id of the last one of the page before")
    is_open: bool | None = Field(None, description="true: only those that wait for an answer")


class RectificationAnswer(Received):
    accepted: bool = Field(description="true: the corrected version has been filed")
    reason: DeclineReason | None = Field(None, description="why it is declined")
    note: str | None = Field(None, max_length=LONGEST, description="to the patient, in words")


class RectificationShown(Shown):
    id: UUID
    person_id: UUID
    person_name: str = Field(description="masked")
    patient_number: str | None = Field(description="the hospital's own; told to the hospital alone")
    hospital_name: str = Field(description="whose item it is")
    object_kind: str = Field(description="report, study or entry")
    object_id: UUID
    object_version: int = Field(description="the version that the request is about")
    title: str | None = Field(description="of the item; not told to the operator")
    wrong: str | None
    right: str | None
    note: str | None = Field(description="of the hospital, with its answer")
    state: str = Field(description="asked, accepted, declined or withdrawn")
    reason: str | None = Field(description="correct, clinical_judgement or not_proven")
    corrected_version: int | None
    asked_at: datetime
    due_at: datetime
    is_overdue: bool
    escalated_at: datetime | None = Field(description="when the operator was told that the hospital had not answered")
    ended_at: datetime | None


class RectificationList(Shown):
    rectifications: list[RectificationShown]
