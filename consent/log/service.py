"""The log by lines: what one system of a hospital did in the same way on one day is one line, and can be unfolded."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, select, tuple_
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session

from consent.log.refusals import LineNotFound
from consent.service.access_log import (
    EVERYTHING,
    ITEM_ID,
    PAGE,
    AccessFilter,
    AccessRow,
    describe,
    list_access,
    may_read,
    place_of,
    show_page,
)
from consent.service.scoping import ITEMS
from core.actor import Actor, ActorKind
from core.audit import AuditEntry

_DAY = func.date(func.timezone("Asia/Shanghai", AuditEntry.at))
# Everything but the system's rows stands alone.
_ALONE = case((AuditEntry.actor_kind == ActorKind.MACHINE.value, None), else_=AuditEntry.id)
# What the rows of a line have in common; under another version of a grant it is another line.
_SAME: tuple[Any, ...] = (
    AuditEntry.subject_id,
    AuditEntry.actor_kind,
    AuditEntry.actor_id,
    AuditEntry.hospital_id,
    AuditEntry.action,
    AuditEntry.purpose,
    AuditEntry.basis_id,
    AuditEntry.basis_version,
)


@dataclass(frozen=True)
class AccessLine:
    """Acts that are read as one. ``newest``: the last of them; its id is the line's.

    ``item_kinds``: of what was looked at, and ``items_since_on`` and ``items_until_on`` the days of it.
    """

    newest: AccessRow
    count: int
    first_at: datetime
    last_at: datetime
    item_kinds: list[str]
    items_since_on: date | None
    items_until_on: date | None


@dataclass(frozen=True)
class Place:
    """Where a page of lines ended, and the newest row that there was when reading began: what came later would move
    lines from page to page.
    """

    began: UUID
    last: UUID


@dataclass(frozen=True)
class Page:
    """``next``: where the next page goes on; None: this was the last."""

    lines: list[AccessLine]
    next: Place | None


def list_lines(
    session: Session,
    actor: Actor,
    *,
    after: Place | None = None,
    wanted: AccessFilter = EVERYTHING,
    limit: int = PAGE,
) -> Page:
    """The log of the persons whom the actor may act for, by lines, the one with the newest act first.

    What the actor may not know of is not counted either.
    """
    newest = func.array_agg(aggregate_order_by(AuditEntry.id, AuditEntry.at.desc(), AuditEntry.id.desc()))[1]
    last_at = func.max(AuditEntry.at)
    lines = (
        select(
            newest.label("id"),
            func.count(AuditEntry.id.distinct()).label("rows"),
            func.min(AuditEntry.at).label("first_at"),
            last_at.label("last_at"),
            func.array_remove(func.array_agg(ITEMS.c.kind.distinct()), None).label("kinds"),
            func.min(ITEMS.c.occurred_on).label("since_on"),
            func.max(ITEMS.c.occurred_on).label("until_on"),
        )
        .outerjoin(ITEMS, ITEMS.c.object_id == ITEM_ID)
        .where(*may_read(actor, wanted))
        .group_by(*_SAME, _DAY, _ALONE)
        .order_by(last_at.desc(), newest.desc())
        .limit(limit + 1)
    )
    if after is not None:
        lines = lines.where(tuple_(AuditEntry.at, AuditEntry.id) <= place_of(after.began))
        lines = lines.having(tuple_(last_at, newest) < place_of(after.last))
    found = session.execute(lines).all()
    page, more = found[:limit], len(found) > limit
    rows = _describe(session, actor, [line.id for line in page])
    shown = [
        AccessLine(
            rows[line.id], line.rows, line.first_at, line.last_at, sorted(line.kinds), line.since_on, line.until_on
        )
        for line in page
    ]
    began = after.began if after else page[0].id if page else None
    return Page(shown, Place(began, page[-1].id) if began and more else None)


def list_rows(
    session: Session,
    actor: Actor,
    *,
    line_id: UUID | None = None,
    wanted: AccessFilter = EVERYTHING,
    before: UUID | None = None,
    limit: int = PAGE,
) -> list[AccessRow]:
    """The log by single acts, newest first: those that are folded in one line (``unfold_line``), or all.

    :raises LineNotFound: as ``unfold_line``.
    """
    if line_id is not None:
        return unfold_line(session, actor, line_id=line_id, before=before, limit=limit)
    return list_access(session, actor, wanted=wanted, before=before, limit=limit)


def unfold_line(
    session: Session, actor: Actor, *, line_id: UUID, before: UUID | None = None, limit: int = PAGE
) -> list[AccessRow]:
    """The acts of a line, newest first: those that the actor may know of.

    :param line_id: the id of any of them.
    :raises LineNotFound: none that the actor may read.
    """
    mine = may_read(actor)
    one = session.execute(select(*_SAME, _DAY, _ALONE).where(*mine, AuditEntry.id == line_id)).one_or_none()
    if one is None:
        raise LineNotFound
    alike = [same.is_not_distinct_from(value) for same, value in zip((*_SAME, _DAY, _ALONE), one, strict=True)]
    return show_page(session, actor, select(AuditEntry).where(*mine, *alike), before=before, limit=limit)


def _describe(session: Session, actor: Actor, ids: Sequence[UUID]) -> dict[UUID, AccessRow]:
    entries = session.scalars(select(AuditEntry).where(AuditEntry.id.in_(ids))).all()
    return {row.id: row for row in describe(session, actor, entries)}
