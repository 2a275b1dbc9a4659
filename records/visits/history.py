"""A person's visits to every hospital, as the person reads them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts import service as accounts
from core.actor import Actor
from health_card import service as health_card
from records.visits.models import Visit


@dataclass(frozen=True)
class OwnVisit:
    """One visit. ``kind``: I inpatient, O outpatient, E emergency, H check-up, T other."""

    id: UUID
    hospital_name: str
    kind: str
    department: str
    opened_at: datetime
    closed_at: datetime | None
    disowned_at: datetime | None


def list_history(
    session: Session, actor: Actor, *, person_id: UUID, until: datetime, after: UUID | None, limit: int
) -> list[OwnVisit]:
    """The visits, opened until a time, of a person whom the login may act for, in the order of their ids.

    :param after: the id of the last visit of the page before.
    """
    held = select(Visit).where(
        Visit.person_id.in_(health_card.same_person_ids(person_id)),
        Visit.person_id.in_(health_card.held_person_ids(actor)),
        Visit.opened_at <= until,
    )
    if after is not None:
        held = held.where(Visit.id > after)
    found = session.scalars(held.order_by(Visit.id).limit(limit)).all()
    hospitals = accounts.list_hospitals(session, {visit.hospital_id for visit in found})
    return [
        OwnVisit(
            id=visit.id,
            hospital_name=hospitals[visit.hospital_id].name,
            kind=visit.kind,
            department=visit.department,
            opened_at=visit.opened_at,
            closed_at=visit.closed_at,
            disowned_at=visit.disowned_at,
        )
        for visit in found
    ]
