"""What standing policies take in and give out."""

from datetime import datetime
from uuid import UUID

from pydantic import Field, model_validator

from consent.models import ITEM_KINDS, ItemKind
from consent.policies.models import Treating
from consent.policies.service import ChangedPolicy, Choice, Notice, Policy
from core.api import Received, Shown

_TREATING = "yes: records are open for the visit; ask: the phone is asked each time; never: nothing is opened by a code"


class PolicyQuery(Received):
    person_id: UUID | None = Field(None, description="for whom the login decides; left out: itself")


class HospitalTreating(Received):
    hospital_id: UUID
    treating: Treating = Field(description="what this hospital gets instead of `treating`")


class PolicyChange(Received):
    person_id: UUID | None = Field(None, description="for whom the login decides; left out: itself")
    version: int = Field(ge=0, description="that was read; 0 when nobody chose anything before")
    notice_hash: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the notice that was read and shown")
    treating: Treating = Field(description=_TREATING)
    hospitals: list[HospitalTreating] = Field([], max_length=100, description="where it is something else")
    excluded_kinds: list[ItemKind] = Field(
        [],
        max_length=len(ITEM_KINDS),
        description="what no code opens, at any hospital; all of them: say never instead",
    )

    @model_validator(mode="after")
    def _says_each_once(self) -> "PolicyChange":
        named = [each.hospital_id for each in self.hospitals]
        if len(set(named)) < len(named):
            raise ValueError("a hospital is named twice")
        if set(self.excluded_kinds) == set(ItemKind):
            raise ValueError("exclude not all kinds: treating `never` says that")
        return self

    def as_choice(self) -> Choice:
        by_hospital = {each.hospital_id: each.treating for each in self.hospitals}
        return Choice(self.treating, by_hospital, frozenset(self.excluded_kinds))


class HospitalPath(Received):
    hospital_id: UUID


class NoticePathByHash(Received):
    text_hash: str = Field(pattern=r"^[0-9a-f]{64}$")


class NoticeTextShown(Shown):
    hash: str = Field(description="SHA-256 of `text` in UTF-8, hexadecimal; grants name it as `notice_hash`")
    kind: str = Field(description="standing_policy or access_request")
    text: str = Field(description="in Chinese, to be shown whole before the answer")
    published_at: datetime


class HospitalChoiceShown(Shown):
    hospital_id: UUID
    hospital_name: str
    treating: Treating


class BlockedHospitalShown(Shown):
    hospital_id: UUID
    hospital_name: str


class PolicyShown(Shown):
    person_id: UUID
    person_name: str = Field(description="masked")
    version: int = Field(description="0: nobody chose anything, the default holds")
    treating: Treating = Field(description=_TREATING)
    hospitals: list[HospitalChoiceShown] = Field(description="where it is something else")
    excluded_kinds: list[ItemKind] = Field(description="what no code opens; sensitive items are never opened by a code")
    blocked_hospitals: list[BlockedHospitalShown] = Field(description="these may not ask for more")
    changed_at: datetime | None
    agreed_hash: str = Field(description="of the notice under which this holds")
    notice: NoticeTextShown = Field(description="the newest one: show it before a change")

    @classmethod
    def of(cls, policy: Policy) -> "PolicyShown":
        choice, names = policy.choice, policy.hospital_names
        return cls(
            person_id=policy.person_id,
            person_name=policy.person_name,
            version=policy.version,
            treating=choice.treating,
            hospitals=[
                HospitalChoiceShown(hospital_id=id_, hospital_name=names[id_], treating=treating)
                for id_, treating in choice.by_hospital.items()
            ],
            excluded_kinds=sorted(choice.excluded_kinds),
            blocked_hospitals=[
                BlockedHospitalShown(hospital_id=id_, hospital_name=names[id_]) for id_ in sorted(policy.blocked)
            ],
            changed_at=policy.changed_at,
            agreed_hash=policy.agreed_hash,
            notice=show_notice(policy.notice),
        )


class PolicyChangeShown(Shown):
    policy: PolicyShown
    ended_grant_ids: list[UUID] = Field(description="what a code had opened, and the new choice does not give")
    narrowed_grant_ids: list[UUID] = Field(description="what a code had opened, without the kinds excluded now")

    @classmethod
    def of(cls, changed: ChangedPolicy) -> "PolicyChangeShown":
        return cls(
            policy=PolicyShown.of(changed.policy),
            ended_grant_ids=changed.ended_grant_ids,
            narrowed_grant_ids=changed.narrowed_grant_ids,
        )


def show_notice(notice: Notice) -> NoticeTextShown:
    return NoticeTextShown.model_validate(notice)
