"""Reading a trend: the same for the patient and for a doctor with whom the records are shared."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, literal, or_, select, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core.actor import Actor
from health_card import service as health_card
from records.items import service as items
from records.reports.incoming import IncomingObservation
from records.reports.models import Observation, ObservationStatus, Report, ReportStatus

PAGE = 100
_SHOWN = (
    ReportStatus.PRELIMINARY,
    ReportStatus.FINAL,
    ReportStatus.AMENDED,
    ReportStatus.CORRECTED,
)
_SHOWN_LINES = (
    ObservationStatus.PRELIMINARY,
    ObservationStatus.FINAL,
    ObservationStatus.AMENDED,
    ObservationStatus.CORRECTED,
)
_LINE = tuple(IncomingObservation.__dataclass_fields__)


@dataclass(frozen=True)
class TrendPoint:
    """One result as it was sent, and what it is in the item's unit.

    :ivar id: of the line, where a page ends: the report and the position in it.
    :ivar value: in the item's unit; None where it cannot be converted or is no number.
    :ivar original_value: exactly as sent, with ``comparator`` where it is only a bound, and its unit as written.
    """

    id: str
    report_id: UUID
    hospital_name: str
    performed_at: datetime
    status: str
    value: Decimal | None
    comparator: str | None
    original_value: Decimal | None
    original_text: str | None
    original_unit: str | None
    reference_low: Decimal | None
    reference_high: Decimal | None
    flag: str | None
    flag_source: str | None
    explanation: str | None


@dataclass(frozen=True)
class Trend:
    """A page of an item's results, newest first. ``apart``: those that cannot be compared with the others.

    ``older``: the id to ask for the next page with; None on the last one.
    """

    item: items.ItemView
    points: list[TrendPoint]
    apart: list[TrendPoint]
    older: str | None


def read_trend(
    session: Session,
    actor: Actor,
    *,
    person_id: UUID,
    item: str,
    before: tuple[UUID, int] | None = None,
    limit: int = PAGE,
) -> Trend:
    """All results of one item of a person, across hospitals and units, newest first; leaves an access row.

    Results count whose code means the item now, however they were mapped when they came.

    :param item: its code in the city's dictionary.
    :param before: report and position of the last line of the page before.
    :raises DictionaryItemNotFound: no such item.
    :raises NothingShared: the actor may not see this person's records now.
    """
    wanted = items.get_item(session, item)
    rows = session.execute(select_results(actor, person_id, wanted.id, before).limit(limit + 1)).all()
    page = rows[:limit]
    consent.release(
        session,
        actor,
        person_id=person_id,
        action="records.trend.read",
        of=("item", wanted.id),
        shown={row.id for row in page},
        facts={"item": wanted.code, "lines": len(page)},
    )
    points = _show(session, person_id, page)
    is_measured = wanted.unit is not None
    return Trend(
        item=wanted,
        points=[point for point in points if not is_measured or point.value is not None],
        apart=[point for point in points if is_measured and point.value is None],
        older=points[-1].id if len(rows) > limit else None,
    )


def read_line(written: str) -> tuple[UUID, int]:
    """Report and position of a point's id.

    :raises ValueError: not such an id.
    """
    report_id, _, position = written.partition(".")
    return UUID(report_id), int(position)


def select_results(
    actor: Actor, person_id: UUID, item_id: UUID, before: tuple[UUID, int] | None
) -> Select[tuple[Any, ...]]:
    """The results of an item that the actor may see now: the person's reports by their index, then their lines."""
    order = (Report.effective_at.desc(), Report.id, Observation.position)
    columns = (getattr(Observation, name) for name in _LINE)
    wanted = (
        select(Report.id, Report.hospital_id, Report.effective_at, Observation.position, *columns)
        .join(Observation, and_(Observation.report_id == Report.id, Observation.report_version == Report.version))
        .where(
            Report.is_current,
            Report.status.in_(_SHOWN),
            Report.person_id.in_(health_card.same_person_ids(person_id)),
            consent.is_readable(actor, person_id=Report.person_id, object_id=Report.id),
            Observation.status.in_(_SHOWN_LINES),
            or_(Observation.value.is_not(None), Observation.text.is_not(None)),
            items.means_item(
                item_id,
                hospital_id=Report.hospital_id,
                code_system=Observation.code_system,
                code=Observation.code,
                unit=Observation.unit,
            ),
        )
        .order_by(*order)
    )
    return wanted if before is None else wanted.where(_is_after(actor, before))


def _is_after(actor: Actor, before: tuple[UUID, int]) -> ColumnElement[bool]:
    """Behind a line in the order of ``select_results``: times fall, ids and positions rise."""
    report_id, position = before
    last = (
        select(Report.effective_at)
        .where(Report.id == report_id, Report.is_current)
        .where(consent.is_readable(actor, person_id=Report.person_id, object_id=Report.id))
        .scalar_subquery()
    )
    same_moment = and_(
        Report.effective_at == last,
        tuple_(Report.id, Observation.position) > tuple_(literal(report_id), literal(position)),
    )
    return and_(Report.effective_at <= last, or_(Report.effective_at < last, same_moment))


def _show(session: Session, person_id: UUID, rows: Sequence[Row[Any]]) -> list[TrendPoint]:
    found = [
        (row.id, row.position, items.Result(row.hospital_id, row.effective_at, IncomingObservation(*row[4:])))
        for row in rows
    ]
    judgements = items.judge(session, person_id=person_id, results=[result for _, _, result in found])
    hospitals = accounts.list_hospitals(session, {result.hospital_id for _, _, result in found})
    return [
        TrendPoint(
            id=f"{report_id}.{position}",
            report_id=report_id,
            hospital_name=hospitals[result.hospital_id].name,
            performed_at=result.performed_at,
            status=result.line.status,
            value=judgement.value,
            comparator=result.line.comparator,
            original_value=result.line.value,
            original_text=result.line.text,
            original_unit=result.line.unit,
            reference_low=result.line.reference_low,
            reference_high=result.line.reference_high,
            flag=judgement.flag,
            flag_source=judgement.flag_source,
            explanation=judgement.explanation,
        )
        for (report_id, position, result), judgement in zip(found, judgements, strict=True)
    ]
