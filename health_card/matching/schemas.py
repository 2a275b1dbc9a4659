"""What the operator's interface of the master index takes in and gives out."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import Field, model_validator

from core.api import Received, Shown
from health_card.matching.models import MatchState
from health_card.matching.service import LinkView, Match

_REASON = Field(min_length=2, max_length=200, description="why, in a few words; no names and no numbers of persons")


class MatchQuery(Received):
    state: MatchState = Field(MatchState.OPEN, description="open, merged, or refused: the do-not-match list")
    before: UUID | None = Field(None, description="the id of the last line of the page before")


class PageQuery(Received):
    before: UUID | None = Field(None, description="the id of the last line of the page before")


class MatchPath(Received):
    match_id: UUID


class LinkPath(Received):
    link_id: UUID


class MatchDecision(Received):
    reason: str = _REASON


class MergeDecision(MatchDecision):
    standing_id: UUID | None = Field(None, description="the record that is to stand for the person; else the suggested")
    override: bool = Field(False, description="merge although certain facts contradict each other")


class Merge(MatchDecision):
    from_id: UUID = Field(description="a record of the person to put behind the other")
    into_id: UUID = Field(description="a record of the person who is to stand")
    override: bool = Field(False, description="merge although certain facts contradict each other")


class MatchLineShown(Shown):
    id: UUID
    score: int = Field(description="sum of the weights of the evidence; from 13 on a pair is put before the operator")
    evidence: list[str] = Field(description="codes, for example name_same, birth_swapped")
    state: MatchState
    found_at: datetime
    decided_at: datetime | None = Field(description="of an open pair: it was put off")
    reason: str | None
    link_id: UUID | None = Field(description="the merge, when merged")


class MatchList(Shown):
    matches: list[MatchLineShown]


class PersonSummary(Shown):
    name: str = Field(description="masked")
    sex: str
    birth_date: date | None
    nation: str | None
    certificate_type: str | None
    certificate_number: str | None = Field(description="masked")
    phone: str = Field(description="masked")
    assurance: str

    @model_validator(mode="before")
    @classmethod
    def _only_these(cls, person: Any) -> Any:
        return {name: getattr(person, name) for name in cls.model_fields}


class CertificateSummary(Shown):
    type: str = Field(description="WS 364.3 CV02.01.101")
    number: str = Field(description="masked")
    state: str = Field(description="current, former or withdrawn")


class CardSummary(Shown):
    state: int = Field(description="1 normal, 2 lost, 3 cancelled, 4 being made, 5 not issued")
    channel: int = Field(description="1 app, 2 kiosk, 3 window, 4 batch")
    issued_at: datetime


class SideShown(Shown):
    person_id: UUID = Field(description="the record that stands for this person")
    person: PersonSummary
    records: int = Field(description="how many records stand together as this person")
    registered_at: datetime
    certificates: list[CertificateSummary]
    cards: list[CardSummary]
    logins: int
    waiting_logins: int
    hospitals: list[str] = Field(description="where this person has a patient number")
    counts: dict[str, int] = Field(description="acts on this person's data, by the audit trail's action")


class MatchShown(MatchLineShown):
    sides: list[SideShown] = Field(description="two; one when the records stand together already")
    suggested_id: UUID = Field(description="which record should stand")
    contradictions: list[str] = Field(description="certain facts that speak against one person")

    @classmethod
    def of(cls, match: Match) -> "MatchShown":
        return cls(
            **MatchLineShown.model_validate(match.line).model_dump(),
            sides=[SideShown.model_validate(side) for side in match.sides],
            suggested_id=match.suggested_id,
            contradictions=match.contradictions,
        )


class LinkShown(Shown):
    id: UUID
    from_id: UUID
    into_id: UUID
    reason: str
    evidence: list[str]
    linked_at: datetime
    linked_by: UUID | None = Field(description="staff member; absent: the platform itself, being certain")
    undone_at: datetime | None
    undone_by: UUID | None
    undo_reason: str | None

    @classmethod
    def of(cls, link: LinkView) -> "LinkShown":
        return cls.model_validate(link)


class LinkList(Shown):
    merges: list[LinkShown]
