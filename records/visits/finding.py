"""Visits that are there: found, listed, and whose they are."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from core import audit, statements
from core.actor import Actor
from health_card import service as health_card
from records.refusals import VisitNotFound
from records.visits import steps
from records.visits.models import Visit

# As ``find_latest_visit_id``, for many at once. ``{moments}``: a query of ``person_id``, ``at`` and whatever else is to
# stand beside the ``visit_id``; moments without such a visit are missing. ``hospital_id``: the actor's.
LATEST = statements.compose(
    """
SELECT asked.*, last.id AS visit_id
FROM ({moments}) asked
    CROSS JOIN LATERAL (
        SELECT id FROM visits
        WHERE hospital_id = %(hospital_id)s AND person_id IN ({same_person_ids}) AND opened_at <= asked.at
            AND opened_at > asked.at - interval '30 days'
        ORDER BY opened_at DESC LIMIT 1
    ) last
""",
    same_person_ids=health_card.SAME_PERSON_IDS.format("asked.person_id"),
    moments="{moments}",
)
_LATEST_OF_ONE = statements.compose(
    "SELECT visit_id FROM ({latest}) found",
    latest=LATEST.format(moments="SELECT %(person_id)s::uuid AS person_id, %(at)s::timestamptz AS at"),
)


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


@dataclass(frozen=True)
class VisitContext:
    """Whose visit it is, for those who may work on it."""

    visit_id: UUID
    person_id: UUID
    hospital_id: UUID
    kind: str
    department: str
    opened_at: datetime


def get_visit(session: Session, actor: Actor, visit_id: UUID) -> VisitContext:
    """A visit at the actor's own hospital.

    :raises VisitNotFound: none such there.
    """
    visit = load_visit(session, actor, visit_id)
    return VisitContext(visit.id, visit.person_id, visit.hospital_id, visit.kind, visit.department, visit.opened_at)


def find_open_visitor(session: Session, actor: Actor, *, visit_id: UUID) -> UUID | None:
    """Whose open visit at the actor's hospital this is."""
    mine = Visit.id == visit_id, Visit.hospital_id == actor.house_id, Visit.closed_at.is_(None)
    return session.scalar(select(Visit.person_id).where(*mine))


def find_departments(session: Session, visit_ids: Collection[UUID]) -> dict[UUID, str]:
    """The standard codes of the departments that opened these visits."""
    asked = select(Visit.id, Visit.department).where(Visit.id.in_(visit_ids))
    return dict(session.execute(asked).tuples().all()) if visit_ids else {}


def find_latest_visit_id(session: Session, actor: Actor, *, person_id: UUID, at: datetime) -> UUID | None:
    """The visit at the actor's hospital under which something of this moment belongs: the last one opened before it.

    A result that names no visit of its own is filed under it, when the visit is at most 30 days older.
    """
    asked = {"person_id": person_id, "at": at, "hospital_id": actor.hospital_id}
    row = statements.run(session, _LATEST_OF_ONE, asked)
    return row[0] if row else None


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


def load_visit(session: Session, actor: Actor, visit_id: UUID) -> Visit:
    """A visit at the actor's own hospital.

    :raises VisitNotFound: none such there.
    """
    mine = select(Visit).where(Visit.id == visit_id, Visit.hospital_id == actor.hospital_id)
    visit = session.scalars(mine).one_or_none()
    if visit is None:
        raise VisitNotFound
    return visit
