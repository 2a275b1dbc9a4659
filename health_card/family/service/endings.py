"""What age ends: told before, written down when it happened, computed again when a birth date was corrected."""

from datetime import date
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import SYSTEM
from health_card.family.models import HolderCheck, Invitation, InvitationKind
from health_card.family.service.holding import TOLD_AHEAD, end_run_out, limit_holder
from health_card.models import Holder
from health_card.notices.models import Notice, NoticeKind
from health_card.notices.service import tell
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


def tell_of_fourteenth_birthday(session: Session, holder_id: UUID) -> None:
    """Within the 30 days before a child turns 14, tell its guardians, and the child itself, what will change: once.

    A guardian's end that has another reason, has moved, or is over already, tells nobody.
    """
    holder = session.get_one(Holder, holder_id)
    child = lock_root(session, holder.person_id)
    session.refresh(holder)
    if holder.ended_at is not None or child.birth_date is None or life_stage(child.birth_date) is not LifeStage.CHILD:
        return
    told_from = birthday(child.birth_date, CONSENT_AGE) - TOLD_AHEAD
    # One notice reaches all who act for the child; another guardian's message finds it here.
    same_kind = Notice.person_id.in_(same_person_ids(child.id)), Notice.kind == NoticeKind.TURNING_FOURTEEN
    is_told = session.scalar(select(exists().where(*same_kind, Notice.created_at >= told_from)))
    if clock.now() < told_from or is_told:
        return
    of = ("holder", holder.id)
    tell(session, person_id=child.id, kind=NoticeKind.TURNING_FOURTEEN, of=of)
    audit.record_act(session, SYSTEM, "health_card.fourteenth_birthday.announced", subject_id=child.id, of=of)


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
