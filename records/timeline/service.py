"""Placing things on a person's timeline, and reading a page of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import clock, statements
from core.actor import Actor
from core.ids import new_id
from health_card import service as health_card
from records.refusals import ItemNotFound
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
    """One line of a timeline page. ``is_hidden``: the person keeps it from those who act for him."""

    id: UUID
    object_kind: str
    object_id: UUID
    category: str
    title: str
    status: str
    hospital_name: str
    occurred_at: datetime
    is_hidden: bool


_COLUMNS = (*Placement.__dataclass_fields__, "id", "filed_at")
_CHANGING = ("category", "title", "status", "occurred_at", "visit_id")
# At every report that comes in, many at once: hence by hand.
_PLACE = statements.compose(
    """
INSERT INTO timeline_entries ({columns})
SELECT {columns} FROM jsonb_populate_recordset(NULL::timeline_entries, %(rows)s)
ON CONFLICT (object_id) DO UPDATE SET {changed}
""",
    columns=", ".join(_COLUMNS),
    changed=", ".join(f"{name} = excluded.{name}" for name in _CHANGING),
)


def place_entry(session: Session, placement: Placement) -> None:
    """Put a thing on the timeline, or bring its line up to date (a corrected report keeps its place's id)."""
    place_entries(session, [placement])


def place_entries(session: Session, placements: Sequence[Placement]) -> None:
    """As ``place_entry``, for things of which no two are the same."""
    if placements:
        filed_at = clock.now().isoformat()
        rows = [vars(placement) | {"id": new_id(), "filed_at": filed_at} for placement in placements]
        statements.run(session, _PLACE, {"rows": json.dumps(rows, default=str)})


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
    return _show(session, actor, items)


def list_shared_timeline(
    session: Session, actor: Actor, *, person_id: UUID, before: UUID | None = None, limit: int = PAGE
) -> list[TimelineItem]:
    """A patient's timeline as shared with the actor's hospital.

    :raises NothingShared: no grant in force.
    """
    consent.release(session, actor, person_id=person_id, action="records.timeline.read")
    return _show(session, actor, _read_page(session, actor, before, limit, person_id))


def hide_item(session: Session, actor: Actor, *, object_id: UUID) -> TimelineItem:
    """The person himself keeps a report or study from those who act for him.

    :raises ItemNotFound: no such thing that the actor may see.
    :raises HidingNotAllowed: the actor is not the person himself, or under 14.
    """
    entry = _get_entry(session, actor, object_id)
    consent.hide_item(session, actor, person_id=entry.person_id, of=(entry.object_kind, entry.object_id))
    return _show(session, actor, [entry])[0]


def show_item(session: Session, actor: Actor, *, object_id: UUID) -> TimelineItem:
    """Undo ``hide_item``; raises as it does."""
    entry = _get_entry(session, actor, object_id)
    consent.show_item(session, actor, person_id=entry.person_id, of=(entry.object_kind, entry.object_id))
    return _show(session, actor, [entry])[0]


def find_kind(session: Session, actor: Actor, *, person_id: UUID, object_id: UUID) -> str | None:
    """Whether something on this person's timeline is a report or a study; None when it is not on it for the actor."""
    return session.scalar(
        select(TimelineEntry.object_kind).where(
            TimelineEntry.object_id == object_id,
            TimelineEntry.person_id.in_(health_card.same_person_ids(person_id)),
            consent.is_readable(actor, person_id=TimelineEntry.person_id, object_id=TimelineEntry.object_id),
        )
    )


def _get_entry(session: Session, actor: Actor, object_id: UUID) -> TimelineEntry:
    readable = consent.is_readable(actor, person_id=TimelineEntry.person_id, object_id=TimelineEntry.object_id)
    entry = session.scalars(select(TimelineEntry).where(TimelineEntry.object_id == object_id, readable)).one_or_none()
    if entry is None:
        raise ItemNotFound
    return entry


def _read_page(
    session: Session, actor: Actor, before: UUID | None, limit: int, person_id: UUID | None = None
) -> list[TimelineEntry]:
    page = select(TimelineEntry).where(
        consent.is_readable(actor, person_id=TimelineEntry.person_id, object_id=TimelineEntry.object_id)
    )
    if person_id is not None:
        page = page.where(TimelineEntry.person_id.in_(health_card.same_person_ids(person_id)))
    if before is not None:
        last = select(TimelineEntry.occurred_at, TimelineEntry.id).where(TimelineEntry.id == before)
        page = page.where(tuple_(TimelineEntry.occurred_at, TimelineEntry.id) < last.scalar_subquery())
    newest_first = page.order_by(TimelineEntry.occurred_at.desc(), TimelineEntry.id.desc())
    return list(session.scalars(newest_first.limit(limit)))


def _show(session: Session, actor: Actor, entries: list[TimelineEntry]) -> list[TimelineItem]:
    hospitals = accounts.list_hospitals(session, {entry.hospital_id for entry in entries})
    hidden = consent.list_hidden(session, actor, object_ids={entry.object_id for entry in entries})
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
            is_hidden=entry.object_id in hidden,
        )
        for entry in entries
    ]
