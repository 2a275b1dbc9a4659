"""Visits of which a hospital's own system tells, without a code having been shown, and its numbers of visits."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from health_card import service as health_card
from records.visits.closing import announce_expiring
from records.visits.models import Visit, VisitNumber, VisitStep
from records.visits.steps import REGISTER

# How the patient was identified: by what the hospital knows. No code was shown, so nothing is shared.
TOLD = "N"
# The department of a visit whose hospital does not say it by the national list.
DEPARTMENT_NOT_SAID = "0000"


@dataclass(frozen=True)
class NumberedVisit:
    """Which visit a hospital means by a number of its own."""

    visit_id: UUID
    person_id: UUID


def find_numbered(session: Session, actor: Actor, numbers: Collection[str]) -> dict[str, NumberedVisit]:
    """The visits that the actor's hospital has given these numbers; unknown ones are missing."""
    if not numbers:
        return {}
    rows = session.execute(
        select(VisitNumber.number, Visit.id, Visit.person_id)
        .join(Visit, Visit.id == VisitNumber.visit_id)
        .where(VisitNumber.hospital_id == actor.house_id, VisitNumber.number.in_(numbers))
    )
    return {number: NumberedVisit(visit_id, person_id) for number, visit_id, person_id in rows}


def wait_for_number(session: Session, actor: Actor, number: str) -> None:
    """Who decides about a number goes on; others about the same wait until this transaction has ended."""
    lock = f"visit_number/{actor.house_id}/{number}"
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(lock, 0))))


def name_visit(session: Session, actor: Actor, *, visit_id: UUID, number: str) -> None:
    """The hospital calls a visit by this number, which it gave to no other."""
    named = VisitNumber(hospital_id=actor.house_id, number=number, visit_id=visit_id, named_at=clock.now())
    session.add(named)
    session.flush()


def find_unnamed(session: Session, actor: Actor, *, person_id: UUID, kind: str) -> UUID | None:
    """The person's newest open visit of this kind to which it gave no number yet."""
    numbered = select(VisitNumber.visit_id).where(VisitNumber.visit_id == Visit.id).exists()
    return session.scalar(
        select(Visit.id)
        .where(Visit.hospital_id == actor.house_id, Visit.kind == kind, Visit.closed_at.is_(None), ~numbered)
        .where(Visit.person_id.in_(health_card.same_person_ids(person_id)))
        .order_by(Visit.opened_at.desc())
        .limit(1)
    )


def open_told(
    session: Session, actor: Actor, *, person_id: UUID, kind: str, department: str, at: datetime, visit_days: int
) -> UUID:
    """Open a visit that the hospital's system says has begun. It opens no grant: the patient has shown nothing.

    :param at: when it began; a time to come counts as now.
    :param visit_days: after how many days it is closed unless it is an inpatient one.
    """
    visit_id, opened_at = new_id(), min(at, clock.now())
    session.add(
        Visit(
            id=visit_id,
            person_id=person_id,
            hospital_id=actor.house_id,
            kind=kind,
            department=department,
            medical_step=REGISTER,
            opened_at=opened_at,
        )
    )
    session.flush()
    session.add(
        VisitStep(visit_id=visit_id, department=department, medical_step=REGISTER, code_class=TOLD, at=opened_at)
    )
    session.flush()
    announce_expiring(session, visit_id=visit_id, kind=kind, opened_at=opened_at, visit_days=visit_days)
    audit.record_act(
        session,
        actor,
        "records.visit.opened",
        subject_id=person_id,
        of=("visit", visit_id),
        facts={"step": REGISTER, "department": department, "told": True},
    )
    return visit_id


def move_told(session: Session, actor: Actor, *, visit_id: UUID, department: str) -> None:
    """The patient is in another department now. A visit that a desk opened keeps the desk's."""
    mine = select(Visit).where(Visit.id == visit_id, Visit.hospital_id == actor.house_id, Visit.terminal_id.is_(None))
    visit = session.scalars(mine.with_for_update(key_share=True)).one_or_none()
    if visit is None or visit.department == department or visit.closed_at is not None:
        return
    visit.department = department
    now = clock.now()
    session.add(
        VisitStep(visit_id=visit.id, department=department, medical_step=visit.medical_step, code_class=TOLD, at=now)
    )
    session.flush()
    audit.record_act(
        session,
        actor,
        "records.visit.moved",
        subject_id=visit.person_id,
        of=("visit", visit.id),
        facts={"department": department},
    )
