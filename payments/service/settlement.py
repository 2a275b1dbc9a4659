"""The money of a repayment has come: told by a notification or found by asking, booked exactly once."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock, observe
from core.actor import Actor
from payments import ledger
from payments.models import CreditLine, GatewayNotification, JournalKind, Repayment, RepaymentState
from payments.refusals import NotificationNotOurs


@dataclass(frozen=True)
class PaidOrder:
    """What the gateway says was paid. ``payer`` is the openid."""

    out_trade_no: str
    transaction_id: str
    amount_fen: int
    currency: str
    payer: str


def accept_notification(
    session: Session, actor: Actor, *, notification_id: str, event_type: str, paid: PaidOrder
) -> bool:
    """Take a genuine notification of a payment; a repeated one changes nothing.

    :returns: whether it was new.
    :raises NotificationNotOurs: it does not match an order of ours; nothing is kept, so that it may come again.
    """
    _check_ours(session, paid)
    values = {
        "notification_id": notification_id,
        "event_type": event_type,
        "out_trade_no": paid.out_trade_no,
        "received_at": clock.now(),
    }
    is_new = session.scalar(
        insert(GatewayNotification)
        .values(values)
        .on_conflict_do_nothing()
        .returning(GatewayNotification.notification_id)
    )
    if is_new is None:
        return False
    settle_repayment(session, actor, paid=paid)
    return True


def settle_repayment(session: Session, actor: Actor, *, paid: PaidOrder) -> bool:
    """Book the money of a repayment, once, whoever reports it.

    The debt falls by the amount. What is beyond the debt (possible only when money comes for a repayment that had
    ended) is owed back to the patient.

    :returns: whether it was booked now.
    :raises NotificationNotOurs: it does not match an order of ours.
    """
    repayment = _check_ours(session, paid)
    line = session.get_one(CreditLine, repayment.line_id, with_for_update=True, populate_existing=True)
    session.refresh(repayment, with_for_update=True)
    if repayment.state == RepaymentState.PAID:
        return False
    now = clock.now()
    applied_fen = min(repayment.amount_fen, line.drawn_fen)
    amounts_fen = {
        ledger.clearing(ledger.WECHATPAY): repayment.amount_fen,
        ledger.receivable(line.id): -applied_fen,
        ledger.overpayment(line.id): applied_fen - repayment.amount_fen,
    }
    ledger.post_journal(session, JournalKind.REPAYMENT, source_id=repayment.id, amounts_fen=amounts_fen, at=now)
    line.drawn_fen -= applied_fen
    repayment.state = RepaymentState.PAID
    repayment.paid_at = now
    repayment.transaction_id = paid.transaction_id
    audit.record_act(
        session,
        actor,
        "payments.repayment.paid",
        subject_id=line.person_id,
        of=("repayment", repayment.id),
        facts={"amount_fen": repayment.amount_fen},
    )
    return True


def _check_ours(session: Session, paid: PaidOrder) -> Repayment:
    repayment = session.scalars(select(Repayment).filter_by(out_trade_no=paid.out_trade_no)).one_or_none()
    if repayment is None:
        observe.log.warning("payments.order_unknown")
        raise NotificationNotOurs
    differs = [
        name
        for name, told, ours in (
            ("amount", paid.amount_fen, repayment.amount_fen),
            ("currency", paid.currency, "CNY"),
            ("payer", paid.payer, accounts.get_openid(session, repayment.login_id)),
            ("transaction_id", paid.transaction_id, repayment.transaction_id or paid.transaction_id),
        )
        if told != ours
    ]
    if differs:
        observe.log.warning("payments.order_differs", repayment=str(repayment.id), differs=differs)
        raise NotificationNotOurs
    return repayment
