"""The process: faults on order, kills, restarts, start-up errors and the guarded control door."""

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from simulator.control import Control, ControlRefused
from simulator.running import Running, SimulatorFailed, running
from tests.simulator.merchant import Merchant, Receiver, new_number

ORDER_PATH = "/v3/pay/transactions/jsapi"


def test_health(simulator: Running) -> None:
    assert requests.get(f"{simulator.base_url}/healthz", timeout=60).json() == {"status": "ok"}


@pytest.mark.parametrize(("fault", "status"), [("500", 500), ("429", 429)])
def test_fault_that_answers(merchant: Merchant, fault: str, status: int) -> None:
    number, openid = new_number(), merchant.new_openid()
    merchant.control.order_fault(ORDER_PATH, fault, times=2)
    assert [merchant.order(out_trade_no=number, payer=openid)[0] for _ in range(3)] == [status, status, 200]
    assert [call["fault"] for call in merchant.control.show_payment(number)["calls"]] == [fault, fault, None]


def test_dropped_call_did_nothing(merchant: Merchant) -> None:
    number = new_number()
    merchant.control.order_fault(ORDER_PATH, "drop")
    with pytest.raises(requests.ConnectionError):
        merchant.order(out_trade_no=number)
    seen = merchant.control.show_payment(number)
    assert (seen["order_calls"], seen["prepay_ids"]) == (1, [])


def test_timeout_after_commit_did_everything(merchant: Merchant) -> None:
    number, openid = new_number(), merchant.new_openid()
    merchant.control.order_fault(ORDER_PATH, "timeout_after_commit", seconds=0.2)
    with pytest.raises(requests.ConnectionError):
        merchant.order(out_trade_no=number, payer=openid)
    (prepay_id,) = merchant.control.show_payment(number)["prepay_ids"]
    assert merchant.order(out_trade_no=number, payer=openid) == (200, {"prepay_id": prepay_id})


def test_timeout_after_commit_outlasts_the_caller(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    number, openid = new_number(), merchant.new_openid()
    merchant.control.order_fault(ORDER_PATH, "timeout_after_commit")
    monkeypatch.setattr(merchant.library._core, "_timeout", (60, 0.3))
    with pytest.raises(requests.ReadTimeout):
        merchant.order(out_trade_no=number, payer=openid)
    wait_until(lambda: has_prepay(merchant.control, number))


def wait_until(is_so: Callable[[], bool]) -> None:
    gives_up_at = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < gives_up_at
        time.sleep(0.02)


def has_prepay(control: Control, number: str) -> bool:
    with suppress(ControlRefused):
        return len(control.show_payment(number)["prepay_ids"]) == 1
    return False


def test_slow_call_is_answered_in_the_end(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    merchant.control.order_fault("/v3/*", "slow", times=2, seconds=1.5)
    assert merchant.order()[0] == 200
    monkeypatch.setattr(merchant.library._core, "_timeout", (60, 0.5))
    with pytest.raises(requests.ReadTimeout):
        merchant.order()


def test_fault_on_login(simulator: Running, settings: dict[str, str]) -> None:
    simulator.control.order_fault("/sns/jscode2session", "500")
    url = f"{simulator.base_url}/sns/jscode2session"
    assert requests.get(url, timeout=60).status_code == 500
    assert requests.get(url, timeout=60).json()["errcode"] == 41002


@pytest.mark.parametrize("path", ["/healthz", "/simulator/faults", "v3"])
def test_fault_is_for_outside_paths_only(simulator: Running, path: str) -> None:
    with pytest.raises(ControlRefused, match="malformed"):
        simulator.control.order_fault(path, "500")


def test_control_wants_its_token(simulator: Running) -> None:
    for token in ("", "wrong"):
        with pytest.raises(ControlRefused) as refused:
            Control(simulator.base_url, token).list_payments()
        assert refused.value.status == 401
    for path in ("/codes", "/phones", "/payments", "/faults", "/clock"):
        assert requests.post(f"{simulator.base_url}/simulator{path}", json={}, timeout=60).status_code == 401


def test_kill_forgets_nothing(own_simulator: Running, settings: dict[str, str], receiver: Receiver) -> None:
    merchant = Merchant(settings, own_simulator)
    control = own_simulator.control
    openid = merchant.new_openid()
    code = control.mint_code(openid)
    control.register_phone("phone-0001", openid)
    url, number = receiver.new_url(), new_number()
    _, body = merchant.order(out_trade_no=number, payer=openid, notify_url=url)
    paid = control.pay(merchant.payment_arguments(body["prepay_id"]), notify="late", notify_after_seconds=3600)
    before = control.show_payment(number)
    own_simulator.kill()
    own_simulator.start()
    assert control.show_payment(number) == before
    query = {
        "appid": settings["WECHAT_APP_ID"],
        "secret": settings["WECHAT_APP_SECRET"],
        "grant_type": "authorization_code",
    }
    for wx_code in (code, "phone-0001"):
        reply = requests.get(
            f"{own_simulator.base_url}/sns/jscode2session", params={**query, "js_code": wx_code}, timeout=60
        )
        assert reply.json()["openid"] == openid
    control.advance_clock(3600)
    control.wait_for_deliveries(number, 1)
    read = merchant.read(receiver.of(url)[0])
    assert read is not None
    assert read["resource"]["transaction_id"] == paid["transaction_id"]


def test_retries_go_on_after_a_kill(own_simulator: Running, settings: dict[str, str], receiver: Receiver) -> None:
    merchant = Merchant(settings, own_simulator)
    url = receiver.new_url(*[500] * 4)
    number, _ = merchant.buy(url)
    merchant.control.wait_for_deliveries(number, 2)
    own_simulator.kill()
    own_simulator.start()
    wait_until(lambda: merchant.control.show_payment(number)["notifications"][0]["state"] == "delivered")
    # One that was on its way at the kill may have been answered and not be known of.
    deliveries = merchant.control.wait_for_deliveries(number, 4)
    assert (len(deliveries) in {4, 5}, deliveries[-1]["status"]) == (True, 204)


def test_kill_under_load_keeps_what_was_acknowledged(own_simulator: Running, settings: dict[str, str]) -> None:
    openid = Merchant(settings, own_simulator).new_openid()
    acknowledged: dict[str, str] = {}
    enough = threading.Event()

    def order_until_cut() -> None:
        merchant = Merchant(settings, own_simulator)
        while True:
            number = new_number()
            try:
                status, body = merchant.order(out_trade_no=number, payer=openid)
            except requests.RequestException:
                return
            assert status == 200
            acknowledged[number] = body["prepay_id"]
            if len(acknowledged) >= 40:
                enough.set()

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(order_until_cut) for _ in range(4)]
        assert enough.wait(60)
        own_simulator.kill()
        for caller in callers:
            caller.result()
    own_simulator.start()
    kept = {number: own_simulator.control.show_payment(number)["prepay_ids"] for number in acknowledged}
    assert kept == {number: [prepay_id] for number, prepay_id in acknowledged.items()}


def test_clean_stop(settings: dict[str, str], tmp_path: Path) -> None:
    simulator = Running(tmp_path, settings)
    simulator.start()
    assert simulator.stop() == 0


def test_one_folder_one_simulator(own_simulator: Running, settings: dict[str, str], tmp_path: Path) -> None:
    second = Running(tmp_path / "state", settings)
    with pytest.raises(SimulatorFailed, match="another simulator uses"):
        second.start()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"WECHAT_APP_SECRET": "", "SIMULATOR_TOKEN": ""}, "not set: WECHAT_APP_SECRET, SIMULATOR_TOKEN"),
        ({"WECHATPAY_APIV3_KEY": "short"}, "WECHATPAY_APIV3_KEY must be 32 characters"),
        ({"WECHATPAY_PUBLIC_KEY_ID": "ABCDEF"}, "WECHATPAY_PUBLIC_KEY_ID must start with"),
        ({"WECHATPAY_MERCHANT_KEY": "no pem"}, "WECHATPAY_MERCHANT_KEY must be an RSA private key"),
        ({"SIMULATOR_RETRY_SCALE": "-1"}, "SIMULATOR_RETRY_SCALE must be a number above 0"),
    ],
)
def test_wrong_settings_stop_it(
    settings: dict[str, str], tmp_path: Path, changes: dict[str, str], message: str
) -> None:
    with pytest.raises(SimulatorFailed, match=message), running(tmp_path, {**settings, **changes}):
        pass


def test_log_holds_no_secret(simulator: Running, merchant: Merchant, settings: dict[str, str]) -> None:
    code = simulator.control.mint_code(merchant.new_openid())
    query = {
        "appid": settings["WECHAT_APP_ID"],
        "secret": settings["WECHAT_APP_SECRET"],
        "js_code": code,
        "grant_type": "authorization_code",
    }
    requests.get(f"{simulator.base_url}/sns/jscode2session", params=query, timeout=60)
    log = simulator.log_file.read_text()
    assert "GET /sns/jscode2session 200" in log
    for name in ("WECHAT_APP_SECRET", "WECHATPAY_APIV3_KEY", "SIMULATOR_TOKEN"):
        assert settings[name] not in log
    assert json.dumps(code) not in log
    assert code not in log
