"""Codes that came in and mean nothing yet: noted at filing, counted by the worker, listed with what they may mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, or_, select, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import Actor
from core.appending import append_rows
from core.ids import new_id
from records.items.models import CodeMapping, CodeSighting, UnmappedCode
from records.items.service.suggesting import Suggestion, suggest_items
from records.reports.incoming import IncomingObservation

# One message for ever: it comes back (see app.prepare).
FOLDING_DUE = "records.code_sightings_due"
PAGE = 50
_SLICE = 5000
_MOST_NAMES = 5

_NOTE = """
INSERT INTO code_sightings SELECT sent.* FROM {rows} sent
WHERE NOT EXISTS (
    SELECT FROM code_mappings known
    WHERE known.code_system = sent.code_system AND known.code = sent.code AND known.ended_at IS NULL
        AND (known.unit IS NULL OR known.unit = sent.unit)
        AND (known.hospital_id IS NULL OR known.hospital_id = sent.hospital_id)
)
"""

_Key = tuple[UUID, str, str, str | None]


@dataclass(frozen=True)
class UnmappedView:
    """A code without a meaning; see ``models.UnmappedCode``. ``suggestions``: the likeliest first."""

    id: UUID
    hospital_id: UUID
    hospital_name: str
    code_system: str
    code: str
    unit: str | None
    names: list[str]
    seen_count: int
    first_seen_at: datetime
    last_seen_at: datetime
    suggestions: list[Suggestion]


def note_sent_codes(session: Session, *, hospital_id: UUID, lines: Sequence[IncomingObservation]) -> None:
    """Note the codes of reports just filed that mean nothing yet. Waits for nobody: it only appends."""
    sent = {(line.code_system, line.code, line.unit): line.name for line in lines}
    shared = {"hospital_id": hospital_id, "seen_at": clock.now()}
    rows = [
        {"id": new_id(), "code_system": system, "code": code, "unit": unit, "name": name, **shared}
        for (system, code, unit), name in sent.items()
    ]
    append_rows(session, CodeSighting, rows, into=_NOTE)


def fold_sightings(session: Session) -> int:
    """Count a slice of what filing noted.

    :returns: how many were folded; 0: there are none left.
    """
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(FOLDING_DUE, 0))))
    oldest = select(CodeSighting.id).order_by(CodeSighting.id).limit(_SLICE)
    taken = session.scalars(delete(CodeSighting).where(CodeSighting.id.in_(oldest)).returning(CodeSighting)).all()
    grouped: dict[_Key, list[CodeSighting]] = {}
    for sighting in sorted(taken, key=lambda each: each.id):
        key = (sighting.hospital_id, sighting.code_system, sighting.code, sighting.unit)
        grouped.setdefault(key, []).append(sighting)
    known = _find_counted(session, set(grouped))
    for key, sightings in grouped.items():
        _count(session, known.get(key), sightings)
    session.flush()
    return len(taken)


def list_unmapped(
    session: Session, actor: Actor, *, before: UUID | None = None, limit: int = PAGE
) -> list[UnmappedView]:
    """The work list, most often seen first: the actor's own hospital's, or all of it for one who acts for none.

    :param before: the id of the last line of the page before.
    """
    said = select(CodeMapping.id).where(
        CodeMapping.code_system == UnmappedCode.code_system,
        CodeMapping.code == UnmappedCode.code,
        CodeMapping.ended_at.is_(None),
        or_(CodeMapping.hospital_id.is_(None), CodeMapping.hospital_id == UnmappedCode.hospital_id),
        or_(CodeMapping.unit.is_(None), CodeMapping.unit == UnmappedCode.unit),
    )
    waiting = select(UnmappedCode).where(~said.exists())
    if actor.hospital_id is not None:
        waiting = waiting.where(UnmappedCode.hospital_id == actor.hospital_id)
    if before is not None:
        last = select(UnmappedCode.seen_count, UnmappedCode.id).where(UnmappedCode.id == before)
        waiting = waiting.where(tuple_(UnmappedCode.seen_count, UnmappedCode.id) < last.scalar_subquery())
    ordered = waiting.order_by(UnmappedCode.seen_count.desc(), UnmappedCode.id.desc()).limit(limit)
    codes = session.scalars(ordered).all()
    hospitals = accounts.list_hospitals(session, {each.hospital_id for each in codes})
    suggestions = suggest_items(session, [(each.code, each.names, each.unit) for each in codes])
    audit.record_act(session, actor, "records.unmapped_codes.listed", facts={"lines": len(codes)})
    return [
        UnmappedView(
            id=each.id,
            hospital_id=each.hospital_id,
            hospital_name=hospitals[each.hospital_id].name,
            code_system=each.code_system,
            code=each.code,
            unit=each.unit,
            names=each.names,
            seen_count=each.seen_count,
            first_seen_at=each.first_seen_at,
            last_seen_at=each.last_seen_at,
            suggestions=suggested,
        )
        for each, suggested in zip(codes, suggestions, strict=True)
    ]


def _find_counted(session: Session, keys: set[_Key]) -> dict[_Key, UnmappedCode]:
    rows = session.scalars(
        select(UnmappedCode).where(
            tuple_(UnmappedCode.hospital_id, UnmappedCode.code_system, UnmappedCode.code).in_({key[:3] for key in keys})
        )
    )
    return {(each.hospital_id, each.code_system, each.code, each.unit): each for each in rows}


def _count(session: Session, known: UnmappedCode | None, sightings: list[CodeSighting]) -> None:
    first, last = sightings[0], sightings[-1]
    names = list(dict.fromkeys([*(known.names if known else []), *(each.name for each in sightings)]))[:_MOST_NAMES]
    if known is not None:
        known.names, known.seen_count = names, known.seen_count + len(sightings)
        known.last_seen_at = max(known.last_seen_at, last.seen_at)
        return
    session.add(
        UnmappedCode(
            hospital_id=first.hospital_id,
            code_system=first.code_system,
            code=first.code,
            unit=first.unit,
            names=names,
            seen_count=len(sightings),
            first_seen_at=first.seen_at,
            last_seen_at=last.seen_at,
        )
    )
