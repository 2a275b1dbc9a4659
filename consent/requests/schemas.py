"""What requests take in and give out."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from pydantic import Field, model_validator

from consent.models import ItemKind, Sensitivity
from consent.models import Purpose as AnyPurpose
from consent.requests.models import RequestReason, RequestState
from consent.requests.service import PAGE, Circle, Part, RequestFilter, RequestView, Wish
from consent.scope import Recipient, Scope
from core import clock
from core.api import Headers, Received, Shown

Purpose = Literal["treatment", "consultation", "insurance"]
AskedReason = Literal["history", "comparison", "medication", "surgery", "follow_up", "consultation", "claim"]
_IDS = "of what the asker knows of; left out: any"


class AccessWish(Received):
    circle: Circle = Field(Circle.MYSELF, description="who is to see it: myself, my department or my hospital")
    purpose: Purpose = Field("treatment")
    reason: AskedReason = Field(description="why; the patient reads it in Chinese words")
    words: str | None = Field(None, max_length=200, description="why, in the doctor's own words; kept sealed")
    kinds: set[ItemKind] | None = Field(None, min_length=1, description="left out: all")
    sensitivities: set[Sensitivity] = Field(set(), description="sensitive kinds; the patient ticks each by itself")
    visit_ids: set[UUID] | None = Field(None, min_length=1, max_length=50, description=_IDS)
    item_ids: set[UUID] | None = Field(None, min_length=1, max_length=50, description=_IDS)
    since_on: date | None = Field(None, description="the first day (Asia/Shanghai)")
    until_on: date | None = Field(None, description="the last day")
    may_download: bool = Field(False, description="true: take copies, false: look only")
    uses: int | None = Field(None, ge=1, le=999, description="how many looks; left out: any number")
    access_hours: int = Field(24, ge=1, le=24 * 90, description="for how long from now on, whenever it is answered")
    answer_hours: int = Field(24, ge=1, le=72, description="after so many it lapses; the phone is reminded once before")

    def as_wish(self) -> Wish:
        return Wish(
            circle=self.circle,
            scope=Scope(
                kinds=frozenset(self.kinds) if self.kinds else None,
                sensitivities=frozenset(self.sensitivities),
                visit_ids=frozenset(self.visit_ids) if self.visit_ids else None,
                item_ids=frozenset(self.item_ids) if self.item_ids else None,
                since_on=self.since_on,
                until_on=self.until_on,
                may_download=self.may_download,
                uses=self.uses,
            ),
            purpose=AnyPurpose(self.purpose),
            reason=RequestReason(self.reason),
            words=self.words or None,
            access_for=timedelta(hours=self.access_hours),
            answer_within=timedelta(hours=self.answer_hours),
        )


class AddressedWish(AccessWish):
    visit_id: UUID | None = Field(None, description="an open visit of the own hospital")
    patient_number: str | None = Field(
        None, min_length=1, max_length=32, description="or the own hospital's number of the patient"
    )

    @model_validator(mode="after")
    def _names_one_way(self) -> "AddressedWish":
        if (self.visit_id is None) == (self.patient_number is None):
            raise ValueError("send either visit_id or patient_number")
        return self


class AskForm(AddressedWish):
    """As the interface takes it; how far back is chosen in whole spans."""

    since_days: int | None = Field(None, ge=1, le=36_500, description="so many days back; left out: all")

    @property
    def first_day(self) -> date | None:
        if self.since_days is None:
            return self.since_on
        return clock.in_city(clock.now()).date() - timedelta(days=self.since_days)

    def as_wish(self) -> Wish:
        wish = super().as_wish()
        return replace(wish, scope=replace(wish.scope, since_on=self.first_day))


class AskedAccess(Shown):
    id: UUID


class AccessRequestPath(Received):
    request_id: UUID


class AccessRequestQuery(Received):
    state: RequestState | None = Field(None, description="requested, granted, denied, lapsed or withdrawn")
    person_id: UUID | None = None
    hospital_id: UUID | None = None
    purpose: Purpose | None = None
    before: UUID | None = Field(None, description="the id of the last request of the page before")
    limit: int = Field(PAGE, ge=1, le=100)

    def as_filter(self) -> RequestFilter:
        purpose = AnyPurpose(self.purpose) if self.purpose else None
        return RequestFilter(self.state, self.person_id, self.hospital_id, purpose)


class RequestRecipientShown(Shown):
    hospital_name: str
    department: str | None = Field(description="standard 4-digit code: only who works there")
    staff_id: UUID | None = Field(description="only this member of staff, who asked")

    @classmethod
    def of(cls, recipient: Recipient, hospital_name: str) -> "RequestRecipientShown":
        return cls(hospital_name=hospital_name, department=recipient.department, staff_id=recipient.staff_id)


class RequestScopeShown(Shown):
    kinds: list[ItemKind] | None = Field(description="left out: all")
    sensitivities: list[Sensitivity]
    visit_ids: list[UUID] | None
    item_ids: list[UUID] | None
    since_on: date | None
    until_on: date | None
    may_download: bool
    uses: int | None
    words: str = Field(description="the same in Chinese")

    @classmethod
    def of(cls, scope: Scope) -> "RequestScopeShown":
        said = {name: value for name, value in scope.columns().items() if name != "uses_left"}
        return cls(**said, uses=scope.uses, words=scope.describe())


class AccessRequestShown(Shown):
    id: UUID
    person_id: UUID
    person_name: str = Field(description="masked")
    hospital_id: UUID
    recipient: RequestRecipientShown = Field(description="who would see it")
    asker_name: str | None = Field(description="left out: a code was shown, and the policy says to ask each time")
    visit_id: UUID | None
    purpose: Purpose
    reason: RequestReason
    words: str | None = Field(description="why, in the doctor's own words")
    scope: RequestScopeShown = Field(description="what is asked for")
    access_until: datetime = Field(description="nothing that is granted lasts longer")
    notice_hash: str = Field(description="of the text to be shown with it: GET /api/v1/notice-texts/{text_hash}")
    asked_at: datetime
    lapses_at: datetime = Field(description="it can be answered until then")
    state: RequestState
    version: int = Field(description="to be sent with the answer")
    ended_at: datetime | None
    grant_id: UUID | None = Field(description="what was granted of it")

    @classmethod
    def of(cls, view: RequestView) -> "AccessRequestShown":
        said = {name: value for name, value in vars(view).items() if name in cls.model_fields}
        recipient = RequestRecipientShown.of(view.recipient, view.hospital_name)
        return cls(**said | {"recipient": recipient, "scope": RequestScopeShown.of(view.scope)})


class AccessRequestList(Shown):
    requests: list[AccessRequestShown]

    @classmethod
    def of(cls, views: list[RequestView]) -> "AccessRequestList":
        return cls(requests=[AccessRequestShown.of(view) for view in views])


class GrantedPart(Received):
    version: int = Field(ge=1, description="of the request that was read")
    kinds: set[ItemKind] | None = Field(None, min_length=1, description="left out, here and below: as it was asked")
    sensitivities: set[Sensitivity] = Field(set(), description="each ticked by the patient; left out: none")
    visit_ids: set[UUID] | None = Field(None, min_length=1, max_length=50)
    item_ids: set[UUID] | None = Field(None, min_length=1, max_length=50)
    since_on: date | None = None
    until_on: date | None = None
    may_download: bool | None = None
    uses: int | None = Field(None, ge=1, le=999)
    access_hours: int | None = Field(
        None, ge=1, le=24 * 90, description="from now on; what was asked for may end before"
    )
    only_asker: bool = Field(False, description="true: only the doctor who asked")

    def as_part(self, now: datetime) -> Part:
        return Part(
            kinds=frozenset(self.kinds) if self.kinds else None,
            sensitivities=frozenset(self.sensitivities),
            visit_ids=frozenset(self.visit_ids) if self.visit_ids else None,
            item_ids=frozenset(self.item_ids) if self.item_ids else None,
            since_on=self.since_on,
            until_on=self.until_on,
            may_download=self.may_download,
            uses=self.uses,
            access_until=now + timedelta(hours=self.access_hours) if self.access_hours else None,
            only_asker=self.only_asker,
        )


class Denial(Received):
    version: int = Field(ge=1, description="of the request that was read")
    blocks_hospital: bool = Field(False, description="true: this hospital may not ask again either")


class LastEvent(Headers):
    last_event_id: str | None = Field(None, alias="Last-Event-ID", max_length=20, description="as the stream gave it")
