"""Rights of persons as they come in and go out."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from consent.rights.models import RefusedReason
from core.api import Received, Shown


class RetentionRuleShown(Shown):
    code: str
    what: str = Field(description="in Chinese: what is kept, or what has to be settled first")
    years: int | None = Field(description="left out: as long as the state lasts, and nothing is deleted before")
    begins: str | None = Field(description="in Chinese: since when the years count")
    source: str = Field(description="the law or regulation, with its article")
    blocks: bool = Field(description="whether nothing is deleted before it is settled")


class RightShown(Shown):
    right: str = Field(description="export, rectification, deletion, access_log, revoke or erasure_receipts")
    address: str = Field(description="where it is used")
    law: str = Field(description="the article of the Personal Information Protection Law that gives it")


class RightsShown(Shown):
    rights: list[RightShown]
    retention: list[RetentionRuleShown]


class HoldShown(Shown):
    code: str
    what: str
    until: date | None = Field(description="the last day of keeping, as of now")
    source: str


class PlanQuery(Received):
    person_id: UUID


class DeletionPlanShown(Shown):
    person_id: UUID
    goes: list[str] = Field(
        description="identity, contact, certificates, cards, logins, grants, apps, patient_numbers, exports"
    )
    kept: list[HoldShown] = Field(description="what the law keeps, under the record's id and without a name")
    blocked: list[HoldShown] = Field(description="what has to be settled first; with any, deletion is refused")


class DeletionAsked(Received):
    person_id: UUID


class DeletionPath(Received):
    request_id: UUID


class DeletionShown(Shown):
    id: UUID
    person_id: UUID
    person_name: str = Field(description="masked; 档案已删除 when it was done")
    state: str = Field(description="asked, checked, done, withdrawn or refused")
    asked_at: datetime
    cooling_until: datetime = Field(description="before this time nobody acts on it")
    is_cooling: bool
    checked_at: datetime | None = Field(description="when the first of two at the platform agreed")
    ended_at: datetime | None
    refused_reason: str | None = Field(description="not_the_person, dispute or legal_order")
    plan: DeletionPlanShown | None = Field(description="of an open one, as of now")


class DeletionList(Shown):
    deletions: list[DeletionShown]


class DeletionQuery(Received):
    is_open: bool | None = None
    before: UUID | None = None


class RefusalForm(Received):
    reason: RefusedReason
