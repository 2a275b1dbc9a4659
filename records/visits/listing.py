"""The visits of a hospital, line by line."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from core import audit
from core.actor import Actor
from health_card import service as health_card
from records.visits import steps
from records.visits.models import Visit


@dataclass(frozen=True)
class VisitLine:
    """One line of a list of visits. ``name`` is masked; department and step are those of the last scan."""

    visit_id: UUID
    name: str
    kind: str
    department: str
    medical_step: str
    opened_at: datetime
    closed_at: datetime | None


def list_visits(
    session: Session, actor: Actor, *, is_open: bool = True, before: UUID | None = None, limit: int = 50
) -> list[VisitLine]:
    """The newest visits at the actor's hospital, open ones or closed ones, with masked names.

    :param before: the id of the last visit of the page before.
    """
    page = select(Visit).where(Visit.hospital_id == actor.hospital_id)
    page = page.where(Visit.closed_at.is_(None) if is_open else Visit.closed_at.is_not(None))
    if before is not None:
        last = select(Visit.opened_at, Visit.id).where(Visit.id == before)
        page = page.where(tuple_(Visit.opened_at, Visit.id) < last.scalar_subquery())
    visits = session.scalars(page.order_by(Visit.opened_at.desc(), Visit.id.desc()).limit(limit)).all()
    last_steps = steps.list_last_steps(session, [visit.id for visit in visits])
    return [
        VisitLine(
            visit_id=visit.id,
            name=health_card.get_demographics(session, visit.person_id).name,
            kind=visit.kind,
            department=last_steps[visit.id].department,
            medical_step=last_steps[visit.id].medical_step,
            opened_at=visit.opened_at,
            closed_at=visit.closed_at,
        )
        for visit in visits
    ]


def read_visits(
    session: Session, actor: Actor, *, is_open: bool = True, before: UUID | None = None, limit: int = 50
) -> list[VisitLine]:
    """As ``list_visits``, for another system: that it was read is recorded."""
    lines = list_visits(session, actor, is_open=is_open, before=before, limit=limit)
    audit.record_act(session, actor, "records.visit.listed", facts={"lines": len(lines)})
    return lines
