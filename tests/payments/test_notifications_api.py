"""What arrives at /notify/wechatpay: only what is genuine, fresh and about an order of ours has an effect."""

import time
from typing import Any

import pytest
from sqlalchemy import func, select

from core import db
from core.actor import SYSTEM
from payments import ledger, service
from payments.models import GatewayNotification, LedgerJournal, Repayment, RepaymentState
from tests.payments.till import Notifier, Signed, Till, findings


@pytest.fixture
def repayment(till: Till) -> Repayment:
    """600 of a debt of 1000, ordered."""
    till.capture(1000)
    return till.open_order(600)


def count_journals(repayment: Repayment) -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count(LedgerJournal.id)).filter_by(source_id=repayment.id)) or 0


def check_refused(till: Till, signed: Signed, repayment: Repayment, caplog: pytest.LogCaptureFixture) -> str:
    """The gateway's own form of no, and nothing written; answers the reason that was logged."""
    caplog.clear()
    reply = till.post(signed)
    assert reply.status_code == 401
    assert reply.json["code"] == "FAIL"
    assert reply.json["message"]
    assert till.repayment(repayment.id).state == RepaymentState.ORDERED
    assert till.line()["drawn_fen"] == 1000
    with db.transaction() as session:
        told = select(GatewayNotification).filter_by(out_trade_no=repayment.out_trade_no)
        assert session.scalars(told).all() == []
    (code,) = [
        code
        for code in ("payments.notification_not_genuine", "payments.notification_not_ours")
        if any(code in record.getMessage() for record in caplog.records)
    ]
    return code


def test_a_genuine_notification_is_booked_and_answered_without_a_body(
    till: Till, notifier: Notifier, repayment: Repayment
) -> None:
    reply = till.post(notifier.tell(till.transaction_of(repayment)))
    assert (reply.status_code, reply.data) == (204, b"")
    assert till.repayment(repayment.id).state == RepaymentState.PAID
    assert till.line()["drawn_fen"] == 400
    assert findings() == []


def test_it_has_one_effect_however_often_it_comes(till: Till, notifier: Notifier, repayment: Repayment) -> None:
    signed = notifier.tell(till.transaction_of(repayment))
    under_another_id = notifier.tell(till.transaction_of(repayment))
    for each in (signed, signed, under_another_id, signed):
        assert till.post(each).status_code == 204
    assert till.line()["drawn_fen"] == 400
    assert count_journals(repayment) == 1
    with db.transaction() as session:
        kept = select(func.count(GatewayNotification.notification_id)).filter_by(out_trade_no=repayment.out_trade_no)
        assert session.scalar(kept) == 1


@pytest.mark.parametrize("again", [("first", "TRANSACTION.SUCCESS"), ("second", "TRANSACTION.SUCCESS")])
def test_the_same_id_and_the_same_event_of_an_order_are_not_new(
    till: Till, repayment: Repayment, again: tuple[str, str]
) -> None:
    paid = service.PaidOrder(repayment.out_trade_no, "4200-1", 600, "CNY", till.openid())
    answers = []
    for notification_id, event_type in (("first", "TRANSACTION.SUCCESS"), again):
        with db.transaction() as session:
            answers.append(
                service.accept_notification(
                    session, SYSTEM, notification_id=notification_id, event_type=event_type, paid=paid
                )
            )
    assert answers == [True, False]


@pytest.mark.parametrize(
    "header",
    [
        {"Wechatpay-Signature": "WECHATPAY/SIGNTEST/"},
        {"Wechatpay-Signature": "bm90IGEgc2lnbmF0dXJl"},
        {"Wechatpay-Signature": "not base64 !"},
        {"Wechatpay-Signature": ""},
        {"Wechatpay-Serial": "PUB_KEY_ID_0000000000000000000000000000000000"},
        {"Wechatpay-Serial": "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"},
        {"Wechatpay-Signature-Type": "WECHATPAY2-SM2-WITH-SM3"},
        {"Wechatpay-Timestamp": "1554208460"},
        {"Wechatpay-Timestamp": "soon"},
        {"Wechatpay-Nonce": "593BEC0C930BF1AFEB40B4A08C8FB242"},
    ],
)
def test_a_wrong_header_is_refused(
    till: Till,
    notifier: Notifier,
    repayment: Repayment,
    header: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    genuine = notifier.tell(till.transaction_of(repayment))
    if header.get("Wechatpay-Signature", "").endswith("SIGNTEST/"):
        header = {"Wechatpay-Signature": header["Wechatpay-Signature"] + genuine.headers["Wechatpay-Signature"]}
    forged = Signed(genuine.headers | header, genuine.body)
    assert check_refused(till, forged, repayment, caplog) == "payments.notification_not_genuine"


@pytest.mark.parametrize("missing", ["Signature", "Signature-Type", "Timestamp", "Nonce", "Serial"])
def test_a_missing_header_is_refused(
    till: Till, notifier: Notifier, repayment: Repayment, missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    genuine = notifier.tell(till.transaction_of(repayment))
    left = {name: value for name, value in genuine.headers.items() if name != f"Wechatpay-{missing}"}
    assert check_refused(till, Signed(left, genuine.body), repayment, caplog) == "payments.notification_not_genuine"


@pytest.mark.parametrize("off_seconds", [-310, -3600, 310])
def test_a_notification_of_another_time_is_refused_although_its_signature_holds(
    till: Till, notifier: Notifier, repayment: Repayment, off_seconds: int, caplog: pytest.LogCaptureFixture
) -> None:
    body = notifier.tell(till.transaction_of(repayment)).body
    stale = notifier.sign(body, at=time.time() + off_seconds)
    assert check_refused(till, stale, repayment, caplog) == "payments.notification_not_genuine"


def test_a_changed_body_is_refused(
    till: Till, notifier: Notifier, repayment: Repayment, caplog: pytest.LogCaptureFixture
) -> None:
    genuine = notifier.tell(till.transaction_of(repayment))
    changed = Signed(genuine.headers, genuine.body + b" ")
    assert check_refused(till, changed, repayment, caplog) == "payments.notification_not_genuine"


@pytest.mark.parametrize("body", [b"", b"{}", b"not json", b'{"id":1}', b"[]", b"x" * 70_000])
def test_signed_nonsense_is_refused(
    till: Till, notifier: Notifier, repayment: Repayment, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert check_refused(till, notifier.sign(body), repayment, caplog) == "payments.notification_not_genuine"


def test_a_resource_sealed_with_another_key_is_refused(
    till: Till, notifier: Notifier, repayment: Repayment, caplog: pytest.LogCaptureFixture
) -> None:
    signed = notifier.tell(till.transaction_of(repayment), apiv3_key="0" * 32)
    assert check_refused(till, signed, repayment, caplog) == "payments.notification_not_genuine"


@pytest.mark.parametrize(
    "changes",
    [
        {"mchid": "1900000002"},
        {"appid": "wx0000000000000000"},
        {"out_trade_no": "0" * 32},
        {"amount": {"total": 599, "currency": "CNY"}},
        {"amount": {"total": 60000, "currency": "CNY"}},
        {"amount": {"total": 600, "currency": "USD"}},
        {"amount": None},
        {"payer": {"openid": "oSomebodyElse"}},
        {"payer": None},
        {"transaction_id": None},
        {"trade_state": "NOTPAY"},
    ],
)
def test_a_genuine_notification_that_differs_from_the_order_is_refused(
    till: Till,
    notifier: Notifier,
    repayment: Repayment,
    changes: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    signed = notifier.tell(till.transaction_of(repayment, **changes))
    assert check_refused(till, signed, repayment, caplog) == "payments.notification_not_ours"


def test_another_event_is_refused(
    till: Till, notifier: Notifier, repayment: Repayment, caplog: pytest.LogCaptureFixture
) -> None:
    signed = notifier.tell(till.transaction_of(repayment), event_type="REFUND.SUCCESS")
    assert check_refused(till, signed, repayment, caplog) == "payments.notification_not_ours"


def test_a_refused_notification_does_not_stand_in_the_way_of_the_right_one(
    till: Till, notifier: Notifier, repayment: Repayment
) -> None:
    wrong = till.transaction_of(repayment, amount={"total": 1, "currency": "CNY"})
    assert till.post(notifier.tell(wrong, id="same-id")).status_code == 401
    assert till.post(notifier.tell(till.transaction_of(repayment), id="same-id")).status_code == 204
    assert till.line()["drawn_fen"] == 400


def test_money_that_comes_for_an_ended_repayment_is_booked_and_what_is_too_much_is_owed_back(
    till: Till, notifier: Notifier, repayment: Repayment
) -> None:
    with db.transaction() as session:
        service.end_repayment(session, till.patient.actor, repayment_id=repayment.id, state=RepaymentState.CLOSED)
    second = till.open_order(1000)
    for each in (repayment, second):
        assert till.post(notifier.tell(till.transaction_of(each))).status_code == 204
    line = till.line()
    assert (line["drawn_fen"], line["payable_fen"]) == (0, 0)
    with db.transaction() as session:
        assert ledger.balance_fen(session, ledger.overpayment(till.line_id)) == -600
    assert findings() == []
