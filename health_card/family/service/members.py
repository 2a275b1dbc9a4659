"""A login's family: whom it acts for, who acts for its own person, adding a relative and leaving."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, false, select
from sqlalchemy.orm import Session

from core import audit
from core.actor import Actor
from health_card.family.models import HolderCheck, Outcome
from health_card.family.refusals import BirthDateMissing, HolderNotFound, LastGuardian, SelfCannotLeave
from health_card.family.service.holding import (
    Terms,
    check_guardian_places,
    check_relation,
    confirm,
    count_guardians,
    end,
    find_self_id,
    get_own_person_id,
    hold,
    is_living,
)
from health_card.masks import mask_name
from health_card.models import ApplyChannel, Holder, Person, Relation
from health_card.notices.service import tell
from health_card.refusals import PersonDetailsDiffer
from health_card.service.ages import LifeStage, guardian_until, life_stage
from health_card.service.demographics import get_plain_demographics
from health_card.service.holders import GUARDIAN_RELATIONS
from health_card.service.identities import Details, check_details, find_or_create_person, lock_root, same_person_ids
from health_card.service.persons import check_same_details, find_or_issue_card, name_and_phone


@dataclass(frozen=True)
class Member:
    """A person whom the login acts for, or waits to. ``is_proven``: a desk has checked it."""

    holder_id: UUID
    person_id: UUID
    name: str
    relation: Relation
    is_confirmed: bool
    is_proven: bool
    valid_until: datetime | None


@dataclass(frozen=True)
class ActingForMe:
    """Another login that acts for the actor's own person, or waits to. ``name``: masked, of whose login it is."""

    holder_id: UUID
    name: str | None
    relation: Relation
    is_confirmed: bool
    since: datetime
    valid_until: datetime | None


@dataclass(frozen=True)
class Family:
    members: list[Member]
    acting_for_me: list[ActingForMe]


def list_family(session: Session, actor: Actor) -> Family:
    """Whom the login acts for, itself first; and who acts for its own person."""
    mine = select(Holder).where(Holder.login_id == actor.id, is_living())
    holders = session.scalars(mine.order_by(Holder.relation != Relation.SELF, Holder.created_at)).all()
    own_id = find_self_id(session, actor.id)
    others = select(Holder).where(
        Holder.person_id.in_(same_person_ids(own_id)) if own_id else false(),
        Holder.login_id != actor.id,
        Holder.relation != Relation.SELF,
        is_living(),
    )
    acting = session.scalars(others.order_by(Holder.created_at)).all()
    return Family([describe_member(session, held) for held in holders], [_acting(session, held) for held in acting])


def add_relative(
    session: Session, actor: Actor, *, details: Details, relation: Relation, limit: int
) -> tuple[Member, bool]:
    """Add a relative with a certificate to the login's family.

    A child under 14 whom nobody registered before can be used at once. Everybody else waits: for a desk, or
    until the person himself accepts an invitation.

    :param details: with a certificate; without a phone number the actor's own is taken.
    :param relation: what the person is to the actor.
    :param limit: how many persons a login may hold, itself included.
    :returns: the member, and whether it was added now.
    :raises RegisterYourselfFirst: the login is nobody yet.
    :raises DetailsContradictCertificate: the certificate's number tells another sex or birth date.
    :raises BirthDateMissing: of a child, when the number does not tell it.
    :raises PersonDetailsDiffer: the certificate is registered with another name, or (from 18 on) another phone.
    :raises RelationDoesNotFit: see ``check_relation``.
    :raises GuardiansComplete: the child has two.
    :raises FamilyFull: no place is left.
    """
    own_id = get_own_person_id(session, actor)
    details = check_details(details)
    if not details.phone:
        details = replace(details, phone=get_plain_demographics(session, own_id).phone)
    if relation in GUARDIAN_RELATIONS and details.birth_date is None:
        raise BirthDateMissing
    record, is_new = find_or_create_person(session, details)
    person = lock_root(session, record.id)
    if not is_new:
        _check_known(session, record, person, details)
    check_relation(session, own_id, person, relation)
    is_at_once = is_new and life_stage(person.birth_date) is LifeStage.CHILD
    until = guardian_until(person.birth_date, has_consented=False) if is_at_once else None
    terms = Terms(relation, is_at_once, until)
    return join_family(session, actor, login_id=actor.id, record=record, terms=terms, limit=limit)


def join_family(
    session: Session, actor: Actor, *, login_id: UUID, record: Person, terms: Terms, limit: int
) -> tuple[Member, bool]:
    """The login becomes a holder of the locked person, or waits to; who waited and is confirmed now waits no more.

    :raises GuardiansComplete: a child has two.
    :raises FamilyFull: no place is left.
    """
    holder, is_added = hold(session, login_id=login_id, person=record, terms=terms, limit=limit)
    is_confirmed_now = not is_added and terms.is_confirmed
    if is_added or (is_confirmed_now and holder.confirmed_at is None):
        check_guardian_places(session, record, terms.relation, holder.id, terms.replaces)
    if is_confirmed_now:
        confirm(session, holder, terms.valid_until)
    if is_added or is_confirmed_now:
        find_or_issue_card(session, record, ApplyChannel.APP)
        facts = {"for": holder.relation, "confirmed": terms.is_confirmed}
        audit.record_act(
            session, actor, "health_card.holder.added", subject_id=record.id, of=("holder", holder.id), facts=facts
        )
        kind = "family_added" if terms.is_confirmed else "login_waiting"
        tell(session, person_id=record.id, kind=kind, of=("holder", holder.id))
    return describe_member(session, holder), is_added


def leave(session: Session, actor: Actor, *, holder_id: UUID) -> None:
    """Stop acting for a relative, or let a relative no longer act for oneself. From the next request on.

    :raises HolderNotFound: neither the actor's own holder nor one of the actor's own person.
    :raises SelfCannotLeave: it is a login's own person.
    :raises LastGuardian: of a child under 14.
    """
    found = _find_leaving(session, actor, holder_id)
    if found is None:
        raise HolderNotFound
    person = lock_root(session, found.person_id)
    holder = _find_leaving(session, actor, holder_id)
    if holder is None:
        raise HolderNotFound
    if holder.relation == Relation.SELF:
        raise SelfCannotLeave
    is_child = life_stage(person.birth_date) is LifeStage.CHILD
    if is_child and holder.confirmed_at is not None and count_guardians(session, person, holder.id) == 0:
        raise LastGuardian
    is_mine = holder.login_id == actor.id
    # Told first: the one who leaves still hears of it.
    tell(session, person_id=holder.person_id, kind="family_left", of=("holder", holder.id))
    end(session, holder, "left" if is_mine else "ended_by_person")
    audit.record_act(
        session,
        actor,
        "health_card.holder.left" if is_mine else "health_card.holder.ended",
        subject_id=holder.person_id,
        of=("holder", holder.id),
        facts={"for": holder.relation},
    )


def describe_member(session: Session, holder: Holder) -> Member:
    """A holder as its login sees it. Who only waits is shown the name that he could know already: masked."""
    return Member(
        holder_id=holder.id,
        person_id=holder.person_id,
        name=mask_name(get_plain_demographics(session, holder.person_id).name),
        relation=Relation(holder.relation),
        is_confirmed=holder.confirmed_at is not None,
        is_proven=is_proven(session, holder),
        valid_until=holder.valid_until,
    )


def is_proven(session: Session, holder: Holder) -> bool:
    """Whether a desk has confirmed the holder on proof."""
    seen = exists().where(HolderCheck.holder_id == holder.id, HolderCheck.outcome == Outcome.CONFIRMED)
    return bool(session.scalar(select(seen)))


def name_of_login(session: Session, login_id: UUID) -> str | None:
    """Whose login it is, masked; None when it is nobody yet."""
    person_id = find_self_id(session, login_id)
    return mask_name(get_plain_demographics(session, person_id).name) if person_id else None


def _check_known(session: Session, record: Person, person: Person, details: Details) -> None:
    """Of a child only the name must agree: the phone that is known is the other parent's."""
    if life_stage(person.birth_date) is LifeStage.ADULT:
        check_same_details(session, record, details)
        return
    if details.name not in {name_and_phone(record)[0], name_and_phone(person)[0]}:
        raise PersonDetailsDiffer


def _find_leaving(session: Session, actor: Actor, holder_id: UUID) -> Holder | None:
    own_id = find_self_id(session, actor.id)
    of_my_person = Holder.person_id.in_(same_person_ids(own_id)) if own_id else false()
    mine = select(Holder).where(Holder.id == holder_id, is_living(), (Holder.login_id == actor.id) | of_my_person)
    return session.scalars(mine, execution_options={"populate_existing": True}).one_or_none()


def _acting(session: Session, holder: Holder) -> ActingForMe:
    return ActingForMe(
        holder_id=holder.id,
        name=name_of_login(session, holder.login_id),
        relation=Relation(holder.relation),
        is_confirmed=holder.confirmed_at is not None,
        since=holder.confirmed_at or holder.created_at,
        valid_until=holder.valid_until,
    )
