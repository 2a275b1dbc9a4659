"""Asking for a real-name check, and how it stands."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import outbox
from core.ids import new_id
from health_card.realname.models import RealNameCheck

DUE_TOPIC = "health_card.real_name_due"
UNCHECKED = "unchecked"


def ask_real_name(session: Session, *, person_id: UUID) -> None:
    """Have a person's name and certificate checked: after the registration, and after each correction of either."""
    outbox.announce(session, DUE_TOPIC, {"person_id": str(person_id), "asking_id": str(new_id())}, wakes=False)


def find_real_name_state(session: Session, person_id: UUID) -> str:
    """The newest answer about a person: agreed, disagreed or not_covered; unchecked when there is none."""
    newest_first = (
        select(RealNameCheck.outcome)
        .where(RealNameCheck.person_id == person_id)
        .order_by(RealNameCheck.checked_at.desc(), RealNameCheck.id.desc())
    )
    return session.scalar(newest_first.limit(1)) or UNCHECKED
