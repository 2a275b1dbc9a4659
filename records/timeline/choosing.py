"""What a timeline can be narrowed to."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts import service as accounts
from accounts.service import HospitalCard
from consent import service as consent
from core.actor import Actor
from health_card import service as health_card
from records.timeline.models import TimelineEntry


@dataclass(frozen=True)
class Choices:
    """``kinds``: ``object_kind`` and category of what there is, for example report and laboratory."""

    hospitals: list[HospitalCard]
    kinds: list[tuple[str, str]]


def list_choices(session: Session, actor: Actor, *, person_id: UUID) -> Choices:
    """The hospitals and the kinds of what the actor may see of a person.

    The caller releases and records the read (``consent.release``).
    """
    rows = session.execute(
        select(TimelineEntry.hospital_id, TimelineEntry.object_kind, TimelineEntry.category)
        .where(TimelineEntry.person_id.in_(health_card.same_person_ids(person_id)))
        .where(consent.is_readable(actor, person_id=TimelineEntry.person_id, object_id=TimelineEntry.object_id))
        .distinct()
    ).tuples()
    found = list(rows)
    hospitals = accounts.list_hospitals(session, {hospital_id for hospital_id, _, _ in found})
    return Choices(
        hospitals=sorted(hospitals.values(), key=lambda hospital: hospital.name),
        kinds=sorted({(kind, category) for _, kind, category in found}),
    )
