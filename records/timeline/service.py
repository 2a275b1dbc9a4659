"""Placing things on a person's timeline, and reading a page of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, false, or_, select, true, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import clock, statements
from core.actor import Actor, ActorKind
from core.ids import new_id
from health_card import service as health_card
from records.refusals import ItemNotFound
from records.timeline.models import TimelineEntry
from records.timeline.seeing import Counted, count_between, is_unread, list_seen, mark_all_seen, mark_seen
from records.visits import service as visits

__all__ = [
    "PAGE",
    "Counted",
    "Placement",
    "TimelineFilter",
    "TimelineItem",
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


@dataclass(frozen=True)
class TimelineFilter:
    """What of a timeline is asked for; everything given must fit.

    :ivar occurred_from: at this moment or later. ``occurred_until``: before this moment.
    :ivar spans: within one of these times, each from (included) until (not included; None: open); None: at any time.
    """

    person_id: UUID | None = None
    kind: str | None = None
    category: str | None = None
    hospital_id: UUID | None = None
    occurred_from: datetime | None = None
    occurred_until: datetime | None = None
    spans: tuple[tuple[datetime, datetime | None], ...] | None = None
    is_unread: bool = False


@dataclass(frozen=True)
class VisitOfItem:
    """The visit that an item belongs to. ``kind``, ``department``: see ``records.visits.codes``."""

    id: UUID
    kind: str
    department: str
    opened_at: datetime
    hospital_name: str


@dataclass(frozen=True)
class TimelineItem:
    """One line of a timeline page.

    ``is_hidden``: the person keeps it from those who act for him. ``is_held``: only for a hospital; the patient does
    not see it yet. ``is_disclosed``: a sensitive item that every hospital with a grant sees. ``is_unread``: the login
    has not opened this version.
    """

    id: UUID
    person_id: UUID
    object_kind: str
    object_id: UUID
    version: int
    category: str
    title: str
    status: str
    hospital_id: UUID
    hospital_name: str
    visit: VisitOfItem | None
    occurred_at: datetime
    is_unread: bool
    is_hidden: bool
    is_held: bool
    sensitivity: str | None
    is_disclosed: bool


_COLUMNS = (*Placement.__dataclass_fields__, "id", "filed_at")
_CHANGING = ("category", "title", "status", "occurred_at", "visit_id", "version")
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
    items = session.execute(select_page(actor, wanted or TimelineFilter(), before, limit)).all()
    for person_id in {item.person_id for item in items}:
        consent.release(
            session, actor, person_id=person_id, action="records.timeline.read", facts={"lines": len(items)}
        )
    return _show(session, actor, items)


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
    consent.release(session, actor, person_id=person_id, action="records.timeline.read")
    of_person = replace(wanted or TimelineFilter(), person_id=person_id)
    return _show(session, actor, session.execute(select_page(actor, of_person, before, limit)).all())


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


def disclose_item(session: Session, actor: Actor, *, object_id: UUID) -> TimelineItem:
    """Let every hospital that treats the person see a sensitive item, as it sees the rest.

    :raises ItemNotFound: no such thing that the actor may see.
    """
    entry = _get_entry(session, actor, object_id)
    consent.disclose_item(session, actor, person_id=entry.person_id, object_id=object_id)
    return _show(session, actor, [entry])[0]


def withhold_item(session: Session, actor: Actor, *, object_id: UUID) -> TimelineItem:
    """Undo ``disclose_item``; raises as it does."""
    entry = _get_entry(session, actor, object_id)
    consent.withhold_item(session, actor, person_id=entry.person_id, object_id=object_id)
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


def _get_entry(session: Session, actor: Actor, object_id: UUID) -> Row[Any]:
    readable = consent.is_readable(actor, person_id=TimelineEntry.person_id, object_id=TimelineEntry.object_id)
    of_item = select(TimelineEntry.__table__).where(TimelineEntry.object_id == object_id, readable)
    entry = session.execute(of_item).one_or_none()
    if entry is None:
        raise ItemNotFound
    return entry


def select_page(actor: Actor, wanted: TimelineFilter, before: UUID | None, limit: int) -> Select[Any]:
    """One page of all the timelines that the actor may see, together.

    Whether he may see a person is asked once (the two parts of ``consent.is_readable``). Each record then gives its own
    first lines in the order of its index, and the newest of all of them are the page: however many lines a person has,
    no more of them than a page are read and sorted.
    """
    # A person with several records under one grant is named more than once.
    readable = consent.readable_person_ids(actor).distinct().subquery("readable")
    records = select(readable.c.id)
    if wanted.person_id is not None:
        records = records.where(readable.c.id.in_(health_card.same_person_ids(wanted.person_id)))
    record = records.subquery("record")
    lines = select(TimelineEntry.__table__).where(
        TimelineEntry.person_id == record.c.id,
        consent.is_known_to(actor, TimelineEntry.object_id),
        *_conditions(actor, wanted),
    )
    if before is not None:
        last = select(TimelineEntry.occurred_at, TimelineEntry.id).where(TimelineEntry.id == before)
        lines = lines.where(tuple_(TimelineEntry.occurred_at, TimelineEntry.id) < last.scalar_subquery())
    newest = (TimelineEntry.occurred_at.desc(), TimelineEntry.id.desc())
    line = lines.order_by(*newest).limit(limit).lateral("line")
    together = select(line).select_from(record).join(line, true())
    return together.order_by(line.c.occurred_at.desc(), line.c.id.desc()).limit(limit)


def _conditions(actor: Actor, wanted: TimelineFilter) -> list[ColumnElement[bool]]:
    named = (
        (TimelineEntry.object_kind, wanted.kind),
        (TimelineEntry.category, wanted.category),
        (TimelineEntry.hospital_id, wanted.hospital_id),
    )
    found: list[ColumnElement[bool]] = [column == value for column, value in named if value is not None]
    if wanted.occurred_from is not None:
        found.append(TimelineEntry.occurred_at >= wanted.occurred_from)
    if wanted.occurred_until is not None:
        found.append(TimelineEntry.occurred_at < wanted.occurred_until)
    if wanted.spans is not None:
        found.append(or_(false(), *(_is_within(*span) for span in wanted.spans)))
    if wanted.is_unread:
        found.append(is_unread(actor))
    return found


def _is_within(start: datetime, end: datetime | None) -> ColumnElement[bool]:
    later = TimelineEntry.occurred_at >= start
    return later if end is None else and_(later, TimelineEntry.occurred_at < end)


def _show(session: Session, actor: Actor, entries: Sequence[Row[Any]]) -> list[TimelineItem]:
    if not entries:
        return []
    object_ids = {entry.object_id for entry in entries}
    hospitals = accounts.list_hospitals(session, {entry.hospital_id for entry in entries})
    under = visits.describe_visits(session, {entry.visit_id for entry in entries if entry.visit_id})
    hidden = consent.list_hidden(session, actor, object_ids=object_ids)
    restricted = consent.list_restrictions(session, object_ids=object_ids)
    seen = list_seen(session, actor, object_ids=object_ids)
    is_patient = actor.kind is ActorKind.PATIENT
    items = []
    for entry in entries:
        visit, special = under.get(entry.visit_id) if entry.visit_id else None, restricted.get(entry.object_id)
        hospital_name = hospitals[entry.hospital_id].name
        items.append(
            TimelineItem(
                id=entry.id,
                person_id=entry.person_id,
                object_kind=entry.object_kind,
                object_id=entry.object_id,
                version=entry.version,
                category=entry.category,
                title=entry.title,
                status=entry.status,
                hospital_id=entry.hospital_id,
                hospital_name=hospital_name,
                visit=VisitOfItem(visit.visit_id, visit.kind, visit.department, visit.opened_at, hospital_name)
                if visit
                else None,
                occurred_at=entry.occurred_at,
                is_unread=is_patient and seen.get(entry.object_id, 0) < entry.version,
                is_hidden=entry.object_id in hidden,
                is_held=bool(special and special.is_held),
                sensitivity=special.sensitivity if special else None,
                is_disclosed=bool(special and special.is_disclosed),
            )
        )
    return items
