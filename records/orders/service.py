"""Orders of a hospital: placed, changed, revoked; shown at the visit."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from core import audit, clock
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
    ordered_at: datetime


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
        row.status, row.changed_at = order.status, now
        session.flush()
        audit.record_act(
            session,
            actor,
            "records.order.placed",
            subject_id=person_id,
            of=("order", row.id),
            facts={"status": order.status},
        )
    return person_id


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
    session: Session, actor: Actor, *, status: str | None = None, before: UUID | None = None, limit: int = PAGE
) -> list[HouseOrder]:
    """The orders of the actor's own hospital, newest first.

    :param status: only those of this status.
    :param before: the id of the last line of the page before.
    """
    mine = select(LabOrder).where(LabOrder.hospital_id == actor.house_id)
    if status is not None:
        mine = mine.where(LabOrder.status == status)
    if before is not None:
        last = select(LabOrder.ordered_at, LabOrder.id).where(LabOrder.id == before)
        mine = mine.where(tuple_(LabOrder.ordered_at, LabOrder.id) < last.scalar_subquery())
    found = session.scalars(mine.order_by(LabOrder.ordered_at.desc(), LabOrder.id.desc()).limit(limit)).all()
    audit.record_act(session, actor, "records.order.listed", facts={"lines": len(found)})
    people = {order.person_id for order in found}
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
