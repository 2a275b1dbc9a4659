"""Putting records together as one person, and taking them apart again (docs/adr/0011)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor, ActorKind
from core.ids import new_id
from health_card.certificates import CertificateType
from health_card.matching.models import MatchCandidate, MatchState, PersonLink
from health_card.matching.refusals import (
    AlreadyOnePerson,
    FactsContradict,
    LinkNotFound,
    LinkUndone,
    PairRefused,
    RecordNotFound,
)
from health_card.models import CertificateState, Holder, Person, PersonCertificate, Relation
from health_card.notices.service import tell
from health_card.service.identities import same_person_ids
from health_card.service.persons import is_holding

PAGE = 50
NO_DECISION = {"decided_at": None, "decided_by": None, "reason": None}


@dataclass(frozen=True)
class LinkView:
    """One merge. ``linked_by`` and ``undone_by``: staff ids, None for the platform itself."""

    id: UUID
    from_id: UUID
    into_id: UUID
    reason: str
    evidence: list[str]
    linked_at: datetime
    linked_by: UUID | None
    undone_at: datetime | None
    undone_by: UUID | None
    undo_reason: str | None


def merge_persons(
    session: Session,
    actor: Actor,
    *,
    from_id: UUID,
    into_id: UUID,
    reason: str,
    evidence: Iterable[str] = (),
    override: bool = False,
) -> LinkView:
    """Put the person of one record behind the person of another; who acts for either is told, once.

    Nothing is copied or moved: it is taken back by ``unmerge_persons``, also after later edits and merges.

    :param into_id: whose record stands for the person from now on.
    :param evidence: codes of ``weights.WEIGHTS``.
    :param override: merge although certain facts contradict each other.
    :raises RecordNotFound: no such record.
    :raises AlreadyOnePerson: they are one already.
    :raises PairRefused: the two, or others of the same persons, are on the do-not-match list.
    :raises FactsContradict: see ``list_contradictions``.
    """
    lock_links(session)
    absorbed, standing = lock_root(session, from_id), lock_root(session, into_id)
    overridden = _check_can_be_one(session, absorbed, standing, override=override)
    link = PersonLink(
        from_id=absorbed.id,
        into_id=standing.id,
        reason=reason,
        evidence=list(evidence),
        linked_at=clock.now(),
        linked_by=_staff_id(actor),
    )
    session.add(link)
    session.flush()
    pairs = between(same_person_ids(absorbed.id), same_person_ids(standing.id))
    decided = {"state": MatchState.MERGED.value, "link_id": link.id, **decision(actor, reason)}
    session.execute(
        update(MatchCandidate).where(pairs).values(decided), execution_options={"synchronize_session": False}
    )
    _set_root(session, select(Person.id).where(Person.root_id == absorbed.id), standing.id)
    facts = {"overridden": overridden} if overridden else {}
    for person_id in (absorbed.id, standing.id):
        audit.record_act(
            session,
            actor,
            "health_card.person.merged",
            subject_id=person_id,
            of=("person_link", link.id),
            facts={"into": str(standing.id), **facts},
        )
    # They are one from now on: whoever acts for either of the two finds one notice.
    tell(session, person_id=standing.id, kind="merged", of=("person_link", link.id))
    return _view(link)


def _check_can_be_one(session: Session, absorbed: Person, standing: Person, *, override: bool) -> list[str]:
    """Refusals as ``merge_persons``; returns the contradictions that are overridden."""
    if absorbed.id == standing.id:
        raise AlreadyOnePerson
    if is_refused(session, absorbed.id, standing.id):
        raise PairRefused
    contradictions = list_contradictions(session, absorbed, standing)
    if contradictions and not override:
        raise FactsContradict(contradictions=contradictions)
    return contradictions


def unmerge_persons(session: Session, actor: Actor, *, link_id: UUID, reason: str) -> LinkView:
    """Take one merge back; both are told. Other merges of the same persons stay, whatever their order was.

    Each record has its own again, with all that came through it in between. The pair goes onto the do-not-match list.

    :raises LinkNotFound: no such merge.
    :raises LinkUndone: it was taken back before.
    """
    lock_links(session)
    link = session.get(PersonLink, link_id, populate_existing=True)
    if link is None:
        raise LinkNotFound
    if link.undone_at is not None:
        raise LinkUndone
    link.undone_at, link.undone_by, link.undo_reason = clock.now(), _staff_id(actor), reason
    session.flush()
    _set_root(session, _behind(link.from_id), link.from_id)
    _refuse_again(session, actor, link, reason)
    for person_id in (link.from_id, link.into_id):
        audit.record_act(
            session, actor, "health_card.person.unmerged", subject_id=person_id, of=("person_link", link.id)
        )
        tell(session, person_id=person_id, kind="unmerged", of=("person_link", link.id))
    return _view(link)


def list_links(session: Session, actor: Actor, *, before: UUID | None = None) -> list[LinkView]:
    """The merges, undone ones included, newest first.

    :param before: the id of the last line of the page before.
    """
    page = select(PersonLink).order_by(PersonLink.id.desc()).limit(PAGE)
    links = session.scalars(page.where(PersonLink.id < before) if before else page).all()
    audit.record_act(session, actor, "health_card.merges.listed", facts={"lines": len(links)})
    return [_view(link) for link in links]


def list_contradictions(session: Session, one: Person, other: Person) -> list[str]:
    """Which certain facts speak against one person: codes, none when nothing does.

    ``resident_ids_differ``: both have current resident ID numbers, none in common. ``sex_differs``,
    ``birth_date_differs``. ``held_by_one_login``: somebody acts for one as himself and for the other as a relative.
    """
    numbers = [set(session.scalars(_resident_ids(person))) for person in (one, other)]
    mine, theirs = _holders(session, one), _holders(session, other)
    found = {
        "resident_ids_differ": all(numbers) and numbers[0].isdisjoint(numbers[1]),
        "sex_differs": "unknown" not in (one.sex, other.sex) and one.sex != other.sex,
        "birth_date_differs": None not in (one.birth_date, other.birth_date) and one.birth_date != other.birth_date,
        "held_by_one_login": any((login_id, not as_self) in theirs for login_id, as_self in mine),
    }
    return [code for code, speaks_against in found.items() if speaks_against]


def lock_links(session: Session) -> None:
    """Whatever decides which records are one person waits for its turn, so that no two decisions can cross."""
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("person_links", 0))))


def lock_root(session: Session, person_id: UUID) -> Person:
    """The record that stands for the person, with all that stand behind it locked in the order of their ids.

    :raises RecordNotFound: no such record.
    """
    members = select(Person).where(Person.id.in_(same_person_ids(person_id))).order_by(Person.id)
    locked = session.scalars(members.with_for_update(), execution_options={"populate_existing": True}).all()
    if not locked:
        raise RecordNotFound
    return next(person for person in locked if person.id == person.root_id)


def is_refused(session: Session, one: UUID, other: UUID) -> bool:
    """Whether any record of the one person and any of the other are on the do-not-match list."""
    pairs = between(same_person_ids(one), same_person_ids(other))
    refused = select(MatchCandidate.id).where(pairs, MatchCandidate.state == MatchState.REFUSED)
    return session.scalar(refused.limit(1)) is not None


def was_undone(session: Session, one: UUID, other: UUID) -> bool:
    """Whether the two persons were put together before, and taken apart."""
    mine, theirs = same_person_ids(one), same_person_ids(other)
    there = and_(PersonLink.from_id.in_(mine), PersonLink.into_id.in_(theirs))
    back = and_(PersonLink.from_id.in_(theirs), PersonLink.into_id.in_(mine))
    undone = select(PersonLink.id).where(or_(there, back), PersonLink.undone_at.is_not(None))
    return session.scalar(undone.limit(1)) is not None


def between(one: Select[tuple[UUID]], other: Select[tuple[UUID]]) -> ColumnElement[bool]:
    """The pairs with a record of the one person and a record of the other."""
    first, second = MatchCandidate.first_id, MatchCandidate.second_id
    return or_(and_(first.in_(one), second.in_(other)), and_(first.in_(other), second.in_(one)))


def decision(actor: Actor, reason: str) -> dict[str, object]:
    """Who decided about a pair, when and why."""
    return {"decided_at": clock.now(), "decided_by": _staff_id(actor), "reason": reason}


def _staff_id(actor: Actor) -> UUID | None:
    return actor.id if actor.kind is ActorKind.STAFF else None


def _resident_ids(person: Person) -> Select[tuple[bytes]]:
    return select(PersonCertificate.number_index).where(
        PersonCertificate.person_id.in_(same_person_ids(person.id)),
        PersonCertificate.type == CertificateType.RESIDENT_ID,
        PersonCertificate.state == CertificateState.CURRENT,
    )


def _holders(session: Session, person: Person) -> set[tuple[UUID, bool]]:
    """Which logins act for the person, and whether as himself."""
    held = select(Holder.login_id, Holder.relation).where(
        Holder.person_id.in_(same_person_ids(person.id)), is_holding()
    )
    return {(login_id, relation == Relation.SELF) for login_id, relation in session.execute(held)}


def _behind(person_id: UUID) -> Select[tuple[UUID]]:
    """The record itself, and all that links in force put behind it."""
    behind = select(Person.id).where(Person.id == person_id).cte("behind", recursive=True)
    in_force = select(PersonLink.from_id).where(PersonLink.into_id == behind.c.id, PersonLink.undone_at.is_(None))
    behind = behind.union_all(in_force)
    return select(behind.c.id)


def _set_root(session: Session, members: Select[tuple[UUID]], root_id: UUID) -> None:
    session.execute(
        update(Person).where(Person.id.in_(members)).values(root_id=root_id),
        execution_options={"synchronize_session": "fetch"},
    )


def _refuse_again(session: Session, actor: Actor, link: PersonLink, reason: str) -> None:
    """What was put together and taken apart must not be put together again by itself."""
    refused = {"state": MatchState.REFUSED.value, "link_id": None, **decision(actor, reason)}
    session.execute(
        update(MatchCandidate).where(MatchCandidate.link_id == link.id).values(refused),
        execution_options={"synchronize_session": False},
    )
    first_id, second_id = sorted((link.from_id, link.into_id))
    pair = insert(MatchCandidate).values(
        id=new_id(), first_id=first_id, second_id=second_id, score=0, evidence=[], found_at=clock.now(), **refused
    )
    session.execute(pair.on_conflict_do_update(index_elements=["first_id", "second_id"], set_=refused))


def _view(link: PersonLink) -> LinkView:
    return LinkView(**{name: getattr(link, name) for name in LinkView.__dataclass_fields__})
