"""What consent takes in and gives out."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from consent.models import ItemKind, Purpose, Sensitivity
from consent.scope import Recipient, Scope
from consent.service.giving import Narrowing
from consent.service.grants import GrantFilter, GrantStatus, GrantView
from core.api import Received, Shown

_SET = "left out: not narrowed by this"
Department = Annotated[str, Field(pattern="^[0-9]{4}$", description="standard 4-digit code")]
Uses = Annotated[int, Field(ge=1, le=10_000, description="rows that the access log may still get under it")]


class GrantPath(Received):
    grant_id: UUID


class GrantQuery(Received):
    status: GrantStatus | None = None
    person_id: UUID | None = None
    purpose: Purpose | None = None
    hospital_id: UUID | None = None
    department: Department | None = None
    staff_id: UUID | None = None
    link_id: UUID | None = None
    before: UUID | None = Field(None, description="the id of the last grant of the page before")

    def as_filter(self) -> GrantFilter:
        return GrantFilter(**self.model_dump(exclude={"before"}))


class RecipientAsked(Received):
    hospital_id: UUID
    department: Department | None = Field(None, description="of this department only: standard 4-digit code")
    staff_id: UUID | None = Field(None, description="this one person only")

    def as_recipient(self) -> Recipient:
        return Recipient(**self.model_dump())


class ScopeAsked(Received):
    kinds: frozenset[ItemKind] | None = Field(None, min_length=1, description=_SET)
    sensitivities: frozenset[Sensitivity] = Field(
        frozenset(), description="sensitive kinds that belong to it; what is sensitive otherwise is not shown by it"
    )
    visit_ids: frozenset[UUID] | None = Field(None, min_length=1, max_length=200, description=_SET)
    item_ids: frozenset[UUID] | None = Field(
        None, min_length=1, max_length=200, description=f"reports, studies and entries; {_SET}"
    )
    since_on: date | None = Field(None, description="of the item's day in Asia/Shanghai, included")
    until_on: date | None = Field(None, description="of the item's day in Asia/Shanghai, included")
    may_download: bool = Field(True, description="false: to be looked at only; machines and files get nothing")
    uses: Uses | None = Field(None, description="rows that the access log may get under it; left out: any number")

    def as_scope(self) -> Scope:
        return Scope(**dict(self))


class GrantGiven(Received):
    person_id: UUID
    recipient: RecipientAsked
    scope: ScopeAsked = Field(
        default_factory=lambda: ScopeAsked.model_validate({}),
        description="left out: the whole record, nothing sensitive",
    )
    purpose: Literal["treatment", "consultation", "insurance"]
    expires_at: AwareDatetime = Field(description="within a year")
    notice_hash: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="SHA-256, in hexadecimal digits, of the notice that was shown"
    )


class GrantNarrowed(Received):
    version: int = Field(ge=1, description="the one that the patient has before his eyes")
    kinds: frozenset[ItemKind] | None = Field(None, min_length=1)
    sensitivities: frozenset[Sensitivity] | None = None
    visit_ids: frozenset[UUID] | None = Field(None, min_length=1, max_length=200)
    item_ids: frozenset[UUID] | None = Field(None, min_length=1, max_length=200)
    since_on: date | None = None
    until_on: date | None = None
    may_download: Literal[False] | None = None
    uses: Uses | None = Field(None, description="that are left")
    expires_at: AwareDatetime | None = None

    def as_narrowing(self) -> Narrowing:
        return Narrowing(**{name: value for name, value in self if name != "version"})


class RecipientShown(Shown):
    hospital_id: UUID | None
    department: str | None = Field(description="standard 4-digit code; null: the whole hospital")
    staff_id: UUID | None = Field(description="null: not one person alone")
    link_id: UUID | None = Field(description="who holds this share link")


class ScopeShown(Shown):
    kinds: list[str] | None = Field(description="null: all")
    sensitivities: list[str] = Field(description="sensitive kinds that belong to it")
    visit_ids: list[UUID] | None = Field(description="null: of all visits, and of none")
    item_ids: list[UUID] | None = Field(description="null: all")
    since_on: date | None
    until_on: date | None
    may_download: bool
    uses_left: int | None = Field(description="null: any number")
    words: str = Field(description="the same in Chinese")

    @classmethod
    def of(cls, scope: Scope) -> "ScopeShown":
        return cls(**scope.columns(), words=scope.describe())


class GrantShown(Shown):
    id: UUID
    person_id: UUID
    person_name: str = Field(description="whose records, masked")
    hospital_name: str
    recipient: RecipientShown
    scope: ScopeShown
    purpose: str = Field(description="treatment, consultation, insurance, sharing or emergency")
    opened_by: str = Field(description="code, request, patient, link or break_glass")
    visit_id: UUID | None = Field(description="whose code opened it")
    request_id: UUID | None = Field(description="that it answers")
    notice_hash: str | None = Field(description="SHA-256 of the notice that was shown")
    version: int
    status: str = Field(description="in_force, expired, revoked or used_up")
    starts_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, grant: GrantView) -> "GrantShown":
        own = vars(grant) | {"scope": ScopeShown.of(grant.scope)}
        return cls.model_validate(own | {"recipient": RecipientShown(**grant.recipient.columns())})


class GrantList(Shown):
    grants: list[GrantShown]
