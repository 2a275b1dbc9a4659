"""Placing things on a person's timeline, and reading a page of it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import clock
from core.actor import Actor
from core.ids import new_id
from health_card import service as health_card
from records.timeline.models import TimelineEntry

PAGE = 30


@dataclass(frozen=True)
class Placement:
    """Where and how a thing stands on the timeline. ``category``: laboratory, imaging or another report kind."""

    person_id: UUID
    hospital_id: UUID
    visit_id: UUID | None
    object_kind: str
    object_id: UUID
    category: str
    title: str
    status: str
    occurred_at: datetime


@dataclass(frozen=True)
class TimelineItem:
    """One line of a timeline page."""

    id: UUID
    object_kind: str
    object_id: UUID
    category: str
    title: str
    status: str
    hospital_name: str
    occurred_at: datetime


def place_entry(session: Session, placement: Placement) -> None:
    """Put a thing on the timeline, or bring its line up to date (a corrected report keeps its place's id)."""
    values = vars(placement) | {"id": new_id(), "filed_at": clock.now()}
    statement = insert(TimelineEntry).values(values)
    changed = {name: statement.excluded[name] for name in ("category", "title", "status", "occurred_at", "visit_id")}
    session.execute(statement.on_conflict_do_update(index_elements=["object_id"], set_=changed))


def list_own_timeline(
    session: Session, actor: Actor, *, before: UUID | None = None, limit: int = PAGE
) -> list[TimelineItem]:
    """The patient's own timeline across hospitals, newest first.

    :param before: the id of the last line of the page before.
    """
    items = _read_page(session, actor, before, limit)
    for person_id in {item.person_id for item in items}:
        consent.release(
            session, actor, person_id=person_id, action="records.timeline.read", facts={"lines": len(items)}
        )
    return _show(session, items)


def list_shared_timeline(
    session: Session, actor: Actor, *, person_id: UUID, before: UUID | None = None, limit: int = PAGE
) -> list[TimelineItem]:
    """A patient's timeline as shared with the actor's hospital.

    :raises NothingShared: no grant in force.
    """
    consent.release(session, actor, person_id=person_id, action="records.timeline.read")
    return _show(session, _read_page(session, actor, before, limit, person_id))


def find_kind(session: Session, actor: Actor, *, person_id: UUID, object_id: UUID) -> str | None:
    """Whether something on this person's timeline is a report or a study; None when it is not on it for the actor."""
    return session.scalar(
        select(TimelineEntry.object_kind).where(
            TimelineEntry.object_id == object_id,
            TimelineEntry.person_id.in_(health_card.same_person_ids(person_id)),
            TimelineEntry.person_id.in_(consent.readable_person_ids(actor)),
        )
    )


def _read_page(
    session: Session, actor: Actor, before: UUID | None, limit: int, person_id: UUID | None = None
) -> list[TimelineEntry]:
    page = select(TimelineEntry).where(TimelineEntry.person_id.in_(consent.readable_person_ids(actor)))
    if person_id is not None:
        page = page.where(TimelineEntry.person_id.in_(health_card.same_person_ids(person_id)))
    if before is not None:
        last = select(TimelineEntry.occurred_at, TimelineEntry.id).where(TimelineEntry.id == before)
        page = page.where(tuple_(TimelineEntry.occurred_at, TimelineEntry.id) < last.scalar_subquery())
    newest_first = page.order_by(TimelineEntry.occurred_at.desc(), TimelineEntry.id.desc())
    return list(session.scalars(newest_first.limit(limit)))


def _show(session: Session, entries: list[TimelineEntry]) -> list[TimelineItem]:
    hospitals = accounts.list_hospitals(session, {entry.hospital_id for entry in entries})
    return [
        TimelineItem(
            id=entry.id,
            object_kind=entry.object_kind,
            object_id=entry.object_id,
            category=entry.category,
            title=entry.title,
            status=entry.status,
            hospital_name=hospitals[entry.hospital_id].name,
            occurred_at=entry.occurred_at,
        )
        for entry in entries
    ]
