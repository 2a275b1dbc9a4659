"""What arrives at the merchant after a payment, judged by an independent implementation."""

import json
from pathlib import Path
from typing import Any

import pytest

from simulator.running import Running, running
from tests.simulator.merchant import Arrived, Merchant, Receiver


def header(notification: Arrived, name: str) -> str:
    return {key.lower(): value for key, value in notification.headers.items()}[name.lower()]


def states(merchant: Merchant, number: str) -> list[str]:
    return [each["state"] for each in merchant.control.show_payment(number)["notifications"]]


def test_normal(merchant: Merchant, receiver: Receiver, settings: dict[str, str]) -> None:
    url = receiver.new_url()
    number, transaction_id = merchant.buy(url)
    deliveries = merchant.control.wait_for_deliveries(number, 1)
    (notification,) = receiver.of(url)
    read = merchant.read(notification)
    assert read is not None
    assert read["id"] == deliveries[0]["id"]
    assert (read["event_type"], read["resource_type"]) == ("TRANSACTION.SUCCESS", "encrypt-resource")
    resource = read["resource"]
    assert resource["out_trade_no"] == number
    assert resource["transaction_id"] == transaction_id
    assert resource["trade_state"] == "SUCCESS"
    assert resource["amount"]["total"] == 4200
    assert resource["mchid"] == settings["WECHATPAY_MERCHANT_ID"]
    assert resource["appid"] == settings["WECHAT_APP_ID"]
    assert header(notification, "Wechatpay-Serial") == settings["WECHATPAY_PUBLIC_KEY_ID"]
    assert states(merchant, number) == ["delivered"]
    assert deliveries[0]["status"] == 204


def test_refused_notification_is_sent_again_until_taken(merchant: Merchant, receiver: Receiver) -> None:
    url = receiver.new_url(500, 401, 302)
    number, _ = merchant.buy(url)
    deliveries = merchant.control.wait_for_deliveries(number, 4)
    assert [each["status"] for each in deliveries] == [500, 401, 302, 204]
    assert [each["attempt"] for each in deliveries] == [1, 2, 3, 4]
    arrived = receiver.of(url)
    assert len({each.body for each in arrived}) == 1
    assert len({header(each, "Wechatpay-Nonce") for each in arrived}) == 4
    assert all(merchant.read(each) is not None for each in arrived)


def test_sixteen_refusals_end_it(own_simulator: Running, settings: dict[str, str], receiver: Receiver) -> None:
    merchant = Merchant(settings, own_simulator)
    url = receiver.new_url(*[500] * 99)
    number, _ = merchant.buy(url)
    for attempts in range(1, 17):
        merchant.control.wait_for_deliveries(number, attempts)
        own_simulator.control.advance_clock(6 * 3600)
    assert states(merchant, number) == ["given_up"]
    assert len(receiver.of(url)) == 16


def test_duplicate(merchant: Merchant, receiver: Receiver) -> None:
    url = receiver.new_url()
    number, _ = merchant.buy(url, notify="duplicate")
    ids = [each["id"] for each in merchant.control.wait_for_deliveries(number, 3)]
    assert sorted(ids.count(each) for each in set(ids)) == [1, 2]
    assert all(merchant.read(each) is not None for each in receiver.of(url))
    assert len(merchant.control.show_payment(number)["charges"]) == 1


def test_lost(merchant: Merchant, receiver: Receiver) -> None:
    url = receiver.new_url()
    number, _ = merchant.buy(url, notify="lost")
    seen = merchant.control.show_payment(number)
    assert (seen["trade_state"], states(merchant, number)) == ("SUCCESS", ["lost"])
    assert seen["notifications"][0]["due_at"] is None


def test_late(own_simulator: Running, settings: dict[str, str], receiver: Receiver) -> None:
    merchant = Merchant(settings, own_simulator)
    url = receiver.new_url()
    number, _ = merchant.buy(url, notify="late", notify_after_seconds=3600)
    assert receiver.of(url) == []
    own_simulator.control.advance_clock(3600)
    merchant.control.wait_for_deliveries(number, 1)
    assert merchant.read(receiver.of(url)[0]) is not None


@pytest.mark.parametrize("kind", ["bad_signature", "signtest"])
def test_forged_signature_is_seen_through(merchant: Merchant, receiver: Receiver, kind: str) -> None:
    url = receiver.new_url(401)
    number, _ = merchant.buy(url, notify=kind)
    (delivery,) = merchant.control.wait_for_deliveries(number, 1)
    (notification,) = receiver.of(url)
    assert merchant.read(notification) is None
    assert header(notification, "Wechatpay-Signature").startswith("WECHATPAY/SIGNTEST/") == (kind == "signtest")
    assert (delivery["status"], states(merchant, number)) == (401, ["refused"])


def test_wrong_serial_is_seen_through(merchant: Merchant, receiver: Receiver, settings: dict[str, str]) -> None:
    url = receiver.new_url(401)
    number, _ = merchant.buy(url, notify="wrong_serial")
    merchant.control.wait_for_deliveries(number, 1)
    (notification,) = receiver.of(url)
    assert header(notification, "Wechatpay-Serial") != settings["WECHATPAY_PUBLIC_KEY_ID"]
    assert merchant.read(notification) is None
    assert states(merchant, number) == ["refused"]


def test_stale_is_genuine_but_an_hour_old(merchant: Merchant, receiver: Receiver) -> None:
    fresh, stale = receiver.new_url(), receiver.new_url(401)
    first, _ = merchant.buy(fresh)
    merchant.control.wait_for_deliveries(first, 1)
    second, _ = merchant.buy(stale, notify="stale")
    merchant.control.wait_for_deliveries(second, 1)
    moments = [int(header(receiver.of(url)[0], "Wechatpay-Timestamp")) for url in (fresh, stale)]
    assert moments[0] - moments[1] > 3500
    # The library has no freshness check: proof that the signature itself is genuine.
    assert merchant.read(receiver.of(stale)[0]) is not None


@pytest.mark.parametrize("kind", ["bad_signature", "signtest", "stale", "wrong_serial"])
def test_genuine_follows_under_the_same_id(merchant: Merchant, receiver: Receiver, kind: str) -> None:
    url = receiver.new_url(401)
    number, _ = merchant.buy(url, notify=kind, genuine_follows=True)
    deliveries = merchant.control.wait_for_deliveries(number, 2)
    assert [each["kind"] for each in deliveries] == [kind, "normal"]
    forged, genuine = receiver.of(url)
    assert json.loads(forged.body)["id"] == json.loads(genuine.body)["id"]
    assert merchant.read(genuine) is not None
    assert states(merchant, number) == ["refused", "delivered"]


def test_shuffled_arrives_after_a_later_payment(settings: dict[str, str], receiver: Receiver, tmp_path: Path) -> None:
    # At its own pace: the first must not become due by itself before the second is paid.
    with running(tmp_path, settings | {"SIMULATOR_RETRY_SCALE": "1"}) as simulator:
        merchant = Merchant(settings, simulator)
        url = receiver.new_url()
        numbers = [merchant.buy(url, notify="shuffled")[0] for _ in range(2)]
        for number in numbers:
            merchant.control.wait_for_deliveries(number, 1)
    arrived: list[Any] = [merchant.read(each) for each in receiver.of(url)]
    assert [each["resource"]["out_trade_no"] for each in arrived] == numbers[::-1]


def test_address_beyond_this_machine_is_never_called(merchant: Merchant) -> None:
    number, _ = merchant.buy("https://hospital.example/notify")
    delivery = merchant.control.wait_for_deliveries(number, 1)[0]
    assert delivery["status"] is None
    assert delivery["answer"].startswith("not sent")
