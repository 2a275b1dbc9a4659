"""What a timeline can be narrowed to."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from accounts.service import HospitalCard
from consent import service as consent
from core.actor import Actor
from health_card import service as health_card
from records.timeline.models import TimelineEntry


@dataclass(frozen=True)
class Kind:
    """For example report and laboratory: what ``kind`` and ``category`` of a filter are."""

    object_kind: str
    category: str


@dataclass(frozen=True)
class Choices:
    """The hospitals by name, and the kinds of what there is."""

    hospitals: list[HospitalCard]
    kinds: list[Kind]


def list_choices(session: Session, actor: Actor, *, person_id: UUID) -> Choices:
    """The hospitals and the kinds of what the actor may see of a person.

    The caller releases and records the read (``consent.release``).
    """
    return _list(session, actor, TimelineEntry.person_id.in_(health_card.same_person_ids(person_id)))[0]


def list_own_choices(session: Session, actor: Actor, *, person_id: UUID | None = None) -> Choices:
    """As ``list_choices``, of everybody for whom the login acts, or of one of them; leaves access rows."""
    wanted = health_card.same_person_ids(person_id) if person_id else consent.readable_person_ids(actor)
    choices, people = _list(session, actor, TimelineEntry.person_id.in_(wanted))
    for each in sorted(people):
        consent.release(session, actor, person_id=each, action="records.timeline.read")
    return choices


def _list(session: Session, actor: Actor, of_people: ColumnElement[bool]) -> tuple[Choices, set[UUID]]:
    """The choices, and whose records they are of."""
    line = TimelineEntry
    rows = session.execute(
        select(line.person_id, line.hospital_id, line.object_kind, line.category)
        .where(of_people, consent.is_readable(actor, person_id=line.person_id, object_id=line.object_id))
        .distinct()
    ).all()
    hospitals = accounts.list_hospitals(session, {row.hospital_id for row in rows})
    kinds = sorted({(row.object_kind, row.category) for row in rows})
    by_name = sorted(hospitals.values(), key=lambda hospital: hospital.name)
    return Choices(by_name, [Kind(*kind) for kind in kinds]), {row.person_id for row in rows}
