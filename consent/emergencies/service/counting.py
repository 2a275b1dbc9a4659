"""How often records were opened in emergencies, by department."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent.emergencies.models import EmergencyAccess
from consent.emergencies.reasons import ReviewFinding
from core import clock
from core.actor import Actor


@dataclass(frozen=True)
class EmergencyCount:
    """Of one department of one hospital. ``overdue``: without the review that was due."""

    hospital_id: UUID
    department: str
    opened: int
    reviewed: int
    not_justified: int
    overdue: int


def count_emergencies(session: Session, actor: Actor, *, since: datetime, until: datetime) -> list[EmergencyCount]:
    """Accesses opened from ``since`` on and before ``until``, by hospital and department: of the actor's hospital, or
    of all when he works for the platform.
    """
    access = EmergencyAccess
    counted = (
        select(
            access.hospital_id,
            access.department,
            func.count(),
            func.count(access.reviewed_at),
            func.count().filter(access.finding != ReviewFinding.EMERGENCY_CONFIRMED),
            func.count().filter(access.reviewed_at.is_(None), access.review_due_at <= clock.now()),
        )
        .where(access.opened_at >= since, access.opened_at < until)
        .group_by(access.hospital_id, access.department)
        .order_by(access.hospital_id, access.department)
    )
    if actor.hospital_id is not None:
        counted = counted.where(access.hospital_id == actor.hospital_id)
    return [EmergencyCount(*row) for row in session.execute(counted).tuples()]
