"""Placing things on a person's timeline, and reading a page of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent import service as consent
from core import clock, statements
from core.actor import Actor
from core.appending import append_rows, write_appended
from core.ids import new_id
from health_card import service as health_card
from records.refusals import ItemNotFound
from records.timeline.models import TimelineEntry
from records.timeline.reading import TimelineFilter, TimelineItem, TimelinePage, VisitOfItem, read_page
from records.timeline.seeing import Counted, count_between, mark_all_seen, mark_seen

__all__ = [
    "PAGE",
    "Counted",
    "Placement",
    "TimelineFilter",
    "TimelineItem",
    "TimelinePage",
    "VisitOfItem",
    "count_between",
    "disclose_item",
    "find_kind",
    "hide_item",
    "list_own_timeline",
    "list_shared_timeline",
    "mark_all_seen",
    "mark_seen",
    "place_entry",
    "show_item",
    "withhold_item",
]

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
    version: int = 1


_COLUMNS = (*Placement.__dataclass_fields__, "id", "filed_at")
_CHANGING = ("category", "title", "status", "occurred_at", "visit_id", "version")
# At every report that comes in, many at once: hence by hand.
_PLACE = statements.compose(
    """
INSERT INTO timeline_entries ({columns}) SELECT {columns} FROM {rows}
ON CONFLICT (object_id) DO UPDATE SET {changed}
""",
    columns=", ".join(_COLUMNS),
    changed=", ".join(f"{name} = excluded.{name}" for name in _CHANGING),
    rows="{rows}",
)


def place_entry(session: Session, placement: Placement) -> None:
    """Put a thing on the timeline, or bring its line up to date (a corrected report keeps its place's id)."""
    place_entries(session, [placement])
    write_appended(session)


def place_entries(session: Session, placements: Sequence[Placement]) -> None:
    """As ``place_entry``, for things of which no two are the same; written with what else is appended."""
    filed_at = clock.now()
    rows = [vars(placement) | {"id": new_id(), "filed_at": filed_at} for placement in placements]
    append_rows(session, TimelineEntry, rows, into=_PLACE)


def list_own_timeline(
    session: Session,
    actor: Actor,
    *,
    wanted: TimelineFilter | None = None,
    before: UUID | None = None,
    limit: int = PAGE,
) -> list[TimelineItem]:
    """The patient's own timeline across hospitals, newest first.

    :param before: the id of the last line of the page before.
    """
    items, relations = read_page(session, actor, wanted or TimelineFilter(), before=before, limit=limit)
    for person_id, relation in relations.items():
        consent.record_reading(
            session,
            actor,
            person_id=person_id,
            relation=relation,
            action="records.timeline.read",
            facts={"lines": len(items)},
        )
    return items


def list_shared_timeline(
    session: Session,
    actor: Actor,
    *,
    person_id: UUID,
    wanted: TimelineFilter | None = None,
    before: UUID | None = None,
    limit: int = PAGE,
) -> list[TimelineItem]:
    """A patient's timeline as shared with the actor's hospital.

    :raises NothingShared: no grant in force.
    """
    of_person = replace(wanted or TimelineFilter(), person_id=person_id)
    items, _ = read_page(session, actor, of_person, before=before, limit=limit)
    consent.release(
        session,
        actor,
        person_id=person_id,
        action="records.timeline.read",
        shown=[item.object_id for item in items],
    )
    return items


def hide_item(session: Session, actor: Actor, *, object_id: UUID) -> TimelineItem:
    """The person himself keeps a report or study from those who act for him.

    :raises ItemNotFound: no such thing that the actor may see.
    :raises HidingNotAllowed: the actor is not the person himself, or under 14.
    """
    item = _get_item(session, actor, object_id)
    consent.hide_item(session, actor, person_id=item.person_id, of=(item.object_kind, object_id))
    return _get_item(session, actor, object_id)


def show_item(session: Session, actor: Actor, *, object_id: UUID) -> TimelineItem:
    """Undo ``hide_item``; raises as it does."""
    item = _get_item(session, actor, object_id)
    consent.show_item(session, actor, person_id=item.person_id, of=(item.object_kind, object_id))
    return _get_item(session, actor, object_id)


def disclose_item(session: Session, actor: Actor, *, object_id: UUID) -> TimelineItem:
    """Let every hospital that treats the person see a sensitive item, as it sees the rest.

    :raises ItemNotFound: no such thing that the actor may see.
    """
    item = _get_item(session, actor, object_id)
    consent.disclose_item(session, actor, person_id=item.person_id, object_id=object_id)
    return _get_item(session, actor, object_id)


def withhold_item(session: Session, actor: Actor, *, object_id: UUID) -> TimelineItem:
    """Undo ``disclose_item``; raises as it does."""
    item = _get_item(session, actor, object_id)
    consent.withhold_item(session, actor, person_id=item.person_id, object_id=object_id)
    return _get_item(session, actor, object_id)


def find_kind(session: Session, actor: Actor, *, person_id: UUID, object_id: UUID) -> str | None:
    """Whether something on this person's timeline is a report or a study; None when it is not on it for the actor."""
    return session.scalar(
        select(TimelineEntry.object_kind).where(
            TimelineEntry.object_id == object_id,
            TimelineEntry.person_id.in_(health_card.same_person_ids(person_id)),
            consent.is_readable(actor, person_id=TimelineEntry.person_id, object_id=TimelineEntry.object_id),
        )
    )


def _get_item(session: Session, actor: Actor, object_id: UUID) -> TimelineItem:
    items, _ = read_page(session, actor, TimelineFilter(object_id=object_id), limit=1)
    if not items:
        raise ItemNotFound
    return items[0]
