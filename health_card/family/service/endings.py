"""What age ends: written down when it happened, computed again when a birth date was corrected."""

from datetime import date
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core import clock
from health_card.family.models import HolderCheck, Invitation, InvitationKind
from health_card.family.service.holding import end_run_out, limit_holder
from health_card.models import Holder
from health_card.service.ages import CONSENT_AGE, LifeStage, birthday, guardian_until, life_stage
from health_card.service.holders import GUARDIAN_RELATIONS
from health_card.service.identities import lock_root, same_person_ids


def end_run_out_holder(session: Session, holder_id: UUID) -> None:
    """Write down that a guardian's time is over, and tell both. What was not over, or ended before, stays as it is.

    The guardian's access has ended already: ``valid_until`` is part of every query.
    """
    holder = session.get_one(Holder, holder_id)
    lock_root(session, holder.person_id)
    session.refresh(holder)
    if holder.ended_at is None and holder.valid_until is not None and holder.valid_until <= clock.now():
        end_run_out(session, holder)


def recheck_guardians(session: Session, *, person_id: UUID) -> None:
    """Compute anew until when each guardian may act, after the person's birth date was corrected."""
    person = lock_root(session, person_id)
    acting = select(Holder).where(
        Holder.person_id.in_(same_person_ids(person_id)),
        Holder.relation.in_(GUARDIAN_RELATIONS),
        Holder.confirmed_at.is_not(None),
        Holder.ended_at.is_(None),
    )
    for holder in session.scalars(acting):
        if holder.valid_until is None and life_stage(person.birth_date) is LifeStage.ADULT:
            # An adult's guardian by a court's paper, or a grown child who agreed: no age ends it.
            continue
        until = guardian_until(person.birth_date, has_consented=_has_consented(session, holder.id, person.birth_date))
        limit_holder(session, holder, until or clock.now())


def _has_consented(session: Session, holder_id: UUID, born: date | None) -> bool:
    """Whether the minor agreed himself, at 14 or older: present at a desk, or by accepting an invitation."""
    if born is None:
        return False
    since = birthday(born, CONSENT_AGE)
    at_desk = exists().where(
        HolderCheck.holder_id == holder_id, HolderCheck.person_was_present, HolderCheck.checked_at >= since
    )
    by_phone = exists().where(
        Invitation.accepted_holder_id == holder_id,
        Invitation.kind == InvitationKind.CONSENT,
        Invitation.accepted_at >= since,
    )
    return bool(session.scalar(select(at_desk | by_phone)))
