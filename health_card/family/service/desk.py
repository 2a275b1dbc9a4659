"""A desk checks who may act for whom: by the document of the one who stands there, and by what he shows as proof."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, exists, false, select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from health_card.certificates import Certificate
from health_card.desk.service.assurance import raise_assurance
from health_card.family.models import (
    HolderCheck,
    Invitation,
    InvitationKind,
    Newborn,
    Outcome,
    Proof,
    RefusalReason,
)
from health_card.family.refusals import HolderNotFound, HolderProven, ProofDoesNotFit
from health_card.family.service.holding import (
    check_guardian_places,
    confirm,
    end,
    is_living,
    tell_former,
)
from health_card.family.service.members import is_proven, name_of_login
from health_card.models import Assurance, Holder, Person, Relation
from health_card.notices.service import tell
from health_card.refusals import UnderFourteen
from health_card.service.ages import LifeStage, guardian_until, life_stage
from health_card.service.demographics import Demographics, get_demographics
from health_card.service.holders import GUARDIAN_RELATIONS
from health_card.service.identities import find_by_certificate, get_root, lock_root, same_person_ids, same_persons
from health_card.service.persons import is_holding

_OF_RELATION = frozenset({Proof.BIRTH_CERTIFICATE, Proof.HOUSEHOLD_BOOK, Proof.COURT_PAPER})


@dataclass(frozen=True)
class Visitor:
    """Who stands at the desk, by the document that he shows."""

    certificate: Certificate


@dataclass(frozen=True)
class DeskHolder:
    """Somebody who acts, or wants to, as a desk sees it. All names and numbers are masked.

    :ivar holder_name: whose login it is; None when it is nobody yet.
    :ivar stage: of the person: under 14, 14 to 17, adult.
    :ivar proofs: one of them lets the visitor's document confirm it; none: another one's document is needed.
    :ivar needs_person: the person himself must be present and agree.
    :ivar awaits_certificate: a newborn that can be given its own number.
    """

    holder_id: UUID
    relation: Relation
    person: Demographics
    holder_name: str | None
    stage: LifeStage
    is_confirmed: bool
    is_proven: bool
    proofs: frozenset[Proof]
    needs_person: bool
    awaits_certificate: bool
    created_at: datetime
    valid_until: datetime | None


def list_holders_at_desk(session: Session, actor: Actor, *, visitor: Visitor) -> list[DeskHolder]:
    """Who acts, or waits to, for the visitor and for those whom the visitor acts for, or waits to.

    Whose document is not known gets the same empty list as he for whom there is nothing to do.
    """
    around = select(Holder).where(_is_around(session, visitor), is_living())
    holders = session.scalars(around.order_by(Holder.confirmed_at.is_not(None), Holder.created_at)).all()
    for person_id in sorted({holder.person_id for holder in holders}):
        audit.record_act(session, actor, "health_card.holders.listed", subject_id=person_id)
    return [_describe(session, holder, visitor) for holder in holders]


def confirm_holder(
    session: Session, actor: Actor, *, visitor: Visitor, holder_id: UUID, proof: Proof, person_was_present: bool
) -> DeskHolder:
    """Confirm, on proof, that the holder may act. Confirming again on the same terms changes nothing.

    The visitor is the one who wants to act, or the person himself. Who takes a child over thereby ends the holder of
    the one who handed it over.

    :param person_was_present: the person himself, when he is not the visitor; from 14 on he is asked.
    :raises HolderNotFound: nobody such is, or acts for, the visitor.
    :raises UnderFourteen: a child has no login of its own.
    :raises ProofDoesNotFit: see ``list_proofs``.
    :raises GuardiansComplete: the child has two.
    """
    found = find_holder_at_desk(session, visitor, holder_id)
    person = lock_root(session, found.person_id)
    holder = find_holder_at_desk(session, visitor, holder_id)
    relation, stage = Relation(holder.relation), life_stage(person.birth_date)
    if relation is Relation.SELF and stage is LifeStage.CHILD:
        raise UnderFourteen
    enough, needs_person = list_proofs(session, person, relation)
    if proof not in enough or (needs_person and not person_was_present):
        raise ProofDoesNotFit
    is_guardian = relation in GUARDIAN_RELATIONS
    consents = stage is LifeStage.MINOR
    until = guardian_until(person.birth_date, has_consented=consents) if is_guardian else None
    if is_proven(session, holder) and holder.confirmed_at is not None and holder.valid_until == until:
        return _describe(session, holder, visitor)
    replaced = _find_handing_over(session, holder)
    if holder.confirmed_at is None:
        check_guardian_places(session, person, relation, replaced.id if replaced else None)
    confirm(session, holder, until)
    if relation is Relation.SELF:
        raise_assurance(session, actor, person_id=holder.person_id, level=Assurance.DOCUMENT, evidence=proof.value)
    _record_check(session, actor, holder, proof=proof, person_was_present=person_was_present)
    kind = "login_confirmed" if relation is Relation.SELF else "family_added"
    tell(session, person_id=holder.person_id, kind=kind, hospital_id=actor.house_id, of=("holder", holder.id))
    if replaced is not None:
        _end_at_desk(session, actor, replaced, "handed_over")
    return _describe(session, holder, visitor)


def refuse_holder(session: Session, actor: Actor, *, visitor: Visitor, holder_id: UUID, reason: RefusalReason) -> None:
    """Refuse somebody who waits, or end somebody who acts without ever having proven that he may.

    :raises HolderNotFound: nobody such around the visitor.
    :raises HolderProven: a desk has confirmed him.
    :raises ProofDoesNotFit: he acts already, and the visitor neither is the person nor stands beside a proven holder.
    """
    found = _find_around(session, visitor, holder_id)
    lock_root(session, found.person_id)
    holder = _find_around(session, visitor, holder_id)
    if is_proven(session, holder):
        raise HolderProven
    if holder.confirmed_at is not None and not _may_end(session, visitor, holder):
        raise ProofDoesNotFit
    _record_check(session, actor, holder, reason=reason)
    _end_at_desk(session, actor, holder, "refused_at_desk")


def find_holder_at_desk(session: Session, visitor: Visitor, holder_id: UUID) -> Holder:
    """A holder of the visitor's own login, or of the visitor's own person.

    :raises HolderNotFound: none such.
    """
    return _get_one(session, select(Holder).where(Holder.id == holder_id, _is_of(session, visitor), is_living()))


def _find_around(session: Session, visitor: Visitor, holder_id: UUID) -> Holder:
    return _get_one(session, select(Holder).where(Holder.id == holder_id, _is_around(session, visitor), is_living()))


def _get_one(session: Session, question: Select[tuple[Holder]]) -> Holder:
    holder = session.scalars(question, execution_options={"populate_existing": True}).one_or_none()
    if holder is None:
        raise HolderNotFound
    return holder


def _own_ids(session: Session, visitor: Visitor) -> Select[tuple[UUID]]:
    known = find_by_certificate(session, visitor.certificate)
    return same_person_ids(known) if known is not None else select(Person.id).where(false())


def _logins_of(own: Select[tuple[UUID]]) -> Select[tuple[UUID]]:
    return select(Holder.login_id).where(Holder.person_id.in_(own), Holder.relation == Relation.SELF, is_holding())


def _is_of(session: Session, visitor: Visitor) -> ColumnElement[bool]:
    own = _own_ids(session, visitor)
    return Holder.person_id.in_(own) | Holder.login_id.in_(_logins_of(own))


def _is_visitors(session: Session, visitor: Visitor, holder: Holder) -> bool:
    return bool(session.scalar(select(exists().where(Holder.id == holder.id, _is_of(session, visitor)))))


def _is_around(session: Session, visitor: Visitor) -> ColumnElement[bool]:
    own = _own_ids(session, visitor)
    held = same_persons(select(Holder.person_id).where(Holder.login_id.in_(_logins_of(own)), is_living()))
    return Holder.person_id.in_(own) | Holder.person_id.in_(held)


def list_proofs(session: Session, person: Person, relation: Relation) -> tuple[frozenset[Proof], bool]:
    """What is enough for this relation at this age (docs/adr/0015-acting-for-others.md).

    :returns: the proofs of which one is enough, and whether the person himself must be present and agree.
    """
    stage = life_stage(person.birth_date)
    if relation is Relation.WARD and stage is LifeStage.ADULT:
        return frozenset({Proof.COURT_PAPER}), False
    if relation not in GUARDIAN_RELATIONS or stage is LifeStage.ADULT:
        return frozenset({Proof.IDENTITY_DOCUMENT}), True
    if stage is LifeStage.MINOR:
        return _OF_RELATION, True
    return _OF_RELATION | ({Proof.BIRTH_RECORD} if _is_newborn(session, person.id) else set()), False


def _is_newborn(session: Session, person_id: UUID) -> bool:
    return bool(session.scalar(select(exists().where(Newborn.person_id.in_(same_person_ids(person_id))))))


def _find_handing_over(session: Session, holder: Holder) -> Holder | None:
    """The holder in whose place this one comes."""
    given = select(Invitation.holder_id).where(
        Invitation.accepted_holder_id == holder.id, Invitation.kind == InvitationKind.HAND_OVER
    )
    giving = select(Holder).where(Holder.id.in_(given), is_holding()).order_by(Holder.created_at).limit(1)
    return session.scalars(giving).one_or_none()


def _may_end(session: Session, visitor: Visitor, holder: Holder) -> bool:
    """The person himself may, and otherwise a desk that has seen the proof of somebody else."""
    own = _own_ids(session, visitor)
    proven = select(HolderCheck.holder_id).where(HolderCheck.outcome == Outcome.CONFIRMED)
    is_own = Holder.person_id.in_(own)
    beside = select(Holder.id).where(
        Holder.person_id.in_(same_person_ids(holder.person_id)), Holder.id.in_(proven), is_holding()
    )
    return bool(session.scalar(select(exists().where(Holder.id == holder.id, is_own) | beside.exists())))


def _record_check(
    session: Session,
    actor: Actor,
    holder: Holder,
    *,
    proof: Proof | None = None,
    reason: RefusalReason | None = None,
    person_was_present: bool = False,
) -> None:
    outcome = Outcome.CONFIRMED if proof else Outcome.REFUSED
    check = HolderCheck(
        holder_id=holder.id,
        outcome=outcome.value,
        proof=proof.value if proof else None,
        reason=reason.value if reason else None,
        person_was_present=person_was_present,
        hospital_id=actor.house_id,
        staff_id=actor.id,
        checked_at=clock.now(),
    )
    session.add(check)
    session.flush()
    grounds = proof or reason
    audit.record_act(
        session,
        actor,
        f"health_card.holder.{outcome.value}",
        subject_id=holder.person_id,
        of=("holder", holder.id),
        facts={"for": holder.relation, "grounds": grounds.value if grounds else None},
    )


def _end_at_desk(session: Session, actor: Actor, holder: Holder, reason: str) -> None:
    if holder.confirmed_at is not None:
        tell(session, person_id=holder.person_id, kind="family_left", hospital_id=actor.house_id)
    end(session, holder, reason)
    audit.record_act(
        session,
        actor,
        "health_card.holder.ended",
        subject_id=holder.person_id,
        of=("holder", holder.id),
        facts={"for": holder.relation, "reason": reason},
    )
    tell_former(session, holder)


def _describe(session: Session, holder: Holder, visitor: Visitor) -> DeskHolder:
    person = get_demographics(session, holder.person_id)
    root = get_root(session, holder.person_id)
    proofs, needs_person = list_proofs(session, root, Relation(holder.relation))
    return DeskHolder(
        holder_id=holder.id,
        relation=Relation(holder.relation),
        person=person,
        holder_name=name_of_login(session, holder.login_id),
        stage=life_stage(root.birth_date),
        is_confirmed=holder.confirmed_at is not None,
        is_proven=is_proven(session, holder),
        proofs=proofs if _is_visitors(session, visitor, holder) else frozenset(),
        needs_person=needs_person,
        awaits_certificate=person.certificate_type in {None, "111"} and _is_newborn(session, holder.person_id),
        created_at=holder.created_at,
        valid_until=holder.valid_until,
    )
