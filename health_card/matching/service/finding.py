"""Finding the records that may be the same person's. For jobs only: the readings of all characters fill 50 MB."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from core.vault import vault
from health_card.matching.comparing import Known, KnownCertificate, compare, is_certain, list_traits
from health_card.matching.models import MatchCandidate, MatchState, PersonTrait
from health_card.matching.service.links import (
    is_refused,
    list_contradictions,
    lock_links,
    lock_root,
    merge_persons,
    was_undone,
)
from health_card.matching.service.review import suggest_standing
from health_card.matching.traits import index_trait
from health_card.matching.weights import CLAIMS, REVIEW_THRESHOLD, score
from health_card.models import Holder, Person, PersonCertificate, Relation
from health_card.service.identities import CERTIFICATE, NAME, PHONE
from health_card.service.persons import is_holding

# What more records share than this (the telephone of a village) tells nothing.
_MOST_SHARING = 300
_MOST_CANDIDATES = 100
_FOR_ANOTHER = (Relation.CHILD, Relation.WARD)
CERTAIN = "certain"
NOTHING_SHARED: tuple[str, ...] = ()


def note_traits(session: Session, person_ids: Collection[UUID]) -> None:
    """Keep what the records can be found by. What was noted before stays, so that former names and phones find too."""
    rows = [
        {"person_id": person_id, "kind": kind.value, "value_index": index_trait(kind, text)}
        for person_id in session.scalars(select(Person.id).where(Person.id.in_(person_ids), Person.erased_at.is_(None)))
        for kind, text in list_traits(_read(session, person_id))
    ]
    if rows:
        session.execute(insert(PersonTrait).on_conflict_do_nothing(), rows)


def find_candidates(session: Session, person_id: UUID) -> dict[UUID, tuple[str, ...]]:
    """The records of other persons that share a trait or a guardian with this one, and the kinds of traits shared."""
    mine, sharing, own, others = aliased(PersonTrait), aliased(PersonTrait), aliased(Person), aliased(Person)
    alike = (
        select(sharing.person_id, sharing.kind)
        .where(sharing.kind == mine.kind, sharing.value_index == mine.value_index, sharing.person_id != person_id)
        .limit(_MOST_SHARING)
        .lateral()
    )
    by_traits = (
        select(alike.c.person_id, func.array_agg(alike.c.kind.distinct()))
        .select_from(mine)
        .join(alike, literal(True))
        .join(others, others.id == alike.c.person_id)
        .join(own, own.id == person_id)
        .where(mine.person_id == person_id, others.root_id != own.root_id)
        .group_by(alike.c.person_id)
        .order_by(func.count().desc(), alike.c.person_id.desc())
        .limit(_MOST_CANDIDATES)
    )
    found = {other_id: tuple(kinds) for other_id, kinds in session.execute(by_traits)}
    return dict.fromkeys(_list_wards_beside(session, person_id), NOTHING_SHARED) | found


def record_candidates(session: Session, actor: Actor, *, person_id: UUID) -> None:
    """Compare a record with all that may be the same person's: put what looks alike before the operator, and put
    together what is certain. Again, it changes nothing but scores.

    A pair that was refused stays refused.
    """
    lock_links(session)
    open_pairs = _list_open_pairs(session, person_id)
    compared = _compare_all(session, person_id, dict.fromkeys(open_pairs, NOTHING_SHARED))
    for other_id, (evidence, _) in compared.items():
        said = [code for code in open_pairs.get(other_id, []) if code in CLAIMS]
        if other_id in open_pairs or score(evidence) >= REVIEW_THRESHOLD:
            _keep_pair(session, person_id, other_id, evidence + said)
    certain = _list_certain(compared)
    # Two that fit equally well, seen from either (twins before they have names of their own), are no certainty.
    if len(certain) == 1 and _list_certain(_compare_all(session, certain[0], {})) == [person_id]:
        _merge_certain(session, actor, person_id, certain[0], compared[certain[0]][0])


def record_claim(session: Session, actor: Actor, *, person_ids: Sequence[UUID], code: str) -> None:
    """Somebody says that two records are one person's: the operator looks, whatever else speaks against it.

    :param code: one of ``weights.CLAIMS``.
    """
    lock_links(session)
    one, other = (_read(session, person_id) for person_id in person_ids)
    if one.root_id == other.root_id:
        return
    _keep_pair(session, one.person_id, other.person_id, [*compare(one, other, NOTHING_SHARED), code])
    for known in (one, other):
        audit.record_act(session, actor, "health_card.match.claimed", subject_id=known.person_id, facts={"code": code})


def _compare_all(
    session: Session, person_id: UUID, others: dict[UUID, tuple[str, ...]]
) -> dict[UUID, tuple[list[str], bool]]:
    """The record beside these others and all that it shares something with: the evidence, and whether it is certain."""
    known, compared = _read(session, person_id), {}
    for other_id, shared in (others | find_candidates(session, person_id)).items():
        other = _read(session, other_id)
        if other.root_id != known.root_id:
            evidence = compare(known, other, shared)
            compared[other_id] = evidence, is_certain(known, other, evidence)
    return compared


def _list_certain(compared: dict[UUID, tuple[list[str], bool]]) -> list[UUID]:
    return [other_id for other_id, (_, certain) in compared.items() if certain]


def _merge_certain(session: Session, actor: Actor, person_id: UUID, other_id: UUID, evidence: list[str]) -> None:
    one, other = lock_root(session, person_id), lock_root(session, other_id)
    if is_refused(session, one.id, other.id) or was_undone(session, one.id, other.id):
        return
    if list_contradictions(session, one, other):
        return
    standing = suggest_standing(session, one, other)
    absorbed = other if standing is one else one
    merge_persons(session, actor, from_id=absorbed.id, into_id=standing.id, reason=CERTAIN, evidence=evidence)


def _keep_pair(session: Session, one: UUID, other: UUID, evidence: list[str]) -> None:
    first_id, second_id = sorted((one, other))
    pair = insert(MatchCandidate).values(
        id=new_id(),
        first_id=first_id,
        second_id=second_id,
        score=score(evidence),
        evidence=evidence,
        state=MatchState.OPEN.value,
        found_at=clock.now(),
    )
    session.execute(
        pair.on_conflict_do_update(
            index_elements=["first_id", "second_id"],
            set_={"score": pair.excluded.score, "evidence": pair.excluded.evidence},
            where=MatchCandidate.state == MatchState.OPEN,
        )
    )


def _list_open_pairs(session: Session, person_id: UUID) -> dict[UUID, list[str]]:
    """With whom the record stands before the operator, and what was said of it."""
    first, second = MatchCandidate.first_id, MatchCandidate.second_id
    mine = (first == person_id) | (second == person_id)
    pairs = session.execute(
        select(first, second, MatchCandidate.evidence).where(mine, MatchCandidate.state == MatchState.OPEN)
    )
    return {(two if one == person_id else one): list(evidence) for one, two, evidence in pairs}


def _list_wards_beside(session: Session, person_id: UUID) -> list[UUID]:
    """The other children of those who act for this one as a child's."""
    guardians = session.scalars(select(Holder.login_id).where(_is_ward_of(), Holder.person_id == person_id)).all()
    beside = select(Holder.person_id).where(_is_ward_of(), Holder.login_id.in_(guardians))
    return list(session.scalars(beside.where(Holder.person_id != person_id)))


def _is_ward_of() -> ColumnElement[bool]:
    return Holder.relation.in_(_FOR_ANOTHER) & is_holding()


def _read(session: Session, person_id: UUID) -> Known:
    person = session.get_one(Person, person_id, populate_existing=True)
    key = vault().unwrap(person.data_key)
    certificates = session.scalars(select(PersonCertificate).filter_by(person_id=person_id))
    holders = session.execute(
        select(Holder.login_id, Holder.relation).where(Holder.person_id == person_id, is_holding())
    )
    relations = dict(row._tuple() for row in holders)
    return Known(
        person_id=person.id,
        root_id=person.root_id,
        name=key.unseal(person.name_sealed, context=NAME),
        phone=key.unseal(person.phone_sealed, context=PHONE),
        sex=person.sex,
        birth_date=person.birth_date,
        assurance=person.assurance,
        certificates=tuple(
            KnownCertificate(found.type, key.unseal(found.number_sealed, context=CERTIFICATE), found.state)
            for found in certificates
        ),
        holders=frozenset(relations),
        guardians=frozenset(login_id for login_id, relation in relations.items() if relation in _FOR_ANOTHER),
    )
