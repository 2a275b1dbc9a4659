"""Rules of release and held items, as they come in and go out."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from core.api import Received, Shown
from records.releasing.models import Mode
from records.releasing.service import Matter
from records.releasing.words import BY_CODE, MATTERS
from records.reports.models import ReportCategory

SensitiveKind = Literal["hiv", "psychiatric", "reproductive", "genetic"]
_CODE = r"^[!-~]+$"


class RulePath(Received):
    rule_id: UUID


class HeldPath(Received):
    object_id: UUID = Field(description="the report or study")


class HeldQuery(Received):
    before: UUID | None = Field(None, description="`object_id` of the last item of the page before")


class NewRule(Received):
    """About one of `code`, `sensitivity` and `category`, or, with none of them, about everything."""

    hospital_code: str | None = Field(None, max_length=64, description="left out: for the whole city")
    code_system: str | None = Field(None, max_length=255, pattern=_CODE, description="for example http://loinc.org")
    code: str | None = Field(None, max_length=64, pattern=_CODE, description="of the report as a whole")
    sensitivity: SensitiveKind | None = None
    category: ReportCategory | None = None
    mode: Mode = Field(
        description="at_once; after_review: when a doctor of the house that made it releases it; with_visit: at once "
        "when it belongs to a visit, otherwise only when a doctor releases it"
    )
    review_days: int | None = Field(
        None, ge=1, le=90, description="of after_review: opens by itself after so many days; left out: never"
    )

    def as_matter(self) -> Matter:
        code = (self.code_system, self.code) if self.code_system and self.code else None
        return Matter(self.hospital_code, code, self.sensitivity, self.category)

    @model_validator(mode="after")
    def _check_matter(self) -> Self:
        if (self.code is None) != (self.code_system is None):
            raise ValueError("code and code_system go together")
        if sum(matter is not None for matter in (self.code, self.sensitivity, self.category)) > 1:
            raise ValueError("a rule is about one of code, sensitivity and category")
        if self.review_days is not None and self.mode is not Mode.AFTER_REVIEW:
            raise ValueError("review_days belongs to after_review")
        return self


class RuleForm(NewRule):
    """The same, from the page: ``matter`` has been read into the field that it names."""

    matter: str

    @model_validator(mode="after")
    def _check_list(self) -> Self:
        if self.matter not in MATTERS:
            raise ValueError("not a matter of the list")
        if (self.code is not None) != (self.matter == BY_CODE):
            raise ValueError("a code belongs to the matter that asks for it")
        return self


class RuleShown(Shown):
    id: UUID
    hospital_id: UUID | None
    hospital_name: str | None = Field(description="left out: for the whole city")
    code_system: str | None
    code: str | None
    sensitivity: str | None
    category: str | None
    mode: str
    review_days: int | None
    set_at: datetime


class RuleList(Shown):
    rules: list[RuleShown]


class HeldShown(Shown):
    object_id: UUID
    object_kind: str = Field(description="report, study or entry")
    sensitivity: str | None
    opens_at: datetime | None = Field(description="when the patient sees it without a review; left out: not by itself")
    restricted_at: datetime


class HeldList(Shown):
    items: list[HeldShown]
