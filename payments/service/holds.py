"""What stands in the way of deleting a person, and what the books have to keep of him."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from consent.rights.service import Hold, HoldCode, keep_since
from core import clock
from health_card import service as health_card
from payments.models import UNDER_WAY, Charge, CreditLine, Repayment


def list_holds(session: Session, person_id: UUID) -> Iterator[Hold]:
    """Money that is owed, held or on its way; and the entries of what was paid, from the end of their year."""
    theirs = CreditLine.person_id.in_(health_card.same_person_ids(person_id))
    lines = select(CreditLine.id).where(theirs)
    owed = select(CreditLine.id).where(theirs, or_(CreditLine.drawn_fen > 0, CreditLine.held_fen > 0))
    paying = select(Repayment.id).where(Repayment.line_id.in_(lines), Repayment.state.in_(UNDER_WAY))
    if session.scalar(owed.limit(1)) or session.scalar(paying.limit(1)):
        yield Hold(HoldCode.CREDIT_OPEN)
    last = session.scalar(select(func.max(Charge.captured_at)).where(Charge.line_id.in_(lines)))
    if last is not None:
        year = clock.in_city(last).year
        yield keep_since(HoldCode.ACCOUNTS, clock.in_city(last).date().replace(year=year + 1, month=1, day=1))
