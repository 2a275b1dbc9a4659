"""A hospital captures a bill against the patient's credit."""

from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import audit, clock, idempotency
from core.actor import Actor
from core.ids import new_id
from health_card import service as health_card
from payments import ledger
from payments.models import Charge, CreditLine, JournalKind, LineState
from payments.refusals import BillAlreadyCharged, LimitExceeded, LineSuspended, NoCreditLine, PaymentCodeOfAnother
from payments.service.lines import measure_available_fen
from records.visits import service as visits

EMERGENCY = "E"


@dataclass(frozen=True)
class Bill:
    """What the hospital asks for.

    :ivar amount_fen: the self-paid part, above zero.
    :ivar medical_step: the national code of what is billed: 010101 register, 010102 diagnose, 010103 dispense ...
    :ivar bill_number: the hospital's own number of it, unique there.
    """

    visit_id: UUID
    amount_fen: int
    medical_step: str
    bill_number: str


@dataclass(frozen=True)
class PaymentCode:
    """A code that the patient made for this bill: text, and the issuer of our codes."""

    text: str
    issuer: str


def capture_charge(
    session: Session, actor: Actor, *, key: str, bill: Bill, code: PaymentCode | None = None
) -> tuple[dict[str, Any], bool]:
    """Charge a bill at once to the credit of the visit's patient: whole, on one line, or not at all.

    The line is the oldest one in force that has enough left. Emergency visits are also charged to suspended lines.

    :param key: the hospital's Idempotency-Key.
    :param code: when the patient confirmed the amount; used up by the charge.
    :returns: the reply as JSON, and whether it is a replay.
    :raises IdempotencyKeyReused: the key belongs to another bill.
    :raises VisitNotFound: no such visit at the actor's hospital.
    :raises CodeRefused: see ``health_card.redeem_payment_code``.
    :raises PaymentCodeOfAnother: the code is not of this visit's patient.
    :raises NoCreditLine, LineSuspended, LimitExceeded, BillAlreadyCharged: nothing was charged.
    """
    return idempotency.do_once(
        session,
        owner_id=actor.house_id,
        operation="payments.capture_charge",
        key=key,
        request=asdict(bill) | ({"payment_code": code.text} if code else {}),
        act=lambda: _capture(session, actor, bill, code),
    )


def _capture(session: Session, actor: Actor, bill: Bill, code: PaymentCode | None) -> dict[str, Any]:
    visit = visits.get_visit(session, actor, bill.visit_id)
    if code is not None:
        _redeem(session, actor, bill, visit, code)
    lines = _lock_lines(session, visit)
    usable = _select_usable(lines, visit)
    # Asked before the limit, so that a bill sent twice is told so even when the credit is used up.
    _check_not_charged(session, actor, bill)
    line = next((line for line in usable if measure_available_fen(line, lines) >= bill.amount_fen), None)
    if line is None:
        raise LimitExceeded
    charge_id, at = new_id(), clock.now()
    inserted = session.scalar(
        insert(Charge)
        .values(
            id=charge_id,
            line_id=line.id,
            hospital_id=visit.hospital_id,
            captured_by=actor.id,
            captured_at=at,
            **asdict(bill),
        )
        .on_conflict_do_nothing(index_elements=["hospital_id", "bill_number"])
        .returning(Charge.id)
    )
    if inserted is None:
        raise BillAlreadyCharged
    amounts_fen = {
        ledger.receivable(line.id): bill.amount_fen,
        ledger.payable(visit.hospital_id): -bill.amount_fen,
    }
    ledger.post_journal(session, JournalKind.CHARGE, source_id=charge_id, amounts_fen=amounts_fen, at=at)
    line.drawn_fen += bill.amount_fen
    audit.record_act(
        session,
        actor,
        "payments.charge.captured",
        subject_id=visit.person_id,
        of=("charge", charge_id),
        facts={"amount_fen": bill.amount_fen, "step": bill.medical_step},
    )
    return {
        "charge_id": str(charge_id),
        "visit_id": str(bill.visit_id),
        "bill_number": bill.bill_number,
        "medical_step": bill.medical_step,
        "amount_fen": bill.amount_fen,
        "state": "captured",
        "captured_at": at.isoformat(),
    }


def _redeem(session: Session, actor: Actor, bill: Bill, visit: visits.VisitContext, code: PaymentCode) -> None:
    found = health_card.redeem_payment_code(
        session, actor, text=code.text, issuer=code.issuer, amount_fen=bill.amount_fen
    )
    if not health_card.is_same_person(session, found.person_id, visit.person_id):
        raise PaymentCodeOfAnother


def _lock_lines(session: Session, visit: visits.VisitContext) -> list[CreditLine]:
    """All lines of the visit's patient, oldest first, locked: whoever draws on them or repays waits for us."""
    lines = session.scalars(
        select(CreditLine)
        .where(CreditLine.person_id.in_(health_card.same_person_ids(visit.person_id)))
        .order_by(CreditLine.opened_at, CreditLine.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return list(lines)


def _select_usable(lines: list[CreditLine], visit: visits.VisitContext) -> list[CreditLine]:
    in_force = [line for line in lines if line.state != LineState.CLOSED]
    if not in_force:
        raise NoCreditLine
    usable = [line for line in in_force if line.state == LineState.ACTIVE or visit.kind == EMERGENCY]
    if not usable:
        raise LineSuspended
    return usable


def _check_not_charged(session: Session, actor: Actor, bill: Bill) -> None:
    charged = select(Charge.id).filter_by(hospital_id=actor.house_id, bill_number=bill.bill_number)
    if session.scalar(charged) is not None:
        raise BillAlreadyCharged
