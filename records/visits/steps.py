"""The scans of a visit, as they are read again."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from records.visits.models import Visit, VisitStep

REGISTER = "010101"
INPATIENT = "I"
NEWEST_STEPS = 50


def find_by_redemption(session: Session, redemption_id: UUID | None) -> Visit | None:
    """The visit for which this code was shown."""
    if redemption_id is None:
        return None
    shown = select(VisitStep.visit_id).where(VisitStep.redemption_id == redemption_id).scalar_subquery()
    return session.scalars(select(Visit).where(Visit.id == shown)).one_or_none()


def list_steps(session: Session, visit_id: UUID) -> list[VisitStep]:
    """The newest scans of a visit, the last one last."""
    return list(reversed(session.scalars(_newest_first(visit_id).limit(NEWEST_STEPS)).all()))


def get_last_step(session: Session, visit_id: UUID) -> VisitStep:
    """The last scan of a visit; every visit has one."""
    return session.scalars(_newest_first(visit_id).limit(1)).one()


def list_last_steps(session: Session, visit_ids: Sequence[UUID]) -> dict[UUID, VisitStep]:
    """As ``get_last_step``, for many."""
    newest = select(VisitStep).where(VisitStep.visit_id.in_(visit_ids)).distinct(VisitStep.visit_id)
    last = session.scalars(newest.order_by(VisitStep.visit_id, VisitStep.at.desc(), VisitStep.id.desc()))
    return {step.visit_id: step for step in last}


def _newest_first(visit_id: UUID) -> Select[tuple[VisitStep]]:
    return select(VisitStep).filter_by(visit_id=visit_id).order_by(VisitStep.at.desc(), VisitStep.id.desc())
