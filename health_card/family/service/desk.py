"""A desk checks who may act for whom: it knows who stands there (visitors.py), and sees what he shows as proof."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from health_card.desk.refusals import DocumentNotSeen
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
from health_card.family.service.visitors import (
    Known,
    Visitor,
    is_around_visitor,
    is_of_visitor,
    is_visitor_himself,
    is_visitors,
    know_identified,
    know_visitor,
)
from health_card.models import Assurance, Holder, Person, Relation
from health_card.notices.service import tell
from health_card.refusals import UnderFourteen
from health_card.service.ages import LifeStage, guardian_until, life_stage
from health_card.service.demographics import Demographics, get_demographics
from health_card.service.holders import GUARDIAN_RELATIONS
from health_card.service.identities import get_root, lock_root, same_person_ids
from health_card.service.persons import is_holding

_OF_RELATION = frozenset({Proof.BIRTH_CERTIFICATE, Proof.HOUSEHOLD_BOOK, Proof.COURT_PAPER})


@dataclass(frozen=True)
class DeskHolder:
    """Somebody who acts, or wants to, as a desk sees it. All names and numbers are masked.

    :ivar holder_name: whose login it is; None when it is nobody yet.
    :ivar stage: of the person: under 14, 14 to 17, adult.
    :ivar proofs: one of them lets the visitor confirm it; none: another one's document is needed, or first his own.
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

    :raises LookUpNotFound: see ``know_visitor``.
    """
    known = know_visitor(session, actor, visitor)
    around = select(Holder).where(is_around_visitor(known), is_living())
    holders = session.scalars(around.order_by(Holder.confirmed_at.is_not(None), Holder.created_at)).all()
    for person_id in sorted({holder.person_id for holder in holders}):
        audit.record_act(session, actor, "health_card.holders.listed", subject_id=person_id)
    return [_describe(session, holder, known) for holder in holders]


def confirm_holder(
    session: Session, actor: Actor, *, visitor: Visitor, holder_id: UUID, proof: Proof, person_was_present: bool
) -> DeskHolder:
    """Confirm, on proof, that the holder may act. Confirming again on the same terms changes nothing.

    The visitor is the one who wants to act, or the person himself. Who takes a child over thereby ends the holder of
    the one who handed it over.

    :param person_was_present: the person himself, when he is not the visitor; from 14 on he is asked.
    :raises LookUpNotFound, DocumentNotSeen: see ``know_identified``; or the proof is a document that nobody has seen.
    :raises HolderNotFound: nobody such is, or acts for, the visitor.
    :raises UnderFourteen: a child has no login of its own.
    :raises ProofDoesNotFit: see ``list_proofs``.
    :raises GuardiansComplete: the child has two.
    """
    known = know_identified(session, actor, visitor)
    found = find_holder_at_desk(session, known, holder_id)
    person = lock_root(session, found.person_id)
    holder = find_holder_at_desk(session, known, holder_id)
    relation, stage = Relation(holder.relation), life_stage(person.birth_date)
    if relation is Relation.SELF and stage is LifeStage.CHILD:
        raise UnderFourteen
    enough, needs_person = _list_proofs_of(session, known, person, holder)
    if proof is Proof.IDENTITY_DOCUMENT and known.is_by_phone and not known.is_seen:
        raise DocumentNotSeen
    if proof not in enough or (needs_person and not person_was_present):
        raise ProofDoesNotFit
    is_guardian = relation in GUARDIAN_RELATIONS
    consents = stage is LifeStage.MINOR
    until = guardian_until(person.birth_date, has_consented=consents) if is_guardian else None
    if is_proven(session, holder) and holder.confirmed_at is not None and holder.valid_until == until:
        return _describe(session, holder, known)
    replaced = _find_handing_over(session, holder)
    if holder.confirmed_at is None:
        check_guardian_places(session, person, relation, replaced.id if replaced else None)
    confirm(session, holder, until)
    if relation is Relation.SELF and proof is not Proof.PHONE:
        raise_assurance(session, actor, person_id=holder.person_id, level=Assurance.DOCUMENT, evidence=proof.value)
    _record_check(session, actor, holder, proof=proof, person_was_present=person_was_present)
    kind = "login_confirmed" if relation is Relation.SELF else "family_added"
    tell(session, person_id=holder.person_id, kind=kind, hospital_id=actor.house_id, of=("holder", holder.id))
    if replaced is not None:
        _end_at_desk(session, actor, replaced, "handed_over")
    return _describe(session, holder, known)


def refuse_holder(session: Session, actor: Actor, *, visitor: Visitor, holder_id: UUID, reason: RefusalReason) -> None:
    """Refuse somebody who waits, or end somebody who acts without ever having proven that he may.

    :raises LookUpNotFound, DocumentNotSeen: see ``know_identified``.
    :raises HolderNotFound: nobody such around the visitor.
    :raises HolderProven: a desk has confirmed him.
    :raises ProofDoesNotFit: he acts already, and the visitor neither is the person nor stands beside a proven holder.
    """
    known = know_identified(session, actor, visitor)
    found = _find_around(session, known, holder_id)
    lock_root(session, found.person_id)
    holder = _find_around(session, known, holder_id)
    if is_proven(session, holder):
        raise HolderProven
    if holder.confirmed_at is not None and not _may_end(session, known, holder):
        raise ProofDoesNotFit
    _record_check(session, actor, holder, reason=reason)
    _end_at_desk(session, actor, holder, "refused_at_desk")


def find_holder_at_desk(session: Session, known: Known, holder_id: UUID) -> Holder:
    """A holder of the visitor's own login, or of the visitor's own person.

    :raises HolderNotFound: none such.
    """
    return _get_one(session, select(Holder).where(Holder.id == holder_id, is_of_visitor(known), is_living()))


def _find_around(session: Session, known: Known, holder_id: UUID) -> Holder:
    return _get_one(session, select(Holder).where(Holder.id == holder_id, is_around_visitor(known), is_living()))


def _get_one(session: Session, question: Select[tuple[Holder]]) -> Holder:
    holder = session.scalars(question, execution_options={"populate_existing": True}).one_or_none()
    if holder is None:
        raise HolderNotFound
    return holder


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


def _list_proofs_of(session: Session, known: Known, person: Person, holder: Holder) -> tuple[frozenset[Proof], bool]:
    """As ``list_proofs``, for this visitor: who comes by his phone has shown no document yet, and needs none where a
    desk has confirmed that login before and it is he himself whom it is about."""
    enough, needs_person = list_proofs(session, person, Relation(holder.relation))
    if not known.is_by_phone or Proof.IDENTITY_DOCUMENT not in enough:
        return enough, needs_person
    by_phone = known.was_proven and is_visitor_himself(session, known, holder)
    return frozenset(
        ({Proof.PHONE} if by_phone else set()) | ({Proof.IDENTITY_DOCUMENT} if known.is_seen else set())
    ), needs_person


def _is_newborn(session: Session, person_id: UUID) -> bool:
    return bool(session.scalar(select(exists().where(Newborn.person_id.in_(same_person_ids(person_id))))))


def _find_handing_over(session: Session, holder: Holder) -> Holder | None:
    """The holder in whose place this one comes."""
    given = select(Invitation.holder_id).where(
        Invitation.accepted_holder_id == holder.id, Invitation.kind == InvitationKind.HAND_OVER
    )
    giving = select(Holder).where(Holder.id.in_(given), is_holding()).order_by(Holder.created_at).limit(1)
    return session.scalars(giving).one_or_none()


def _may_end(session: Session, known: Known, holder: Holder) -> bool:
    """The person himself may, and otherwise a desk that has seen the proof of somebody else."""
    proven = select(HolderCheck.holder_id).where(HolderCheck.outcome == Outcome.CONFIRMED)
    beside = select(Holder.id).where(
        Holder.person_id.in_(same_person_ids(holder.person_id)), Holder.id.in_(proven), is_holding()
    )
    return is_visitor_himself(session, known, holder) or bool(session.scalar(select(beside.exists())))


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


def _describe(session: Session, holder: Holder, known: Known) -> DeskHolder:
    person = get_demographics(session, holder.person_id)
    root = get_root(session, holder.person_id)
    proofs, needs_person = _list_proofs_of(session, known, root, holder)
    return DeskHolder(
        holder_id=holder.id,
        relation=Relation(holder.relation),
        person=person,
        holder_name=name_of_login(session, holder.login_id),
        stage=life_stage(root.birth_date),
        is_confirmed=holder.confirmed_at is not None,
        is_proven=is_proven(session, holder),
        proofs=proofs if known.is_identified and is_visitors(session, known, holder) else frozenset(),
        needs_person=needs_person,
        awaits_certificate=person.certificate_type in {None, "111"} and _is_newborn(session, holder.person_id),
        created_at=holder.created_at,
        valid_until=holder.valid_until,
    )
