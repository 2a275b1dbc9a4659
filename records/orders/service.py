"""Orders of a hospital: placed, changed, revoked; shown at the visit."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from core import audit, clock, statements
from core.actor import Actor
from health_card import service as health_card
from records.intake.subjects import Subject
from records.orders.models import LabOrder
from records.orders.refusals import OrderOfAnotherPerson
from records.reports import service as reports
from records.visits import service as visits

PAGE = 30


@dataclass(frozen=True)
class PlacedOrder:
    """One order as sent; the fields are those of ``models.LabOrder``."""

    placer_number: str
    filler_number: str | None
    code: str
    code_system: str
    name: str
    status: str
    ordered_at: datetime | None


@dataclass(frozen=True)
class Placed:
    """The orders of one message. ``visit_id``: the platform's; ``visit_number``: the hospital's own."""

    subject: Subject
    visit_id: UUID | None
    visit_number: str | None
    orders: tuple[PlacedOrder, ...]


@dataclass(frozen=True)
class OrderView:
    """An order as the hospital last said it. ``status``: a code of FHIR R4 request-status."""

    id: UUID
    placer_number: str
    filler_number: str | None
    code: str
    code_system: str
    name: str
    status: str
    report_id: UUID | None
    ordered_at: datetime


@dataclass(frozen=True)
class Answer:
    """A report with what it says of the order that it answers. ``placer_number`` counts; without it ``filler_number``.

    :ivar identifier: of the report.
    """

    identifier: tuple[str, str]
    placer_number: str | None
    filler_number: str | None


# For many reports at once, by what is filed of them now: said again, or in another order, it comes to the same.
_FOLLOW = """
WITH asked AS (
    SELECT * FROM unnest(%(systems)s::text[], %(values)s::text[], %(placers)s::text[], %(fillers)s::text[])
        asked (system, value, placer, filler)
), named AS (
    SELECT asked.*, meant.id AS order_id FROM asked CROSS JOIN LATERAL (
        SELECT id FROM lab_orders WHERE hospital_id = %(hospital_id)s AND placer_number = asked.placer
        UNION ALL
        SELECT id FROM lab_orders
        WHERE asked.placer IS NULL AND hospital_id = %(hospital_id)s AND filler_number = asked.filler
    ) meant
), locked AS (
    SELECT * FROM lab_orders WHERE id IN (SELECT order_id FROM named) ORDER BY id FOR NO KEY UPDATE
), answered AS (
    SELECT locked.id, (array_agg(report.id ORDER BY report.filed_at DESC, report.id DESC))[1] AS report_id,
        CASE
            WHEN bool_and(report.status = 'cancelled') THEN 'revoked'
            WHEN bool_or(report.status = 'preliminary') THEN 'active'
            ELSE 'completed'
        END AS status
    FROM named JOIN locked ON locked.id = named.order_id
        JOIN reports report ON report.hospital_id = %(hospital_id)s AND report.identifier_system = named.system
            AND report.identifier_value = named.value AND report.is_current
        JOIN persons own ON own.id = locked.person_id
        JOIN persons other ON other.id = report.person_id AND other.root_id = own.root_id
    WHERE locked.status NOT IN ('revoked', 'entered-in-error')
    GROUP BY locked.id
), changed AS (
    UPDATE lab_orders SET status = answered.status, report_id = answered.report_id, changed_at = %(now)s
    FROM answered
    WHERE lab_orders.id = answered.id
        AND (lab_orders.status, lab_orders.report_id) IS DISTINCT FROM (answered.status, answered.report_id)
    RETURNING lab_orders.id, lab_orders.person_id, lab_orders.status
)
SELECT jsonb_agg(jsonb_build_array(id, person_id, status)) FROM changed
"""


@dataclass(frozen=True)
class HouseOrder(OrderView):
    """An order of a hospital with its patient. ``person_name``: masked; ``patient_number``: the hospital's own."""

    person_name: str
    patient_number: str | None
    visit_id: UUID | None
    changed_at: datetime


def place_orders(session: Session, actor: Actor, *, placed: Placed) -> UUID:
    """Keep the orders of a message, or bring those that are known up to date.

    :returns: whose they are.
    :raises PersonNotMatched: the subject leads to nobody, or to more than one person.
    :raises VisitNotMatched: the visit named is not one of this person at the actor's hospital.
    :raises OrderOfAnotherPerson: an order of this number was placed for another person.
    """
    person_id, visit_id = reports.match_subject(
        session, actor, placed.subject, visit_id=placed.visit_id, visit_number=placed.visit_number
    )
    by_number = {order.placer_number: order for order in placed.orders}
    known = _lock_known(session, actor, sorted(by_number))
    if not all(health_card.is_same_person(session, order.person_id, person_id) for order in known.values()):
        raise OrderOfAnotherPerson
    now = clock.now()
    for number, order in by_number.items():
        row = known.get(number)
        if row is None:
            row = LabOrder(hospital_id=actor.house_id, person_id=person_id, placer_number=number)
            row.visit_id = visit_id or visits.find_latest_visit_id(session, actor, person_id=person_id, at=now)
            row.ordered_at = order.ordered_at or now
            session.add(row)
        row.filler_number = order.filler_number or row.filler_number
        row.code, row.code_system, row.name = order.code, order.code_system, order.name
        if not (row.report_id and row.status == "completed" and order.status == "active"):
            # Told of once more, an order whose result is there is still done.
            row.status = order.status
        row.changed_at = now
        session.flush()
        audit.record_act(
            session,
            actor,
            "records.order.placed",
            subject_id=person_id,
            of=("order", row.id),
            facts={"status": row.status},
        )
    return person_id


def follow_reports(session: Session, actor: Actor, *, answers: Sequence[Answer]) -> None:
    """What reports that were just filed mean for the orders that they name, of the same person at the actor's hospital.

    Completed by a report that is final, revoked by one that was cancelled, in process (active, with the report) by a
    preliminary one. One that was revoked before stays so, and an order that nobody told of says nothing.
    """
    if not answers:
        return
    row = statements.run(
        session,
        _FOLLOW,
        {
            "systems": [answer.identifier[0] for answer in answers],
            "values": [answer.identifier[1] for answer in answers],
            "placers": [answer.placer_number for answer in answers],
            "fillers": [answer.filler_number for answer in answers],
            "hospital_id": actor.house_id,
            "now": clock.now(),
        },
    )
    for order_id, person_id, status in (row[0] if row else None) or ():
        of = ("order", UUID(order_id))
        facts = {"status": status}
        audit.record_act(session, actor, "records.order.answered", subject_id=UUID(person_id), of=of, facts=facts)


def list_orders(session: Session, actor: Actor, *, visit_id: UUID) -> list[OrderView]:
    """The orders of a visit at the actor's own hospital, newest first.

    :raises VisitNotFound: no such visit there.
    """
    visit = visits.get_visit(session, actor, visit_id)
    orders = list_of_visit(session, visit_id=visit_id)
    audit.record_act(
        session,
        actor,
        "records.order.listed",
        subject_id=visit.person_id,
        of=("visit", visit_id),
        facts={"lines": len(orders)},
    )
    return orders


def list_house_orders(
    session: Session,
    actor: Actor,
    *,
    status: str | None = None,
    since: date | None = None,
    until: date | None = None,
    before: UUID | None = None,
    limit: int = PAGE,
) -> list[HouseOrder]:
    """The orders of the actor's own hospital, newest first.

    :param status: only those of this status.
    :param since: ordered on this day of the city or later; ``until``: or before.
    :param before: the id of the last line of the page before.
    """
    mine = select(LabOrder).where(LabOrder.hospital_id == actor.house_id)
    if status is not None:
        mine = mine.where(LabOrder.status == status)
    start, end = clock.bounds_of_days(since, until)
    if start is not None:
        mine = mine.where(LabOrder.ordered_at >= start)
    if end is not None:
        mine = mine.where(LabOrder.ordered_at < end)
    if before is not None:
        last = select(LabOrder.ordered_at, LabOrder.id).where(LabOrder.id == before)
        mine = mine.where(tuple_(LabOrder.ordered_at, LabOrder.id) < last.scalar_subquery())
    found = session.scalars(mine.order_by(LabOrder.ordered_at.desc(), LabOrder.id.desc()).limit(limit)).all()
    people = Counter(order.person_id for order in found)
    for person_id, lines in people.items():
        audit.record_act(session, actor, "records.order.listed", subject_id=person_id, facts={"lines": lines})
    names = {id_: health_card.get_demographics(session, id_).name for id_ in people}
    numbers = {id_: health_card.get_patient_number(session, actor, id_) for id_ in people}
    return [
        HouseOrder(
            **vars(_show(order)),
            person_name=names[order.person_id],
            patient_number=numbers[order.person_id],
            visit_id=order.visit_id,
            changed_at=order.changed_at,
        )
        for order in found
    ]


def list_of_visit(session: Session, *, visit_id: UUID) -> list[OrderView]:
    """As ``list_orders``; the caller has seen that it is the actor's visit, and records the read."""
    of_visit = select(LabOrder).filter_by(visit_id=visit_id)
    orders = session.scalars(of_visit.order_by(LabOrder.ordered_at.desc(), LabOrder.id.desc()))
    return [_show(order) for order in orders]


def _show(order: LabOrder) -> OrderView:
    return OrderView(**{name: getattr(order, name) for name in OrderView.__dataclass_fields__})


def _lock_known(session: Session, actor: Actor, numbers: Sequence[str]) -> dict[str, LabOrder]:
    for number in numbers:
        lock = f"order/{actor.house_id}/{number}"
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(lock, 0))))
    known = select(LabOrder).where(LabOrder.hospital_id == actor.house_id, LabOrder.placer_number.in_(numbers))
    return {order.placer_number: order for order in session.scalars(known)}
