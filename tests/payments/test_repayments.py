"""Repaying through WeChat Pay: a real simulator process orders, is paid, notifies, loses and delays."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from core import clock, db
from core.dispatch import TryLater
from core.outbox import OutboxMessage
from payments import jobs, ledger, service
from payments.models import Repayment
from payments.wechatpay import WechatPay
from simulator.control import ControlRefused
from tests.payments.conftest import Market
from tests.payments.till import Till, findings, new_key
from tests.support.city import City

ORDER_PATH = "/v3/pay/transactions/jsapi"


@pytest.fixture
def till(city: City) -> Till:
    """For the test alone: other tests here commit."""
    return Till.open(city)


def opened(till: Till, amount_fen: int = 600) -> str:
    """A debt of 1000 and a repayment of a part of it."""
    assert till.capture(1000).status_code == 201
    reply = till.repay(amount_fen)
    assert reply.status_code == 201, reply.text
    assert reply.json["state"] == "opened"
    repayment_id: str = reply.json["repayment_id"]
    return repayment_id


def shown(till: Till, repayment_id: str) -> dict[str, Any]:
    reply = till.get(f"/repayments/{repayment_id}")
    assert reply.status_code == 200, reply.text
    body: dict[str, Any] = reply.get_json()
    return body


def pay(market: Market, till: Till, repayment_id: str, **options: Any) -> None:
    arguments = shown(till, repayment_id)["payment"]
    market.control.pay(arguments | {"prepay_id": arguments.pop("package").removeprefix("prepay_id=")}, **options)


def number_of(repayment_id: str) -> str:
    return UUID(repayment_id).hex


def seen(market: Market, repayment_id: str) -> dict[str, Any]:
    return market.control.show_payment(number_of(repayment_id))


def expire(repayment_id: str) -> None:
    with db.transaction() as session:
        past = clock.now() - timedelta(seconds=1)
        session.execute(update(Repayment).where(Repayment.id == UUID(repayment_id)).values(expires_at=past))


def message(topic: str, repayment_id: str) -> OutboxMessage:
    with db.transaction() as session:
        return session.scalars(select(OutboxMessage).filter_by(key=f"{topic}:{repayment_id}")).one()


def run(topic: str, repayment_id: str) -> None:
    jobs.HANDLERS[topic]({"repayment_id": repayment_id})


def test_a_repayment_is_ordered_paid_notified_and_booked(market: Market) -> None:
    till = market.till()
    repayment_id = opened(till)
    assert "payment" not in shown(till, repayment_id)
    market.work()
    ordered = shown(till, repayment_id)
    assert (ordered["state"], ordered["payment"]["signType"]) == ("ordered", "RSA")
    assert shown(till, repayment_id)["payment"]["paySign"] != ordered["payment"]["paySign"]
    pay(market, till, repayment_id)
    (delivery,) = market.control.wait_for_deliveries(number_of(repayment_id), 1)
    assert (delivery["status"], delivery["answer"]) == (204, "")
    paid = shown(till, repayment_id)
    assert paid["state"] == "paid"
    assert paid["paid_at"]
    assert "payment" not in paid
    assert till.line()["drawn_fen"] == 400
    assert seen(market, repayment_id)["description"] == "健康信用付还款"
    entries = till.get(f"/lines/{till.line_id}/entries").json["entries"]
    assert [(entry["kind"], entry["amount_fen"], entry["balance_fen"]) for entry in entries] == [
        ("repayment", -600, 400),
        ("charge", 1000, 1000),
    ]
    assert findings() == []


@pytest.mark.parametrize(("kind", "deliveries"), [("duplicate", 3), ("late", 1), ("normal", 1)])
def test_however_the_notification_comes_it_is_booked_once(market: Market, kind: str, deliveries: int) -> None:
    till = market.till()
    repayment_id = opened(till)
    market.work()
    pay(market, till, repayment_id, notify=kind)
    told = market.control.wait_for_deliveries(number_of(repayment_id), deliveries)
    assert {delivery["status"] for delivery in told} == {204}
    assert till.line()["drawn_fen"] == 400
    assert findings() == []


@pytest.mark.parametrize("kind", ["bad_signature", "signtest", "stale", "wrong_serial"])
def test_forged_notifications_are_refused_and_the_genuine_one_still_counts(market: Market, kind: str) -> None:
    till = market.till()
    repayment_id = opened(till)
    market.work()
    pay(market, till, repayment_id, notify=kind, genuine_follows=True)
    forged, genuine = market.control.wait_for_deliveries(number_of(repayment_id), 2)
    assert forged["status"] == 401
    assert '"FAIL"' in forged["answer"]
    assert genuine["status"] == 204
    assert till.line()["drawn_fen"] == 400


def test_a_lost_notification_is_found_by_asking_and_its_late_twin_changes_nothing(market: Market) -> None:
    till = market.till()
    repayment_id = opened(till)
    market.work()
    due_in = message(service.ORDERED_TOPIC, repayment_id).due_at - clock.now()
    assert timedelta(minutes=2) < due_in <= timedelta(minutes=3)
    pay(market, till, repayment_id, notify="lost")
    market.make_due(service.ORDERED_TOPIC, repayment_id)
    market.work()
    assert shown(till, repayment_id)["state"] == "paid"
    assert till.line()["drawn_fen"] == 400
    run(service.ORDERED_TOPIC, repayment_id)
    assert till.line()["drawn_fen"] == 400
    assert seen(market, repayment_id)["query_calls"] == 1


def test_a_lost_order_reply_is_asked_about_and_ordered_again_under_the_same_number(market: Market) -> None:
    till = market.till()
    repayment_id = opened(till)
    market.control.order_fault(ORDER_PATH, "timeout_after_commit", seconds=0.2)
    market.work()
    assert shown(till, repayment_id)["state"] == "opened"
    assert message(service.OPENED_TOPIC, repayment_id).done_at is None
    market.make_due(service.OPENED_TOPIC, repayment_id)
    market.work()
    assert shown(till, repayment_id)["state"] == "ordered"
    payment = seen(market, repayment_id)
    assert [call["operation"] for call in payment["calls"]] == ["order", "query", "order"]
    assert len(payment["prepay_ids"]) == 1
    ours = [each for each in market.control.list_payments() if each["openid"] == till.openid()]
    assert len(ours) == 1


def test_a_worker_killed_between_order_and_record_orders_nothing_twice(market: Market) -> None:
    till = market.till()
    repayment_id = opened(till)
    with db.transaction() as session:
        intent = service.begin_order(session, UUID(repayment_id))
    assert intent is not None
    WechatPay(till.city.config).order(
        out_trade_no=intent.out_trade_no,
        amount_fen=intent.amount_fen,
        openid=intent.openid,
        expires_at=intent.expires_at,
    )
    # Here the worker died. Its message comes due again, and then once more.
    for _ in range(2):
        run(service.OPENED_TOPIC, repayment_id)
    assert len(seen(market, repayment_id)["prepay_ids"]) == 1
    assert len([each for each in market.control.list_payments() if each["openid"] == till.openid()]) == 1
    pay(market, till, repayment_id)
    market.control.wait_for_deliveries(number_of(repayment_id), 1)
    assert till.line()["drawn_fen"] == 400


@pytest.mark.parametrize("fault", ["500", "429", "drop"])
def test_wechat_pay_in_trouble_is_tried_again_later(market: Market, fault: str) -> None:
    till = market.till()
    repayment_id = opened(till)
    market.control.order_fault("/v3/*", fault, times=2)
    for _ in range(2):
        with pytest.raises(TryLater):
            run(service.OPENED_TOPIC, repayment_id)
    run(service.OPENED_TOPIC, repayment_id)
    assert shown(till, repayment_id)["state"] == "ordered"


def test_an_order_that_wechat_pay_refuses_fails_and_frees_the_amount(market: Market) -> None:
    till = Till.open(market.city)  # WeChat has never met this openid.
    repayment_id = opened(till)
    assert till.line()["payable_fen"] == 400
    run(service.OPENED_TOPIC, repayment_id)
    assert shown(till, repayment_id)["state"] == "failed"
    assert till.line()["payable_fen"] == 1000


def test_an_unpaid_order_is_closed_there_when_it_expires_and_cannot_be_paid_any_more(market: Market) -> None:
    till = market.till()
    repayment_id = opened(till)
    market.work()
    with pytest.raises(TryLater):
        run(service.ORDERED_TOPIC, repayment_id)
    arguments = shown(till, repayment_id)["payment"]
    expire(repayment_id)
    assert "payment" not in shown(till, repayment_id)
    run(service.ORDERED_TOPIC, repayment_id)
    assert shown(till, repayment_id)["state"] == "closed"
    assert till.line()["payable_fen"] == 1000
    assert seen(market, repayment_id)["trade_state"] == "CLOSED"
    with pytest.raises(ControlRefused):
        market.control.pay(arguments | {"prepay_id": arguments.pop("package").removeprefix("prepay_id=")})


def test_a_payment_at_the_last_moment_counts_although_the_order_has_expired_here(market: Market) -> None:
    till = market.till()
    repayment_id = opened(till)
    market.work()
    pay(market, till, repayment_id, notify="lost")
    expire(repayment_id)
    run(service.ORDERED_TOPIC, repayment_id)
    assert shown(till, repayment_id)["state"] == "paid"


@pytest.mark.parametrize("was_tried", [False, True])
def test_a_repayment_that_was_never_ordered_in_time_is_closed(market: Market, was_tried: bool) -> None:
    till = market.till()
    repayment_id = opened(till)
    if was_tried:
        market.control.order_fault(ORDER_PATH, "drop")
        with pytest.raises(TryLater):
            run(service.OPENED_TOPIC, repayment_id)
    expire(repayment_id)
    run(service.OPENED_TOPIC, repayment_id)
    assert shown(till, repayment_id)["state"] == "closed"
    assert till.line()["payable_fen"] == 1000


def test_more_than_the_debt_minus_what_is_under_way_is_refused(till: Till) -> None:
    till.capture(1000)
    assert till.repay(700).status_code == 201
    reply = till.repay(301)
    assert (reply.status_code, reply.json["code"]) == (422, "payments.repayment_exceeds_debt")
    assert reply.json["payable_fen"] == 300
    assert till.repay(300).status_code == 201


def test_the_same_key_opens_one_repayment(till: Till) -> None:
    till.capture(1000)
    key = new_key()
    first, again, other = till.repay(400, key=key), till.repay(400, key=key), till.repay(500, key=key)
    assert first.data == again.data
    assert again.headers["Idempotency-Replayed"] == "true"
    assert other.json["code"] == "core.idempotency_key_reused"
    assert till.line()["payable_fen"] == 600


def test_somebody_elses_repayment_is_not_found(till: Till) -> None:
    till.capture(1000)
    repayment_id = till.repay(400).json["repayment_id"]
    reply = Till.open(till.city).get(f"/repayments/{repayment_id}")
    assert (reply.status_code, reply.json["code"]) == (404, "payments.repayment_not_found")


def test_what_was_paid_is_with_the_gateway(till: Till) -> None:
    till.capture(1000)
    repayment = till.open_order(1000)
    with db.transaction() as session:
        before = ledger.balance_fen(session, ledger.clearing(ledger.WECHATPAY))
    paid = service.PaidOrder(repayment.out_trade_no, "4200-1", 1000, "CNY", till.openid())
    with db.transaction() as session:
        assert service.settle_repayment(session, till.patient.actor, paid=paid)
        assert not service.settle_repayment(session, till.patient.actor, paid=paid)
        assert ledger.balance_fen(session, ledger.clearing(ledger.WECHATPAY)) == before + 1000
    assert till.line()["drawn_fen"] == 0
