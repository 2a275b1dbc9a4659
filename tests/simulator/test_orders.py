"""Order, query, close and pay: by an independent client, and by signatures made by hand."""

import base64
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from simulator.control import ControlRefused
from simulator.running import Running
from tests.simulator.merchant import Merchant, new_number

ORDER_PATH = "/v3/pay/transactions/jsapi"


class ByHand:
    """Signs requests with cryptography alone; every part can be made wrong."""

    def __init__(self, settings: dict[str, str], simulator: Running, merchant: Merchant) -> None:
        self.settings = settings
        self.base_url = simulator.base_url
        self.openid = merchant.new_openid()
        key = load_pem_private_key(settings["WECHATPAY_MERCHANT_KEY"].encode(), None)
        assert isinstance(key, RSAPrivateKey)
        self.key = key

    def order(self, **changes: Any) -> dict[str, Any]:
        return {
            "appid": self.settings["WECHAT_APP_ID"],
            "mchid": self.settings["WECHATPAY_MERCHANT_ID"],
            "description": "还款（演示）",
            "out_trade_no": new_number(),
            "notify_url": "http://127.0.0.1:9/notify",
            "amount": {"total": 1, "currency": "CNY"},
            "payer": {"openid": self.openid},
            **changes,
        }

    def authorization(self, method: str, path: str, body: bytes, **parts: str) -> str:
        values = {
            "mchid": self.settings["WECHATPAY_MERCHANT_ID"],
            "nonce_str": secrets.token_hex(16),
            "timestamp": str(int(time.time())),
            "serial_no": self.settings["WECHATPAY_MERCHANT_SERIAL"],
            **parts,
        }
        message = f"{method}\n{path}\n{values['timestamp']}\n{values['nonce_str']}\n".encode() + body + b"\n"
        signature = base64.b64encode(self.key.sign(message, PKCS1v15(), SHA256())).decode()
        values = {"signature": signature, **values}
        return "WECHATPAY2-SHA256-RSA2048 " + ",".join(f'{name}="{value}"' for name, value in values.items())

    def post(self, body: Any, path: str = ORDER_PATH, **headers: str) -> requests.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {
            "Authorization": self.authorization("POST", path, raw),
            "Content-Type": "application/json",
            "Accept": "application/json",
            **headers,
        }
        return requests.post(self.base_url + path, data=raw, headers=sent, timeout=60)

    def get(self, path: str) -> requests.Response:
        sent = {"Authorization": self.authorization("GET", path, b""), "Accept": "application/json"}
        return requests.get(self.base_url + path, headers=sent, timeout=60)


@pytest.fixture
def by_hand(settings: dict[str, str], simulator: Running, merchant: Merchant) -> ByHand:
    return ByHand(settings, simulator, merchant)


def query(merchant: Merchant, **number: str) -> tuple[int, dict[str, Any]]:
    status, text = merchant.library.query(**number)
    return status, json.loads(text)


def test_order_pay_query(merchant: Merchant) -> None:
    number = new_number()
    openid = merchant.new_openid()
    status, body = merchant.order(out_trade_no=number, payer=openid, attach="statement-1")
    assert status == 200
    assert query(merchant, out_trade_no=number)[1]["trade_state"] == "NOTPAY"
    paid = merchant.control.pay(merchant.payment_arguments(body["prepay_id"]), notify="lost")
    assert paid["errMsg"] == "requestPayment:ok"
    status, seen = query(merchant, out_trade_no=number)
    assert status == 200
    assert seen["trade_state"] == "SUCCESS"
    assert seen["payer"] == {"openid": openid}
    assert seen["attach"] == "statement-1"
    assert seen["transaction_id"] == paid["transaction_id"]
    assert seen["amount"] == {"total": 4200, "payer_total": 4200, "currency": "CNY", "payer_currency": "CNY"}
    assert query(merchant, transaction_id=paid["transaction_id"]) == (200, seen)


def test_reply_signature_verifies_by_hand(by_hand: ByHand, settings: dict[str, str]) -> None:
    key = load_pem_public_key(settings["WECHATPAY_PUBLIC_KEY"].encode())
    assert isinstance(key, RSAPublicKey)
    refused = by_hand.post(by_hand.order(amount={"total": 0}))
    for reply in (by_hand.post(by_hand.order()), refused):
        assert reply.headers["Wechatpay-Serial"] == settings["WECHATPAY_PUBLIC_KEY_ID"]
        assert reply.headers["Wechatpay-Signature-Type"] == "WECHATPAY2-SHA256-RSA2048"
        head = f"{reply.headers['Wechatpay-Timestamp']}\n{reply.headers['Wechatpay-Nonce']}\n".encode()
        signature = base64.b64decode(reply.headers["Wechatpay-Signature"])
        key.verify(signature, head + reply.content + b"\n", PKCS1v15(), SHA256())


def test_same_order_again_is_the_same_prepay(merchant: Merchant) -> None:
    number, openid = new_number(), merchant.new_openid()
    first, second = (merchant.order(out_trade_no=number, payer=openid) for _ in range(2))
    assert first == second
    status, body = merchant.order(out_trade_no=number, payer=openid, amount={"total": 4201, "currency": "CNY"})
    assert (status, body["code"]) == (400, "INVALID_REQUEST")
    seen = merchant.control.show_payment(number)
    assert seen["order_calls"] == 3
    assert len(seen["prepay_ids"]) == 1


def test_close(merchant: Merchant) -> None:
    number, openid = new_number(), merchant.new_openid()
    prepay_id = merchant.order(out_trade_no=number, payer=openid)[1]["prepay_id"]
    for _ in range(2):
        assert merchant.library.close(out_trade_no=number)[0] == 204
    assert query(merchant, out_trade_no=number)[1]["trade_state"] == "CLOSED"
    with pytest.raises(ControlRefused, match="order_closed"):
        merchant.control.pay(merchant.payment_arguments(prepay_id))
    assert merchant.order(out_trade_no=number, payer=openid)[1]["code"] == "ORDER_CLOSED"


def test_paid_order_takes_nothing_more(merchant: Merchant) -> None:
    number, openid = new_number(), merchant.new_openid()
    prepay_id = merchant.order(out_trade_no=number, payer=openid)[1]["prepay_id"]
    merchant.control.pay(merchant.payment_arguments(prepay_id), notify="lost")
    with pytest.raises(ControlRefused, match="order_paid") as refused:
        merchant.control.pay(merchant.payment_arguments(prepay_id))
    assert refused.value.status == 409
    assert merchant.order(out_trade_no=number, payer=openid)[1]["code"] == "ORDERPAID"
    status, text = merchant.library.close(out_trade_no=number)
    assert (status, json.loads(text)["code"]) == (400, "ORDERPAID")
    assert len(merchant.control.show_payment(number)["charges"]) == 1


def test_many_at_once_make_one_order_and_one_charge(merchant: Merchant) -> None:
    number, openid = new_number(), merchant.new_openid()

    def pay_once(arguments: dict[str, str]) -> str:
        try:
            return str(merchant.control.pay(arguments, notify="lost")["errMsg"])
        except ControlRefused as refused:
            return str(refused.body["error"])

    with ThreadPoolExecutor(8) as pool:
        prepays = set(
            pool.map(
                lambda _: merchant.order(out_trade_no=number, payer=openid)[1]["prepay_id"],
                range(8),
            )
        )
        (prepay_id,) = prepays
        outcomes = list(pool.map(pay_once, [merchant.payment_arguments(prepay_id)] * 8))
    assert sorted(outcomes) == ["order_paid"] * 7 + ["requestPayment:ok"]
    assert len(merchant.control.show_payment(number)["charges"]) == 1


def test_unknown_order(merchant: Merchant) -> None:
    for number in ({"out_trade_no": "NEVER-ORDERED"}, {"transaction_id": "4200000000000000000000000000"}):
        status, body = query(merchant, **number)
        assert (status, body["code"]) == (404, "ORDER_NOT_EXIST")
    assert merchant.library.close(out_trade_no="NEVER-ORDERED")[0] == 404


@pytest.mark.parametrize(
    ("changes", "code", "number"),
    [
        ({"amount": {"total": 0}}, "PARAM_ERROR", 268435464),
        ({"amount": {"total": "1"}}, "PARAM_ERROR", 268435464),
        ({"amount": {"total": 1.5}}, "PARAM_ERROR", 268435464),
        ({"amount": {"total": True}}, "PARAM_ERROR", 268435464),
        ({"amount": {"total": 1, "currency": "USD"}}, "PARAM_ERROR", 268435464),
        ({"out_trade_no": "short"}, "PARAM_ERROR", 268435464),
        ({"out_trade_no": "x" * 33}, "PARAM_ERROR", 268435464),
        ({"out_trade_no": "with space"}, "PARAM_ERROR", 268435464),
        ({"description": ""}, "PARAM_ERROR", 268435464),
        ({"notify_url": "http://hospital.example/notify"}, "PARAM_ERROR", 268435464),
        ({"notify_url": "http://127.0.0.1:9/notify?order=1"}, "PARAM_ERROR", 268435464),
        ({"time_expire": "2020-01-01T00:00:00+08:00"}, "PARAM_ERROR", 268435464),
        ({"time_expire": "2099-01-01 00:00:00"}, "PARAM_ERROR", 268435464),
        ({"payer": {}}, "PARAM_ERROR", 268501013),
        ({"payer": {"openid": "o-never-met-by-wechat"}}, "PARAM_ERROR", 268501013),
        ({"surprise": 1}, "PARAM_ERROR", 270924358),
        ({"appid": "wx0000000000000000"}, "APPID_MCHID_NOT_MATCH", 268445527),
        ({"mchid": "1900000000"}, "APPID_MCHID_NOT_MATCH", 268445527),
    ],
)
def test_order_rules(by_hand: ByHand, changes: dict[str, Any], code: str, number: int) -> None:
    reply = by_hand.post(by_hand.order(**changes))
    assert (reply.status_code, reply.json()["code"]) == (400, code)
    assert reply.headers["Request-Id"].endswith(f"-{number}")


def test_body_that_is_no_order(by_hand: ByHand) -> None:
    for body in (b"", b"[]", b"not json", b"\xff"):
        assert by_hand.post(body).json()["code"] == "PARAM_ERROR"
    assert by_hand.post(by_hand.order(), **{"Content-Type": "text/plain"}).json()["code"] == "PARAM_ERROR"
    assert by_hand.post(by_hand.order(), Accept="text/html").json()["code"] == "PARAM_ERROR"
    assert by_hand.post(by_hand.order(), **{"Wechatpay-Serial": "PUB_KEY_ID_9"}).json()["code"] == "PARAM_ERROR"


@pytest.mark.parametrize(
    "parts",
    [
        {"mchid": "1900000000"},
        {"serial_no": "00"},
        {"timestamp": "1554208460"},
        {"timestamp": "soon"},
        {"nonce_str": ""},
        {"nonce_str": "x" * 33},
        {"signature": "AAAA"},
        {"signature": "not base64!"},
        {"surplus": "1"},
    ],
)
def test_wrong_signature_is_refused(by_hand: ByHand, parts: dict[str, str]) -> None:
    body = json.dumps(by_hand.order()).encode()
    reply = by_hand.post(body, Authorization=by_hand.authorization("POST", ORDER_PATH, body, **parts))
    assert (reply.status_code, reply.json()["code"]) == (401, "SIGN_ERROR")
    assert reply.headers["Request-Id"].endswith("-268443699")


def test_signature_covers_method_path_query_and_body(by_hand: ByHand) -> None:
    body = json.dumps(by_hand.order()).encode()
    for method, path, signed in (
        ("GET", ORDER_PATH, body),
        ("POST", ORDER_PATH + "?a=1", body),
        ("POST", ORDER_PATH, body + b" "),
    ):
        reply = by_hand.post(body, Authorization=by_hand.authorization(method, path, signed))
        assert reply.json()["code"] == "SIGN_ERROR"
    for header in ("", "Bearer x", "WECHATPAY2-SHA256-RSA2048"):
        assert by_hand.post(body, Authorization=header).json()["code"] == "SIGN_ERROR"


def test_window_is_five_minutes_either_way(by_hand: ByHand) -> None:
    body = json.dumps(by_hand.order()).encode()
    for offset, expected in ((-280, 200), (280, 200), (-320, 401), (320, 401)):
        timestamp = str(int(time.time()) + offset)
        authorization = by_hand.authorization("POST", ORDER_PATH, body, timestamp=timestamp)
        assert by_hand.post(body, Authorization=authorization).status_code == expected


def test_nonce_is_good_once(by_hand: ByHand) -> None:
    body = json.dumps(by_hand.order()).encode()
    authorization = by_hand.authorization("POST", ORDER_PATH, body)
    assert by_hand.post(body, Authorization=authorization).status_code == 200
    replayed = by_hand.post(body, Authorization=authorization)
    assert (replayed.status_code, replayed.json()["code"]) == (401, "SIGN_ERROR")


def test_query_wants_its_own_merchant(by_hand: ByHand, settings: dict[str, str]) -> None:
    order = by_hand.order()
    by_hand.post(order)
    path = f"/v3/pay/transactions/out-trade-no/{order['out_trade_no']}"
    assert by_hand.get(path).json()["code"] == "PARAM_ERROR"
    assert by_hand.get(f"{path}?mchid=1900000000").json()["code"] == "PARAM_ERROR"
    assert by_hand.get(f"{path}?mchid={settings['WECHATPAY_MERCHANT_ID']}").json()["trade_state"] == "NOTPAY"


def test_encoded_path_is_verified_as_sent(by_hand: ByHand, settings: dict[str, str]) -> None:
    order = by_hand.order(out_trade_no=f"A|{secrets.token_hex(8)}*")
    by_hand.post(order)
    encoded = order["out_trade_no"].replace("|", "%7C").replace("*", "%2A")
    path = f"/v3/pay/transactions/out-trade-no/{encoded}?mchid={settings['WECHATPAY_MERCHANT_ID']}"
    assert by_hand.get(path).json()["out_trade_no"] == order["out_trade_no"]


def test_close_wants_its_own_merchant(by_hand: ByHand) -> None:
    order = by_hand.order()
    by_hand.post(order)
    path = f"/v3/pay/transactions/out-trade-no/{order['out_trade_no']}/close"
    for body in ({}, {"mchid": "1900000000"}, {"mchid": order["mchid"], "surprise": 1}):
        assert by_hand.post(body, path).json()["code"] == "PARAM_ERROR"
    assert by_hand.post({"mchid": order["mchid"]}, path).status_code == 204


def test_public_key_merchant_has_no_certificates(by_hand: ByHand) -> None:
    reply = by_hand.get("/v3/certificates")
    assert (reply.status_code, reply.json()["code"]) == (404, "RESOURCE_NOT_EXISTS")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"paySign": "AAAA"}, "sign_mismatch"),
        ({"nonceStr": "another"}, "sign_mismatch"),
        ({"timeStamp": "1790000001"}, "sign_mismatch"),
        ({"timeStamp": "now"}, "arguments_malformed"),
        ({"appId": "wx0000000000000000"}, "app_id_mismatch"),
        ({"signType": "MD5"}, "sign_type_unsupported"),
        ({"prepay_id": "wx-unknown"}, "prepay_unknown"),
        ({"surprise": "1"}, "malformed"),
    ],
)
def test_payment_with_wrong_arguments_charges_nothing(merchant: Merchant, changes: dict[str, str], error: str) -> None:
    number = new_number()
    prepay_id = merchant.order(out_trade_no=number)[1]["prepay_id"]
    with pytest.raises(ControlRefused, match=error):
        merchant.control.pay({**merchant.payment_arguments(prepay_id), **changes})
    seen = merchant.control.show_payment(number)
    assert (seen["trade_state"], seen["charges"], seen["notifications"]) == ("NOTPAY", [], [])


def test_prepay_and_order_grow_old(own_simulator: Running, settings: dict[str, str]) -> None:
    merchant = Merchant(settings, own_simulator)
    number, openid = new_number(), merchant.new_openid()
    old = merchant.order(out_trade_no=number, payer=openid)[1]["prepay_id"]
    own_simulator.control.advance_clock(2 * 3600)
    with pytest.raises(ControlRefused, match="prepay_expired"):
        merchant.control.pay(merchant.payment_arguments(old))
    new = merchant.order(out_trade_no=number, payer=openid)[1]["prepay_id"]
    assert new != old
    own_simulator.control.advance_clock(7 * 86_400)
    assert query(merchant, out_trade_no=number)[1]["trade_state"] == "CLOSED"
    with pytest.raises(ControlRefused, match="order_closed"):
        merchant.control.pay(merchant.payment_arguments(new))


def test_all_payments_are_listed(merchant: Merchant) -> None:
    openid = merchant.new_openid()
    numbers = [new_number(), new_number()]
    for number in numbers:
        merchant.order(out_trade_no=number, payer=openid)
    listed = [each for each in merchant.control.list_payments() if each["openid"] == openid]
    assert [each["out_trade_no"] for each in listed] == numbers
    assert {each["amount_fen"] for each in listed} == {4200}
