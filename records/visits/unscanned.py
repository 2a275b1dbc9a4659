"""Visits of persons who could show nothing: a doctor found a document on them in an emergency."""

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from health_card import service as health_card
from records.visits.closing import announce_expiring
from records.visits.models import Visit, VisitStep

EMERGENCY, DIAGNOSE = "E", "010102"
# How the patient was identified: by a document that was found on him.
FOUND_DOCUMENT = "E"


def find_or_open_emergency_visit(
    session: Session, actor: Actor, *, person_id: UUID, terminal_id: UUID, department: str, visit_days: int
) -> UUID:
    """The person's newest open visit at the actor's hospital, or else a new emergency one. It shares nothing by itself.

    Doctors who do this for one person at the same moment find the same visit.
    """
    lock = f"unscanned/{actor.house_id}/{person_id}"
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(lock, 0))))
    found = session.scalar(
        select(Visit.id)
        .where(Visit.hospital_id == actor.house_id, Visit.closed_at.is_(None))
        .where(Visit.person_id.in_(health_card.same_person_ids(person_id)))
        .order_by(Visit.opened_at.desc(), Visit.id.desc())
        .limit(1)
    )
    if found is not None:
        return found
    visit_id, now = new_id(), clock.now()
    place = {"terminal_id": terminal_id, "department": department, "medical_step": DIAGNOSE}
    opened = {"person_id": person_id, "hospital_id": actor.house_id, "kind": EMERGENCY, "opened_by": actor.id}
    session.add(Visit(id=visit_id, opened_at=now, **opened, **place))
    session.flush()
    session.add(VisitStep(visit_id=visit_id, code_class=FOUND_DOCUMENT, staff_id=actor.id, at=now, **place))
    session.flush()
    announce_expiring(session, visit_id=visit_id, kind=EMERGENCY, opened_at=now, visit_days=visit_days)
    facts = {"step": DIAGNOSE, "department": department, "unscanned": True}
    audit.record_act(session, actor, "records.visit.opened", subject_id=person_id, of=("visit", visit_id), facts=facts)
    return visit_id
