"""What the operator looks at and decides: pairs of records that may be one person's."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from accounts import service as accounts
from core import audit
from core.actor import Actor
from core.audit import AuditEntry
from core.vault import vault
from health_card.masks import mask_number
from health_card.matching.models import MatchCandidate, MatchState
from health_card.matching.refusals import MatchDecided, MatchNotFound
from health_card.matching.service.links import (
    NO_DECISION,
    LinkView,
    decision,
    list_contradictions,
    lock_links,
    lock_root,
    merge_persons,
)
from health_card.matching.weights import REVIEW_THRESHOLD
from health_card.models import (
    Assurance,
    Card,
    CertificateState,
    Holder,
    PatientNumber,
    Person,
    PersonCertificate,
)
from health_card.service.demographics import Demographics, get_demographics
from health_card.service.identities import CERTIFICATE, announce_change, get_root, same_person_ids
from health_card.service.living import living_cards
from health_card.service.persons import is_holding

PAGE = 50

# What a record is used for, as the audit trail of the packages above tells it.
_COUNTED = ("records.visit.opened", "records.report.filed", "records.study.filed", "payments.charge.captured")
_STRENGTH = {assurance: strength for strength, assurance in enumerate(Assurance)}


@dataclass(frozen=True)
class MatchLine:
    """A pair in the list. It names nobody; ``get_match`` does, and is recorded for both."""

    id: UUID
    score: int
    evidence: list[str]
    state: str
    found_at: datetime
    decided_at: datetime | None
    reason: str | None
    link_id: UUID | None


@dataclass(frozen=True)
class CertificateLine:
    """A certificate as it may be shown: ``number`` masked."""

    type: str
    number: str
    state: str


@dataclass(frozen=True)
class CardLine:
    """A card of the person: national state, channel, and when it was issued."""

    state: int
    channel: int
    issued_at: datetime


@dataclass(frozen=True)
class Side:
    """One of the two persons, with all records that stand together as him already.

    :ivar person_id: of the record that stands for him.
    :ivar records: how many stand together.
    :ivar logins: how many act for him; ``waiting_logins`` wait for a desk.
    :ivar hospitals: where he has a patient number.
    :ivar counts: acts on his data, by the audit trail's action.
    """

    person_id: UUID
    person: Demographics
    records: int
    registered_at: datetime
    certificates: list[CertificateLine]
    cards: list[CardLine]
    logins: int
    waiting_logins: int
    hospitals: list[str]
    counts: dict[str, int]


@dataclass(frozen=True)
class Match:
    """A pair to decide about. ``suggested_id``: which record should stand; ``contradictions``: what speaks against."""

    line: MatchLine
    sides: tuple[Side, ...]
    suggested_id: UUID
    contradictions: list[str]


def list_matches(session: Session, actor: Actor, *, state: MatchState, before: UUID | None = None) -> list[MatchLine]:
    """The pairs of a state: open ones by score with those that were put off last, the others latest decision first.

    :param before: the id of the last line of the page before.
    """
    order = _order(state)
    page = select(MatchCandidate).where(MatchCandidate.state == state).order_by(*(column.desc() for column in order))
    if state is MatchState.OPEN:
        page = page.where(MatchCandidate.score >= REVIEW_THRESHOLD, _are_two())
    if before is not None:
        last = select(*order).where(MatchCandidate.id == before)
        page = page.where(tuple_(*order) < last.scalar_subquery())
    lines = [_line(match) for match in session.scalars(page.limit(PAGE))]
    audit.record_act(session, actor, "health_card.matches.listed", facts={"lines": len(lines)})
    return lines


def get_match(session: Session, actor: Actor, *, match_id: UUID) -> Match:
    """A pair side by side, masked. Both persons can read that it was looked at.

    :raises MatchNotFound: none such.
    """
    match = _get(session, match_id)
    roots = [get_root(session, record_id) for record_id in (match.first_id, match.second_id)]
    sides = tuple(_read_side(session, root) for root in {root.id: root for root in roots}.values())
    for side in sides:
        audit.record_act(
            session, actor, "health_card.match.read", subject_id=side.person_id, of=("match_candidate", match.id)
        )
    return Match(
        line=_line(match),
        sides=sides,
        suggested_id=suggest_standing(session, *roots).id,
        contradictions=list_contradictions(session, *roots) if len(sides) == 2 else [],
    )


def merge_match(
    session: Session, actor: Actor, *, match_id: UUID, standing_id: UUID | None, reason: str, override: bool = False
) -> LinkView:
    """They are one person. Refusals as of ``merge_persons``.

    :param standing_id: which record is to stand for the person; the suggested one when left out.
    :raises MatchNotFound: none such, or ``standing_id`` is neither side.
    :raises MatchDecided: it is not open.
    """
    match = _lock(session, match_id, MatchState.OPEN)
    roots = [lock_root(session, record_id) for record_id in (match.first_id, match.second_id)]
    standing_id = standing_id or suggest_standing(session, *roots).id
    if standing_id not in {root.id for root in roots}:
        raise MatchNotFound
    absorbed_id = next((root.id for root in roots if root.id != standing_id), standing_id)
    return merge_persons(
        session,
        actor,
        from_id=absorbed_id,
        into_id=standing_id,
        reason=reason,
        evidence=match.evidence,
        override=override,
    )


def refuse_match(session: Session, actor: Actor, *, match_id: UUID, reason: str) -> None:
    """They are two persons: the pair goes onto the do-not-match list.

    :raises MatchNotFound: none such.
    :raises MatchDecided: it is not open.
    """
    _decide(session, actor, _lock(session, match_id, MatchState.OPEN), MatchState.REFUSED, reason)


def postpone_match(session: Session, actor: Actor, *, match_id: UUID, reason: str) -> None:
    """Not now: the pair stays open, behind those that nobody has looked at.

    :raises MatchNotFound: none such.
    :raises MatchDecided: it is not open.
    """
    _decide(session, actor, _lock(session, match_id, MatchState.OPEN), MatchState.OPEN, reason)


def reopen_match(session: Session, actor: Actor, *, match_id: UUID) -> None:
    """Take a pair off the do-not-match list; compared anew, it is put before the operator when it still looks alike.

    :raises MatchNotFound: none such.
    :raises MatchDecided: it is not refused.
    """
    match = _lock(session, match_id, MatchState.REFUSED)
    _decide(session, actor, match, MatchState.OPEN, None)
    announce_change(session, match.first_id)


def suggest_standing(session: Session, one: Person, other: Person) -> Person:
    """Which of two records should stand for the person: the better checked, then the one with a current certificate,
    then the one somebody acts for, then the older."""

    def worth(person: Person) -> tuple[int, bool, bool]:
        certificate = select(PersonCertificate.id).filter_by(person_id=person.id, state=CertificateState.CURRENT)
        holder = select(Holder.id).where(Holder.person_id == person.id, is_holding())
        return (
            _STRENGTH[Assurance(person.assurance)],
            session.scalar(certificate.limit(1)) is not None,
            session.scalar(holder.limit(1)) is not None,
        )

    older, younger = sorted((one, other), key=lambda person: (person.created_at, person.id))
    return younger if worth(younger) > worth(older) else older


def _order(state: MatchState) -> tuple[Any, ...]:
    if state is MatchState.OPEN:
        return MatchCandidate.decided_at.is_(None), MatchCandidate.score, MatchCandidate.id
    return MatchCandidate.decided_at, MatchCandidate.id


def _are_two() -> ColumnElement[bool]:
    """Whether the records of a pair have not been put together on another way, and may be."""
    first, second = aliased(Person), aliased(Person)
    roots = select(first.root_id != second.root_id).where(
        first.id == MatchCandidate.first_id, second.id == MatchCandidate.second_id
    )
    return roots.scalar_subquery()


def _get(session: Session, match_id: UUID) -> MatchCandidate:
    match = session.get(MatchCandidate, match_id, populate_existing=True)
    if match is None:
        raise MatchNotFound
    return match


def _lock(session: Session, match_id: UUID, state: MatchState) -> MatchCandidate:
    lock_links(session)
    match = _get(session, match_id)
    if match.state != state:
        raise MatchDecided(state=match.state)
    return match


def _decide(session: Session, actor: Actor, match: MatchCandidate, state: MatchState, reason: str | None) -> None:
    before = match.state
    session.execute(
        update(MatchCandidate)
        .where(MatchCandidate.id == match.id)
        .values(state=state.value, **(decision(actor, reason) if reason else NO_DECISION)),
        execution_options={"synchronize_session": False},
    )
    for person_id in (match.first_id, match.second_id):
        audit.record_act(
            session,
            actor,
            "health_card.match.decided",
            subject_id=person_id,
            of=("match_candidate", match.id),
            facts={"before": before, "after": state.value},
        )


def _line(match: MatchCandidate) -> MatchLine:
    return MatchLine(**{name: getattr(match, name) for name in MatchLine.__dataclass_fields__})


def _read_side(session: Session, root: Person) -> Side:
    records = list(session.scalars(select(Person).where(Person.id.in_(same_person_ids(root.id)))))
    ids = [record.id for record in records]
    confirmed, waiting = _count_logins(session, ids)
    return Side(
        person_id=root.id,
        person=get_demographics(session, root.id),
        records=len(records),
        registered_at=min(record.created_at for record in records),
        certificates=[line for record in records for line in _list_certificates(session, record)],
        cards=_list_cards(session, ids),
        logins=confirmed,
        waiting_logins=waiting,
        hospitals=_list_hospitals(session, ids),
        counts=_count_acts(session, ids),
    )


def _list_certificates(session: Session, record: Person) -> list[CertificateLine]:
    key = vault().unwrap(record.data_key)
    rows = session.scalars(
        select(PersonCertificate).filter_by(person_id=record.id).order_by(PersonCertificate.added_at)
    )
    return [
        CertificateLine(row.type, mask_number(key.unseal(row.number_sealed, context=CERTIFICATE)), row.state)
        for row in rows
    ]


def _list_cards(session: Session, ids: Iterable[UUID]) -> list[CardLine]:
    living = living_cards(ids).order_by(Card.issued_at)
    return [CardLine(card.state, card.channel, card.issued_at) for card in session.scalars(living)]


def _count_logins(session: Session, ids: Iterable[UUID]) -> tuple[int, int]:
    def count(holders: Select[tuple[UUID]]) -> int:
        return session.scalar(select(func.count()).select_from(holders.distinct().subquery())) or 0

    of_them = select(Holder.login_id).where(Holder.person_id.in_(ids))
    waiting = of_them.where(Holder.confirmed_at.is_(None), Holder.ended_at.is_(None))
    return count(of_them.where(is_holding())), count(waiting)


def _list_hospitals(session: Session, ids: Iterable[UUID]) -> list[str]:
    known = set(session.scalars(select(PatientNumber.hospital_id).where(PatientNumber.person_id.in_(ids))))
    return sorted(hospital.name for hospital in accounts.list_hospitals(session, known).values())


def _count_acts(session: Session, ids: Iterable[UUID]) -> dict[str, int]:
    acts = select(AuditEntry.action, func.count()).where(
        AuditEntry.subject_id.in_(ids), AuditEntry.action.in_(_COUNTED)
    )
    found = dict(row._tuple() for row in session.execute(acts.group_by(AuditEntry.action)))
    return {action: found.get(action, 0) for action in _COUNTED}
