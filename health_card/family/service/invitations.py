"""Invitations from phone to phone: a secret, good once and for a day."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import Actor
from health_card.family.models import Invitation, InvitationKind
from health_card.family.refusals import HolderNotFound, InvitationNotInForce, RelationDoesNotFit
from health_card.family.service.holding import Terms, check_relation, find_self_id, get_own_person_id
from health_card.family.service.members import join_family, name_of_login
from health_card.masks import mask_name
from health_card.models import Holder, Person, Relation
from health_card.service.ages import LifeStage, guardian_until, life_stage
from health_card.service.demographics import get_plain_demographics
from health_card.service.holders import GUARDIAN_RELATIONS
from health_card.service.identities import get_root, lock_person, lock_root
from health_card.service.persons import is_holding

INVITATION_LIFE = timedelta(hours=24)


@dataclass(frozen=True)
class Invited:
    """An invitation as handed out, once."""

    invitation_id: UUID
    code: str
    expires_at: datetime


@dataclass(frozen=True)
class InvitationView:
    """What one accepts. ``person_name``: the child; None when it is about oneself. Names are masked."""

    kind: InvitationKind
    relation: Relation
    inviter_name: str | None
    person_name: str | None
    expires_at: datetime


@dataclass(frozen=True)
class OpenInvitation:
    """One that waits to be accepted, as its inviter sees it. ``person_name``: the child; None: whoever accepts."""

    invitation_id: UUID
    kind: InvitationKind
    relation: Relation
    person_name: str | None
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Accepted:
    kind: InvitationKind
    holder_id: UUID
    relation: Relation
    is_confirmed: bool
    valid_until: datetime | None


def invite(
    session: Session, actor: Actor, *, kind: InvitationKind, relation: Relation, holder_id: UUID | None = None
) -> Invited:
    """Ask somebody to let the actor act for him; or, for a child under 14, to be its guardian beside or after him.

    :param relation: what the person will be to the login that acts: the actor's for ``consent``, else the other one.
    :param holder_id: the actor's own holder of the child; nothing for ``consent``.
    :raises RegisterYourselfFirst: the login is nobody yet.
    :raises HolderNotFound: the actor does not act for such a person.
    :raises RelationDoesNotFit: it is no child under 14: who is older is asked himself, at a desk or by invitation.
    """
    own_id = get_own_person_id(session, actor)
    subject_id = own_id if holder_id is None else _get_child_id(session, actor, holder_id, relation)
    code, code_hash = accounts.new_secret()
    now = clock.now()
    invitation = Invitation(
        kind=kind.value,
        inviter_id=actor.id,
        holder_id=holder_id,
        relation=relation.value,
        code_hash=code_hash,
        created_at=now,
        expires_at=now + INVITATION_LIFE,
    )
    session.add(invitation)
    session.flush()
    facts = {"kind": kind.value, "for": relation.value}
    of = ("invitation", invitation.id)
    audit.record_act(session, actor, "health_card.invitation.made", subject_id=subject_id, of=of, facts=facts)
    return Invited(invitation.id, code, invitation.expires_at)


def list_invitations(session: Session, actor: Actor) -> list[OpenInvitation]:
    """What the actor has asked others and nobody has accepted yet, newest first."""
    mine = _open_ones().where(Invitation.inviter_id == actor.id).order_by(Invitation.created_at.desc())
    rows = session.execute(mine.add_columns(Holder.person_id).outerjoin(Holder, Holder.id == Invitation.holder_id))
    return [
        OpenInvitation(
            invitation_id=made.id,
            kind=InvitationKind(made.kind),
            relation=Relation(made.relation),
            person_name=mask_name(get_plain_demographics(session, child_id).name) if child_id else None,
            created_at=made.created_at,
            expires_at=made.expires_at,
        )
        for made, child_id in rows.tuples()
    ]


def withdraw_invitation(session: Session, actor: Actor, *, invitation_id: UUID) -> None:
    """The inviter takes an open invitation back. Of withdrawing and accepting at the same moment one succeeds.

    :raises InvitationNotInForce: not an open one of the actor.
    """
    mine = _open_ones().where(Invitation.id == invitation_id, Invitation.inviter_id == actor.id)
    invitation = session.scalars(mine.with_for_update()).one_or_none()
    if invitation is None:
        raise InvitationNotInForce
    invitation.withdrawn_at = clock.now()
    session.flush()
    holder = session.get_one(Holder, invitation.holder_id) if invitation.holder_id else None
    audit.record_act(
        session,
        actor,
        "health_card.invitation.withdrawn",
        subject_id=holder.person_id if holder else find_self_id(session, actor.id),
        of=("invitation", invitation.id),
        facts={"kind": invitation.kind, "for": invitation.relation},
    )


def show_invitation(session: Session, actor: Actor, *, code: str) -> InvitationView:
    """Who asks for what, before one agrees.

    :raises InvitationNotInForce: unknown, used, expired, or the inviter's own right has ended.
    """
    invitation = _get_in_force(session, code)
    holder = _get_inviters_holder(session, invitation)
    subject_id = holder.person_id if holder else None
    of = ("invitation", invitation.id)
    audit.record_act(session, actor, "health_card.invitation.read", subject_id=subject_id, of=of)
    return InvitationView(
        kind=InvitationKind(invitation.kind),
        relation=Relation(invitation.relation),
        inviter_name=name_of_login(session, invitation.inviter_id),
        person_name=mask_name(get_plain_demographics(session, subject_id).name) if subject_id else None,
        expires_at=invitation.expires_at,
    )


def accept_invitation(session: Session, actor: Actor, *, code: str, limit: int) -> Accepted:
    """Accept, once. Of two who try at the same moment one succeeds.

    A second guardian may act at once: the first one has approved. Who takes a child over waits for a desk.

    :param limit: how many persons a login may hold, itself included.
    :raises InvitationNotInForce: unknown, used, expired, or the inviter's own right has ended.
    :raises RegisterYourselfFirst: the accepting login is nobody yet.
    :raises RelationDoesNotFit: see ``check_relation``; nobody accepts his own invitation.
    :raises GuardiansComplete: the child has two.
    :raises FamilyFull: no place is left.
    """
    invitation = _get_in_force(session, code, for_update=True)
    kind, relation = InvitationKind(invitation.kind), Relation(invitation.relation)
    own_id = get_own_person_id(session, actor)
    if invitation.inviter_id == actor.id:
        raise RelationDoesNotFit
    holder = _get_inviters_holder(session, invitation)
    if holder is None:
        record, person = _lock_both(session, own_id)
        login_id = invitation.inviter_id
        terms = _terms_of_consent(session, login_id, person, relation)
    else:
        record, person = _lock_both(session, holder.person_id)
        login_id = actor.id
        terms = _terms_of_guardian(session, own_id, person, invitation)
    member, _ = join_family(session, actor, login_id=login_id, record=record, terms=terms, limit=limit)
    invitation.accepted_at = clock.now()
    invitation.accepted_holder_id = member.holder_id
    session.flush()
    return Accepted(kind, member.holder_id, member.relation, member.is_confirmed, member.valid_until)


def _lock_both(session: Session, record_id: UUID) -> tuple[Person, Person]:
    person = lock_root(session, record_id)
    return (person if person.id == record_id else lock_person(session, record_id)), person


def _terms_of_consent(session: Session, login_id: UUID, person: Person, relation: Relation) -> Terms:
    inviter_id = find_self_id(session, login_id)
    if inviter_id is None:
        raise InvitationNotInForce
    check_relation(session, inviter_id, person, relation)
    if relation is Relation.WARD and life_stage(person.birth_date) is LifeStage.ADULT:
        # Who needs a guardian as an adult cannot agree to one.
        raise RelationDoesNotFit
    return Terms(relation, True, guardian_until(person.birth_date, has_consented=True))


def _terms_of_guardian(session: Session, own_id: UUID, person: Person, invitation: Invitation) -> Terms:
    relation = Relation(invitation.relation)
    check_relation(session, own_id, person, relation)
    if life_stage(person.birth_date) is not LifeStage.CHILD:
        raise InvitationNotInForce
    if invitation.kind == InvitationKind.HAND_OVER:
        return Terms(relation, False, None, replaces=invitation.holder_id)
    return Terms(relation, True, guardian_until(person.birth_date, has_consented=False))


def _get_child_id(session: Session, actor: Actor, holder_id: UUID, relation: Relation) -> UUID:
    mine = select(Holder).where(Holder.id == holder_id, Holder.login_id == actor.id, is_holding())
    holder = session.scalars(mine).one_or_none()
    if holder is None:
        raise HolderNotFound
    is_child = life_stage(get_root(session, holder.person_id).birth_date) is LifeStage.CHILD
    if not is_child or not {Relation(holder.relation), relation} <= GUARDIAN_RELATIONS:
        raise RelationDoesNotFit
    return holder.person_id


def _get_in_force(session: Session, code: str, *, for_update: bool = False) -> Invitation:
    named = _open_ones().where(Invitation.code_hash == accounts.hash_secret(code))
    invitation = session.scalars(named.with_for_update() if for_update else named).one_or_none()
    if invitation is None:
        raise InvitationNotInForce
    return invitation


def _open_ones() -> Select[tuple[Invitation]]:
    return select(Invitation).where(
        Invitation.accepted_at.is_(None), Invitation.withdrawn_at.is_(None), Invitation.expires_at > clock.now()
    )


def _get_inviters_holder(session: Session, invitation: Invitation) -> Holder | None:
    """By what right the inviter speaks for the child, still; None when he asks for himself."""
    if invitation.holder_id is None:
        return None
    holder = session.scalars(select(Holder).where(Holder.id == invitation.holder_id, is_holding())).one_or_none()
    if holder is None:
        raise InvitationNotInForce
    return holder
