"""No needless repeat: on ordering, the doctor is shown what counts already, and answers."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from recognition.models import Answer, Decision, Qualification, RecognitionItem
from recognition.refusals import AlreadyAnswered, ReasonMismatch, ReminderNotFound
from records.reports import service as reports
from records.visits import service as visits


@dataclass(frozen=True)
class Reminder:
    """A result that makes an order needless. ``mark``: scope and HR, as it stands on the report."""

    item_code: str
    item_name: str
    mark: str
    report_id: UUID
    report_version: int
    hospital_name: str
    performed_at: datetime
    valid_until: datetime
    amount_fen: int


def add_item(
    session: Session,
    actor: Actor,
    *,
    code: str,
    name: str,
    category: str,
    scope: str,
    validity_days: int,
    amount_fen: int,
) -> UUID:
    """Put an item into the catalogue."""
    item = RecognitionItem(
        code=code,
        name=name,
        category=category,
        scope=scope,
        validity_days=validity_days,
        amount_fen=amount_fen,
    )
    session.add(item)
    session.flush()
    audit.record_act(session, actor, "recognition.item.added", of=("recognition_item", item.id))
    return item.id


def qualify_hospital(
    session: Session, actor: Actor, *, hospital_id: UUID, item_id: UUID, valid_from: date, valid_until: date
) -> None:
    """Record that a hospital passed external quality assessment for an item, for tests of these days."""
    session.add(Qualification(hospital_id=hospital_id, item_id=item_id, valid_from=valid_from, valid_until=valid_until))
    audit.record_act(session, actor, "recognition.hospital.qualified", of=("hospital", hospital_id))


def check_order(session: Session, actor: Actor, *, visit_id: UUID, item_codes: list[str]) -> list[Reminder]:
    """Which of the items about to be ordered have a valid result already; the newest one each.

    Valid: final, of a qualified hospital on the day of the test, not older than the item's validity.

    :raises VisitNotFound: not a visit at the actor's hospital.
    :raises NothingShared: the patient shares nothing with this hospital (any more).
    """
    visit = visits.get_visit(session, actor, visit_id)
    items = session.scalars(
        select(RecognitionItem).where(RecognitionItem.code.in_(item_codes), RecognitionItem.is_in_force.is_(True))
    )
    reminders = [found for item in items for found in _find_reminder(session, actor, visit.person_id, item)]
    consent.release(
        session,
        actor,
        person_id=visit.person_id,
        action="recognition.order.checked",
        of=("visit", visit_id),
        shown=[reminder.report_id for reminder in reminders],
        facts={"items": len(item_codes)},
    )
    return reminders


def record_decision(
    session: Session,
    actor: Actor,
    *,
    visit_id: UUID,
    item_code: str,
    report_id: UUID,
    answer: Answer,
    reason: str | None,
) -> UUID:
    """Keep the doctor's answer. The same answer again changes nothing.

    :param reason: the national repeat reason (01 to 08, 98, 99); only when refused.
    :raises ReminderNotFound: the report is no valid result of this item for this visit now.
    :raises ReasonMismatch: refused without a reason, or recognised with one.
    :raises AlreadyAnswered: answered otherwise before.
    """
    if (answer is Answer.REFUSED) != (reason is not None):
        raise ReasonMismatch
    reminders = check_order(session, actor, visit_id=visit_id, item_codes=[item_code])
    reminder = next((found for found in reminders if found.report_id == report_id), None)
    if reminder is None:
        raise ReminderNotFound
    item = session.scalars(select(RecognitionItem).filter_by(code=item_code)).one()
    values = {"visit_id": visit_id, "item_id": item.id, "report_id": report_id}
    decision_id = session.scalar(
        insert(Decision)
        .values(
            id=new_id(),
            report_version=reminder.report_version,
            answer=answer.value,
            reason=reason,
            decided_by=actor.id,
            decided_at=clock.now(),
            **values,
        )
        .on_conflict_do_nothing(index_elements=list(values))
        .returning(Decision.id)
    )
    if decision_id is None:
        return _get_same_answer(session, values, answer, reason)
    person_id = visits.get_visit(session, actor, visit_id).person_id
    audit.record_act(
        session,
        actor,
        f"recognition.result.{answer.value}",
        subject_id=person_id,
        of=("report", report_id),
        facts={"item": item_code} | ({"reason": reason} if reason else {}),
    )
    return decision_id


def _find_reminder(session: Session, actor: Actor, person_id: UUID, item: RecognitionItem) -> Iterator[Reminder]:
    life = timedelta(days=item.validity_days)
    results = reports.list_results(session, actor, person_id=person_id, code=item.code, since=clock.now() - life)
    for result in results:
        if _is_qualified(session, result.hospital_id, item.id, clock.in_city(result.performed_at).date()):
            yield Reminder(
                item_code=item.code,
                item_name=item.name,
                mark=f"{item.scope}HR",
                report_id=result.report_id,
                report_version=result.report_version,
                hospital_name=accounts.get_hospital(session, result.hospital_id).name,
                performed_at=result.performed_at,
                valid_until=result.performed_at + life,
                amount_fen=item.amount_fen,
            )
            return


def _is_qualified(session: Session, hospital_id: UUID, item_id: UUID, day: date) -> bool:
    found = session.scalar(
        select(Qualification.id)
        .filter_by(hospital_id=hospital_id, item_id=item_id)
        .where(Qualification.valid_from <= day, Qualification.valid_until >= day)
        .limit(1)
    )
    return found is not None


def _get_same_answer(session: Session, values: dict[str, UUID], answer: Answer, reason: str | None) -> UUID:
    earlier = session.scalars(select(Decision).filter_by(**values)).one()
    if (earlier.answer, earlier.reason) != (answer.value, reason):
        raise AlreadyAnswered
    return earlier.id
