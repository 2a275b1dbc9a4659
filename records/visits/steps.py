"""The scans of a visit: which open visit a scan continues, and what is kept of each."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from core import clock
from core.actor import Actor
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


def find_continued(
    session: Session, actor: Actor, *, person_id: UUID, kind: str, department: str, medical_step: str, visit_days: int
) -> Visit | None:
    """The open visit at the actor's hospital that a scan of this person continues, locked; None: it opens a new one.

    A registration continues a visit to the same department only, and on the days for which that one counts (the
    first is the day of opening); any other step continues one that has not run out, rather of its own department. An
    inpatient visit lasts until it is closed. Of two scans of one person at the same moment, the second waits here.

    :param visit_days: for how many days one registration counts.
    """
    turn = f"visits/{actor.house_id}/{person_id}"
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(turn, 0))))
    now = clock.now()
    # Only of this very record, not of one that it was merged with: taking the merge back must part them again.
    found = select(Visit).where(
        Visit.hospital_id == actor.house_id,
        Visit.person_id == person_id,
        Visit.kind == kind,
        Visit.closed_at.is_(None),
    )
    if kind != INPATIENT:
        found = found.where(Visit.opened_at > now - timedelta(days=visit_days))
    if medical_step == REGISTER:
        found = found.where(Visit.department == department)
    if medical_step == REGISTER and kind != INPATIENT:
        found = found.where(Visit.opened_at >= _city_midnight(now) - timedelta(days=visit_days - 1))
    best_first = found.order_by((Visit.department == department).desc(), Visit.opened_at.desc(), Visit.id.desc())
    # Whoever else holds a visit is about to end it: then it is not continued.
    return session.scalars(best_first.limit(1).with_for_update(key_share=True, skip_locked=True)).one_or_none()


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


def _city_midnight(now: datetime) -> datetime:
    return clock.in_city(now).replace(hour=0, minute=0, second=0, microsecond=0)
