"""Repayments at WeChat Pay, outside every transaction: ordered under one number, looked after until they end.

Whatever was asked without an answer is asked about by our own number before anything else is done (query, then decide).
"""

from typing import Any
from uuid import UUID

from core import clock, db, observe
from core.actor import SYSTEM
from core.dispatch import Handler, TryLater
from core.web import current_config
from payments import service
from payments.models import RepaymentState
from payments.service import OrderIntent
from payments.wechatpay import GatewayRefused, GatewaySilent, WechatPay

_RETRY_SECONDS = 10
_LOOK_AGAIN_SECONDS = 180
_UNPAID_FOR_EVER = {"CLOSED", "REVOKED", "PAYERROR"}


def order_repayment(payload: dict[str, Any]) -> None:
    """Order at WeChat Pay what a patient has decided to repay.

    :raises TryLater: WeChat Pay does not answer; the same number is tried again.
    """
    gateway = WechatPay(current_config())
    with db.transaction() as session:
        intent = service.begin_order(session, UUID(payload["repayment_id"]))
    if intent is None:
        return
    found = _look(gateway, intent) if intent.was_tried else None
    if found in _ENDED:
        return
    if intent.has_expired:
        _end_unpaid(gateway, intent, RepaymentState.CLOSED, is_known=found is not None)
        return
    try:
        prepay_id = gateway.order(
            out_trade_no=intent.out_trade_no,
            amount_fen=intent.amount_fen,
            openid=intent.openid,
            expires_at=intent.expires_at,
        )
    except GatewaySilent:
        raise TryLater(_RETRY_SECONDS) from None
    except GatewayRefused:
        found = _look(gateway, intent)
        if found not in _ENDED:
            _end_unpaid(gateway, intent, RepaymentState.FAILED, is_known=found is not None)
        return
    with db.transaction() as session:
        service.record_order(session, SYSTEM, repayment_id=intent.repayment_id, prepay_id=prepay_id)


def check_repayment(payload: dict[str, Any]) -> None:
    """Ask WeChat Pay about an ordered repayment that no notification has ended, until it is paid or closed.

    :raises TryLater: not yet.
    """
    gateway = WechatPay(current_config())
    with db.snapshot() as session:
        intent = service.find_ordered(session, UUID(payload["repayment_id"]))
    if intent is None:
        return
    found = _look(gateway, intent)
    if found in _ENDED:
        return
    if not intent.has_expired:
        seconds_left = (intent.expires_at - clock.now()).total_seconds()
        raise TryLater(max(1, min(_LOOK_AGAIN_SECONDS, round(seconds_left))))
    _end_unpaid(gateway, intent, RepaymentState.CLOSED, is_known=found is not None)


HANDLERS: dict[str, Handler] = {
    service.OPENED_TOPIC: order_repayment,
    service.ORDERED_TOPIC: check_repayment,
}

_ENDED = {"SUCCESS", *_UNPAID_FOR_EVER}


def _look(gateway: WechatPay, intent: OrderIntent) -> str | None:
    """The order's state at WeChat Pay, None when it does not exist there; what has ended there is ended here."""
    try:
        transaction = gateway.query(intent.out_trade_no)
    except (GatewaySilent, GatewayRefused):
        # Not even the question was taken (our key, our clock, their trouble): nothing is known, so nothing is decided.
        raise TryLater(_RETRY_SECONDS) from None
    if transaction is None:
        return None
    with db.transaction() as session:
        if transaction.trade_state == "SUCCESS":
            service.settle_repayment(session, SYSTEM, paid=transaction.as_paid())
        elif transaction.trade_state in _UNPAID_FOR_EVER:
            service.end_repayment(session, SYSTEM, repayment_id=intent.repayment_id, state=RepaymentState.CLOSED)
    return transaction.trade_state


def _end_unpaid(gateway: WechatPay, intent: OrderIntent, state: RepaymentState, *, is_known: bool) -> None:
    """End a repayment that is not paid: at WeChat Pay first, so that it cannot be paid afterwards."""
    if is_known:
        try:
            gateway.close(intent.out_trade_no)
        except (GatewaySilent, GatewayRefused) as error:
            # Paid at the last moment, or unanswered: the next look tells.
            observe.log.warning("payments.not_closed", repayment=str(intent.repayment_id), error=type(error).__name__)
            raise TryLater(_RETRY_SECONDS) from None
    with db.transaction() as session:
        service.end_repayment(session, SYSTEM, repayment_id=intent.repayment_id, state=state)
