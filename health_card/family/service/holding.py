"""The one place where holders of relatives begin and end. The caller has locked the person (``lock_root``)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session

from core import audit, clock, outbox
from core.actor import SYSTEM, Actor
from health_card.family.refusals import (
    FamilyFull,
    GuardiansComplete,
    RegisterYourselfFirst,
    RelationDoesNotFit,
)
from health_card.models import Holder, Person, Relation
from health_card.notices.service import tell
from health_card.service.ages import LifeStage, life_stage
from health_card.service.holders import GUARDIAN_RELATIONS
from health_card.service.identities import is_same_person, same_person_ids
from health_card.service.living import end_shown_codes
from health_card.service.persons import is_holding, lock_holders

MOST_GUARDIANS = 2
LIMITED_TOPIC = "health_card.guardianship_limited"
ENDING_TOPIC = "health_card.guardianship_ending"
TOLD_AHEAD = timedelta(days=30)


@dataclass(frozen=True)
class Terms:
    """On what terms a login is to act for a person. Unconfirmed it waits for a desk.

    :ivar replaces: the holder who will make room for it.
    """

    relation: Relation
    is_confirmed: bool
    valid_until: datetime | None
    replaces: UUID | None = None


def get_own_person_id(session: Session, actor: Actor) -> UUID:
    """:raises RegisterYourselfFirst: the login is nobody yet."""
    own = find_self_id(session, actor.id)
    if own is None:
        raise RegisterYourselfFirst
    return own


def check_relation(session: Session, own_id: UUID, person: Person, relation: Relation) -> None:
    """:raises RelationDoesNotFit: of oneself, or of somebody other than a guardian for a person under 18."""
    is_minor = life_stage(person.birth_date) is not LifeStage.ADULT
    if is_same_person(session, own_id, person.id) or (is_minor and relation not in GUARDIAN_RELATIONS):
        raise RelationDoesNotFit


def check_guardian_places(session: Session, person: Person, relation: Relation, *beside: UUID | None) -> None:
    """Whether one more guardian can be confirmed.

    :param beside: holders who do not count: the new one, and one who makes room for it.
    :raises GuardiansComplete: there are two.
    """
    if relation in GUARDIAN_RELATIONS and count_guardians(session, person, *beside) >= MOST_GUARDIANS:
        raise GuardiansComplete


def count_guardians(session: Session, person: Person, *beside: UUID | None) -> int:
    """How many logins act for the person as guardians now, ``beside`` not counted."""
    guardians = select(func.count(Holder.login_id.distinct())).where(
        Holder.person_id.in_(same_person_ids(person.id)),
        Holder.relation.in_(GUARDIAN_RELATIONS),
        Holder.id.not_in([holder_id for holder_id in beside if holder_id]),
        is_holding(),
    )
    return session.scalar(guardians) or 0


def hold(session: Session, *, login_id: UUID, person: Person, terms: Terms, limit: int) -> tuple[Holder, bool]:
    """Make the login a holder of the person, or find that it is one already.

    :param limit: how many persons a login may hold; one place is kept for its own person.
    :returns: the holder, and whether it is new.
    :raises FamilyFull: no place is left.
    """
    lock_holders(session, login_id)
    held = session.scalars(_held_by(login_id).where(Holder.person_id.in_(same_person_ids(person.id)))).first()
    if held is not None:
        return held, False
    # One that has run out and was not ended yet would stand in the way of a new one.
    run_out = Holder.login_id == login_id, Holder.ended_at.is_(None), Holder.valid_until <= clock.now()
    for over in session.scalars(select(Holder).where(*run_out)):
        end_run_out(session, over)
    relatives = _held_by(login_id).where(Holder.relation != Relation.SELF)
    if len(session.scalars(relatives).all()) >= limit - 1:
        raise FamilyFull(limit=limit)
    now = clock.now()
    holder = Holder(
        login_id=login_id,
        person_id=person.id,
        relation=terms.relation.value,
        created_at=now,
        confirmed_at=now if terms.is_confirmed else None,
    )
    session.add(holder)
    session.flush()
    if terms.is_confirmed:
        limit_holder(session, holder, terms.valid_until)
    return holder, True


def confirm(session: Session, holder: Holder, valid_until: datetime | None) -> None:
    """From now on the holder may act."""
    holder.confirmed_at = holder.confirmed_at or clock.now()
    session.flush()
    limit_holder(session, holder, valid_until)


def limit_holder(session: Session, holder: Holder, valid_until: datetime | None) -> None:
    """Let a holder end by itself. Nothing has to happen at that moment; the messages only tell, before and after."""
    holder.valid_until = valid_until
    session.flush()
    if valid_until is not None:
        for topic, due_at in ((ENDING_TOPIC, valid_until - TOLD_AHEAD), (LIMITED_TOPIC, valid_until)):
            key = f"{topic}/{holder.id}/{valid_until.isoformat()}"
            outbox.announce(session, topic, {"holder_id": str(holder.id)}, key=key, due_at=due_at)


def end(session: Session, holder: Holder, reason: str) -> None:
    """End a holder from the next request on, and with it every code that its phone could still show."""
    holder.ended_at = clock.now()
    holder.end_reason = reason
    if holder.confirmed_at is not None:
        end_shown_codes(session, same_person_ids(holder.person_id))
    session.flush()


def end_run_out(session: Session, holder: Holder) -> None:
    """Write down that a holder has ended by itself, and tell both: the person, and the one who acted for him."""
    end(session, holder, "came_of_age")
    audit.record_act(
        session,
        SYSTEM,
        "health_card.holder.came_of_age",
        subject_id=holder.person_id,
        of=("holder", holder.id),
        facts={"for": holder.relation},
    )
    tell(session, person_id=holder.person_id, kind="guardian_ended", of=("holder", holder.id))
    tell_former(session, holder)


def tell_former(session: Session, holder: Holder) -> None:
    """Tell him whose holder has ended: the person's own notices do not reach him any more."""
    own_id = find_self_id(session, holder.login_id)
    if own_id is not None:
        tell(session, person_id=own_id, kind="acting_ended", of=("holder", holder.id))


def find_self_id(session: Session, login_id: UUID) -> UUID | None:
    """Whose login it is; None when it is nobody yet."""
    own = select(Holder.person_id).where(Holder.login_id == login_id, Holder.relation == Relation.SELF, is_holding())
    return session.scalar(own)


def is_living() -> ColumnElement[bool]:
    """Waiting or acting: not ended and not run out."""
    return Holder.ended_at.is_(None) & or_(Holder.valid_until.is_(None), Holder.valid_until > clock.now())


def _held_by(login_id: UUID) -> Select[tuple[Holder]]:
    return select(Holder).where(Holder.login_id == login_id, is_living())
