"""A patient pays back: the intent, the order at WeChat Pay, the money.

The row of the line is always locked before the row of the repayment.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock, idempotency, outbox
from core.actor import Actor
from core.ids import new_id
from health_card import service as health_card
from payments.models import UNDER_WAY, CreditLine, Repayment, RepaymentState
from payments.refusals import LineNotFound, RepaymentExceedsDebt, RepaymentNotFound
from payments.service.lines import sum_under_way_fen

OPENED_TOPIC = "payments.repayment_opened"
ORDERED_TOPIC = "payments.repayment_ordered"

# Shorter than the two hours of a prepay id, so that what is shown to the patient can be paid while it is shown.
ORDER_LIFE = timedelta(minutes=30)
FIRST_LOOK_AFTER = timedelta(minutes=3)


@dataclass(frozen=True)
class OrderIntent:
    """What is to be ordered: the same for the same repayment at every try.

    :ivar expires_at: whole seconds; nobody can pay afterwards.
    :ivar was_tried: an earlier try may have reached the gateway without our having seen the answer.
    """

    repayment_id: UUID
    out_trade_no: str
    amount_fen: int
    openid: str
    expires_at: datetime
    was_tried: bool

    @property
    def has_expired(self) -> bool:
        """Whether it is too late to pay."""
        return self.expires_at <= clock.now()


def open_repayment(
    session: Session, actor: Actor, *, key: str, line_id: UUID, amount_fen: int
) -> tuple[dict[str, Any], bool]:
    """Decide to repay a part or all of the debt; ordering at WeChat Pay follows by itself.

    :param key: the client's Idempotency-Key.
    :returns: the reply as JSON, and whether it is a replay.
    :raises IdempotencyKeyReused: the key belongs to another repayment.
    :raises LineNotFound: not a line of the actor's own person.
    :raises RepaymentExceedsDebt: more than drawn minus the repayments under way.
    """
    return idempotency.do_once(
        session,
        owner_id=actor.id,
        operation="payments.open_repayment",
        key=key,
        request={"line_id": line_id, "amount_fen": amount_fen},
        act=lambda: _open(session, actor, line_id, amount_fen),
    )


def get_repayment(session: Session, actor: Actor, *, repayment_id: UUID) -> Repayment:
    """A repayment on a line of the actor's own person.

    :raises RepaymentNotFound: none such.
    """
    found = session.scalars(
        select(Repayment)
        .join(CreditLine, CreditLine.id == Repayment.line_id)
        .where(Repayment.id == repayment_id, CreditLine.person_id.in_(health_card.held_person_ids(actor)))
    ).one_or_none()
    if found is None:
        raise RepaymentNotFound
    return found


def begin_order(session: Session, repayment_id: UUID) -> OrderIntent | None:
    """Write down that the gateway is about to be asked; None when the repayment is not ``opened`` any more."""
    repayment = _lock(session, repayment_id)
    if repayment.state != RepaymentState.OPENED:
        return None
    intent = _intent(session, repayment)
    repayment.order_tried_at = repayment.order_tried_at or clock.now()
    return intent


def find_ordered(session: Session, repayment_id: UUID) -> OrderIntent | None:
    """The intent of a repayment that waits for its money; None when it does not wait any more."""
    repayment = session.get_one(Repayment, repayment_id)
    return _intent(session, repayment) if repayment.state == RepaymentState.ORDERED else None


def record_order(session: Session, actor: Actor, *, repayment_id: UUID, prepay_id: str) -> None:
    """The gateway took the order. From now on the patient can pay, and we look after the money ourselves as well."""
    repayment = _lock(session, repayment_id)
    if repayment.state != RepaymentState.OPENED:
        return
    repayment.state = RepaymentState.ORDERED
    repayment.prepay_id = prepay_id
    outbox.announce(
        session,
        ORDERED_TOPIC,
        {"repayment_id": str(repayment_id)},
        key=f"{ORDERED_TOPIC}:{repayment_id}",
        due_at=clock.now() + FIRST_LOOK_AFTER,
    )
    _record(session, actor, repayment, "payments.repayment.ordered")


def end_repayment(session: Session, actor: Actor, *, repayment_id: UUID, state: RepaymentState) -> None:
    """Nobody will pay this one: the amount is free to be repaid again.

    :param state: ``closed`` or ``failed``.
    """
    repayment = _lock(session, repayment_id)
    if repayment.state not in UNDER_WAY:
        return
    repayment.state = state
    _record(session, actor, repayment, f"payments.repayment.{state}")


def _open(session: Session, actor: Actor, line_id: UUID, amount_fen: int) -> dict[str, Any]:
    line = session.scalars(
        select(CreditLine)
        .where(CreditLine.id == line_id, CreditLine.person_id.in_(health_card.held_person_ids(actor)))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if line is None:
        raise LineNotFound
    payable_fen = max(0, line.drawn_fen - sum_under_way_fen(session, line.id))
    if amount_fen > payable_fen:
        raise RepaymentExceedsDebt(payable_fen=payable_fen)
    repayment_id, now = new_id(), clock.now()
    repayment = Repayment(
        id=repayment_id,
        line_id=line.id,
        login_id=actor.id,
        amount_fen=amount_fen,
        state=RepaymentState.OPENED,
        out_trade_no=repayment_id.hex,
        expires_at=(now + ORDER_LIFE).replace(microsecond=0),
        opened_at=now,
    )
    session.add(repayment)
    outbox.announce(session, OPENED_TOPIC, {"repayment_id": str(repayment_id)}, key=f"{OPENED_TOPIC}:{repayment_id}")
    audit.record_act(
        session,
        actor,
        "payments.repayment.opened",
        subject_id=line.person_id,
        of=("repayment", repayment_id),
        facts={"amount_fen": amount_fen},
    )
    return {
        "repayment_id": str(repayment_id),
        "line_id": str(line.id),
        "amount_fen": amount_fen,
        "state": repayment.state,
        "expires_at": repayment.expires_at.isoformat(),
    }


def _lock(session: Session, repayment_id: UUID) -> Repayment:
    return session.get_one(Repayment, repayment_id, with_for_update=True, populate_existing=True)


def _intent(session: Session, repayment: Repayment) -> OrderIntent:
    return OrderIntent(
        repayment_id=repayment.id,
        out_trade_no=repayment.out_trade_no,
        amount_fen=repayment.amount_fen,
        openid=accounts.get_openid(session, repayment.login_id),
        expires_at=repayment.expires_at,
        was_tried=repayment.order_tried_at is not None,
    )


def _record(session: Session, actor: Actor, repayment: Repayment, action: str) -> None:
    person_id = session.scalar(select(CreditLine.person_id).where(CreditLine.id == repayment.line_id))
    audit.record_act(session, actor, action, subject_id=person_id, of=("repayment", repayment.id))
