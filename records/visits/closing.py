"""A visit ends: somebody at the hospital says so, or it has run out."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import service as consent
from consent.requests import service as requests
from core import audit, clock, outbox
from core.actor import SYSTEM, Actor
from records.refusals import VisitNotFound
from records.visits.models import Visit
from records.visits.steps import INPATIENT

EXPIRING_TOPIC = "records.visit_expiring"


def announce_expiring(session: Session, *, visit_id: UUID, kind: str, opened_at: datetime, visit_days: int) -> None:
    """Have the worker close a visit when it has run out. An inpatient one lasts until somebody closes it."""
    if kind == INPATIENT:
        return
    due_at = opened_at + timedelta(days=visit_days)
    outbox.announce(session, EXPIRING_TOPIC, {"visit_id": str(visit_id)}, due_at=due_at, wakes=False)


def close_visit(session: Session, actor: Actor, *, visit_id: UUID, reason: str = "staff") -> None:
    """The hospital has finished: no scan continues the visit, and what was shared for it ends at once.

    Results may still be filed under it. Closing again changes nothing.

    :raises VisitNotFound: no such visit at the actor's hospital.
    """
    mine = select(Visit).where(Visit.id == visit_id, Visit.hospital_id == actor.hospital_id)
    visit = session.scalars(mine.with_for_update(key_share=True)).one_or_none()
    if visit is None:
        raise VisitNotFound
    if visit.closed_at is None:
        _close(session, actor, visit, reason)
        consent.end_treatment_grant(session, actor, visit_id=visit.id)
        requests.withdraw_of_visit(session, actor, visit_id=visit.id)


def close_run_out(session: Session, *, visit_id: UUID, visit_days: int) -> datetime | None:
    """Close a visit whose days are over. What the patient shared for it ends at its own time, as he was told.

    :returns: when it will have run out, if that is not yet; None: it is closed.
    """
    visit = session.scalars(select(Visit).where(Visit.id == visit_id).with_for_update(key_share=True)).one()
    runs_out_at = visit.opened_at + timedelta(days=visit_days)
    if visit.closed_at is not None:
        return None
    if runs_out_at > clock.now():
        return runs_out_at
    _close(session, SYSTEM, visit, "ran_out")
    return None


def _close(session: Session, actor: Actor, visit: Visit, reason: str) -> None:
    visit.closed_at = clock.now()
    audit.record_act(
        session,
        actor,
        "records.visit.closed",
        subject_id=visit.person_id,
        of=("visit", visit.id),
        facts={"reason": reason},
    )
