"""A page of a timeline: one statement finds the lines, decides about each, and reads what is shown with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import statements
from core.actor import Actor, ActorKind


@dataclass(frozen=True)
class TimelineFilter:
    """What of a timeline is asked for; everything given must fit.

    :ivar occurred_from: at this moment or later. ``occurred_until``: before this moment.
    :ivar spans: within one of these times, each from (included) until (not included; None: open); None: at any time.
    :ivar object_id: the line of this one thing.
    """

    person_id: UUID | None = None
    kind: str | None = None
    category: str | None = None
    hospital_id: UUID | None = None
    occurred_from: datetime | None = None
    occurred_until: datetime | None = None
    spans: tuple[tuple[datetime, datetime | None], ...] | None = None
    is_unread: bool = False
    object_id: UUID | None = None


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
    occurred_at: datetime
    is_unread: bool
    is_hidden: bool
    is_held: bool
    sensitivity: str | None
    is_disclosed: bool
    visit: VisitOfItem | None


@dataclass(frozen=True)
class TimelinePage:
    """As it is shown (``schemas.Timeline``)."""

    items: list[TimelineItem]


# At every look of a patient at his phone, hence by hand. Whether he may see a person is asked once. Each record then
# gives its own first lines in the order of its index, and the newest of all of them are the page: however many lines
# a person has, no more of them than a page are read and sorted.
_PAGE = """
WITH readable AS (SELECT * FROM ({readable}) AS each_one{narrowed}), page AS (
    SELECT line.*, readable.relation{of_reader}
    FROM readable CROSS JOIN LATERAL (
        SELECT item.* FROM timeline_entries item{before}
        WHERE item.person_id = readable.id AND {is_known}{conditions}
        ORDER BY item.occurred_at DESC, item.id DESC LIMIT %(limit)s
    ) line
    ORDER BY line.occurred_at DESC, line.id DESC LIMIT %(limit)s
)
SELECT page.id, page.person_id, page.object_kind, page.object_id, page.version, page.category, page.title, page.status,
    page.hospital_id, ({hospital_name}) AS hospital_name,
    page.occurred_at, {is_unread} AS is_unread, {is_hidden} AS is_hidden, coalesce(special.is_held, false),
    special.sensitivity, coalesce(special.is_disclosed, false),
    visit.id, visit.kind, visit.department, visit.opened_at, page.relation
FROM page {visit} LEFT JOIN LATERAL ({restriction}) special ON true
ORDER BY page.occurred_at DESC, page.id DESC
"""
# What a narrow grant shows of an item is not its visit: that is asked for by itself.
_VISIT_OF_OWN = "LEFT JOIN visits visit ON visit.id = page.visit_id"
_VISIT_BY_GRANT = """
LEFT JOIN LATERAL (
    SELECT each_one.* FROM visits each_one CROSS JOIN (SELECT page.root_id, page.is_whole) readable
    WHERE each_one.id = page.visit_id AND {is_in_scope}
) visit ON true
"""
_BEFORE = "before"
_AFTER_LAST = ", (SELECT occurred_at, id FROM timeline_entries WHERE id = %(before)s) last"
_NARROWED = " WHERE root_id = (SELECT root_id FROM persons WHERE id = %(person_id)s)"
_UNREAD = """NOT EXISTS (
    SELECT FROM seen_items seen
    WHERE seen.login_id = %(login_id)s AND seen.object_id = {0}.object_id AND seen.version >= {0}.version
)"""
_CONDITIONS = {
    _BEFORE: "(item.occurred_at, item.id) < (last.occurred_at, last.id)",
    "kind": "item.object_kind = %(kind)s",
    "category": "item.category = %(category)s",
    "hospital_id": "item.hospital_id = %(at_hospital_id)s",
    "occurred_from": "item.occurred_at >= %(occurred_from)s",
    "occurred_until": "item.occurred_at < %(occurred_until)s",
    "spans": "item.occurred_at <@ %(spans)s::tstzmultirange",
    "is_unread": _UNREAD.format("item"),
    "object_id": "item.object_id = %(object_id)s",
}


def read_page(
    session: Session, actor: Actor, wanted: TimelineFilter, *, before: UUID | None = None, limit: int
) -> tuple[list[TimelineItem], dict[UUID, str]]:
    """One page of all the timelines that the actor may see, together; and what each person of it is to a login.

    :param before: the id of the last line of the page before.
    """
    items, relations = [], {}
    for *line, visit_id, kind, department, opened_at, relation in statements.list_rows(
        session, *select_page(actor, wanted, before, limit)
    ):
        visit = VisitOfItem(visit_id, kind, department, opened_at, line[9]) if visit_id else None
        items.append(TimelineItem(*[*line, visit]))
        relations[line[1]] = relation
    return items, relations


def select_page(actor: Actor, wanted: TimelineFilter, before: UUID | None, limit: int) -> tuple[str, dict[str, Any]]:
    """The statement of a page, and its values."""
    given = {name: value for name, value in vars(wanted).items() if value not in (None, False)}
    if before is not None:
        given[_BEFORE] = before
    values = {**given, **consent.gate_values(actor), "login_id": actor.id, "limit": limit}
    values["at_hospital_id"] = wanted.hospital_id
    if wanted.spans is not None:
        values["spans"] = _write_spans(wanted.spans)
    return _compose(consent.gate_of(actor), actor.kind is ActorKind.PATIENT, tuple(given)), values


@cache
def _compose(gate: consent.Gate, is_login: bool, given: tuple[str, ...]) -> str:
    """One text for each set of filters, so that the database keeps its plan."""
    return statements.compose(
        _PAGE,
        readable=gate.readable,
        of_reader="" if is_login else ", readable.root_id, readable.is_whole",
        visit=_VISIT_OF_OWN
        if is_login
        else statements.compose(_VISIT_BY_GRANT, is_in_scope=gate.is_in_scope.format("each_one.id")),
        narrowed=_NARROWED if "person_id" in given else "",
        before=_AFTER_LAST if _BEFORE in given else "",
        is_known=gate.is_known.format("item.object_id"),
        conditions="".join(f"\n            AND {_CONDITIONS[name]}" for name in given if name in _CONDITIONS),
        hospital_name=accounts.HOSPITAL_NAME.format("page.hospital_id"),
        is_unread=_UNREAD.format("page") if is_login else "false",
        is_hidden=gate.is_hidden.format("page.object_id"),
        restriction=consent.RESTRICTION.format("page.object_id"),
    )


def _write_spans(spans: Sequence[tuple[datetime, datetime | None]]) -> str:
    """As PostgreSQL writes a multirange."""
    return "{" + ",".join(f"[{start.isoformat()},{end.isoformat() if end else ''})" for start, end in spans) + "}"
