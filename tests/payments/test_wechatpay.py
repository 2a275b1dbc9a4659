"""The adapter against the published known answers, and against replies that WeChat Pay did not sign."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from core.config import Config
from payments import wechatpay
from payments.wechatpay import GatewayRefused, GatewaySilent, WechatPay
from tests.payments.till import Notifier, Signed

# The key and the signatures are published in WeChat Pay's merchant documentation for API v3.
PUBLISHED_KEY = """-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAptpm+qvIDCh/9wjU26SQ
CK26ogYkBhDrYxnAaw2JbbBsp1oDbHKk+1r381NeBUG2HEFAuU+Fr72u5ot3yKdz
oF/FajAzQNKnm569/D3upKoi8mYBaST15Uig8j8qoUW1U217LL0jEHlSnHV3lcaD
TXqDpTRR4Bfz9IqOgJgFZ8/oTfEomSrjrLYef81Eyxr7ZIMQXEKKEK7V4UXKS0+/
fDsiG/cXidhzt8UbTL9vqXqxM2+IDImyO+FAc/tkBG55LmzxPto1Nq0WbnZzRM/w
Tzrd0I/8NlevxtFbphg4evlHjFNI7+GrqR87ViEwuAJJ9Je5QQjct5YJfFRWiZ5C
MQIDAQAB
-----END PUBLIC KEY-----
"""
NONCE, TIMESTAMP = "593BEC0C930BF1AFEB40B4A08C8FB242", "1554208460"
PAYMENT_SIGNATURE = (
    "mI35pfNEQV6777ke/1T+LJLQDNTm7yeoUJH+j/adPGhmCCi0PbgkvYQTRcXH0uibcLVtvFLdGLpmoYO9FV6lBBsTAjuhh5YOvQi0e2g3e0yy"
    "titiNET9FEuqM0pjnKfRW4K6LIZDdbWJv9KhZUx3DrJa5TL7OJ7VdADVivxVySIlPVKjGwuCXzuXSJes0UcILgWQUMyha5/3nYofuHtS7r+K"
    "YyMuxD+oJ9VM1Qdxk4UIG59CP5Y3wtYIFybyF3bdu1caHTRRX+DLyMXyYA/IrTmiW01c4RPjpHBX5Dk1sZyY1zVsWNsvMHr2e1NTWtBxKJ+q"
    "k5N61J7caYoepHFaxw=="
)
REQUEST_BODY = (
    '{"appid":"wxd678efh567hg6787","mchid":"1900007291","description":"Image形象店-深圳腾大-QQ公仔",'
    '"out_trade_no":"1217752501201407033233368018","notify_url":"https://www.weixin.qq.com/wxpay/pay.php",'
    '"amount":{"total":100,"currency":"CNY"},"payer":{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}}'
)
REQUEST_SIGNATURE = (
    "jnks4dlrPw3ZX+ozVvSK39oa0t7OMBsg83BHAwd8BRdUFiVaQNTLTvci+wURgP1OQBbKYhFGvt7iqYpDSTQkp7Uq1sltaQKyncCyrA1g88m5"
    "bsKERQfPyT0ahSwKTYJ1CAn9QiJuSJRq1QsQs07eehbU/k9BCS51jTyc1Jpsi2H77HF9f/BnjXAOP3/sPObg6V5Ee4EzwLox684hhuMuIwHo"
    "7D8KFk3LIHOKDcNI4It1aCXydFWNpNK+SG86VUDe5kwoDpw4Ulqfu9z8OFDGbDs9TCxEv8iqQzbpxOlEVoOe2kalSYM5kApQb3nZcxdUtoE0"
    "liJGW3RGUNE0t4v01A=="
)
TOMORROW = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


def test_the_payment_message_is_the_published_one() -> None:
    package = "prepay_id=wx201410272009395522657a690389285100"
    message = wechatpay.payment_message("wx2421b1c4370ec43b", TIMESTAMP, NONCE, package)
    assert wechatpay.is_signed(PUBLISHED_KEY, message, PAYMENT_SIGNATURE)
    assert not wechatpay.is_signed(PUBLISHED_KEY, message + b" ", PAYMENT_SIGNATURE)


def test_the_request_message_is_the_published_one() -> None:
    message = wechatpay.request_message("POST", "/v3/pay/transactions/jsapi", TIMESTAMP, NONCE, REQUEST_BODY.encode())
    assert wechatpay.is_signed(PUBLISHED_KEY, message, REQUEST_SIGNATURE)


class Gateway:
    """Answers every call with what it was given: a stand-in for whoever sits between us and WeChat Pay."""

    def __init__(self, config: Config, notifier: Notifier) -> None:
        self.notifier = notifier
        self.status, self.answer = 200, Signed({}, b"")
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.do_GET()

            def do_GET(self) -> None:
                self.send_response(gateway.status)
                for name, value in gateway.answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(gateway.answer.body)))
                self.end_headers()
                self.wfile.write(gateway.answer.body)

            def log_request(self, *_: object, **__: object) -> None:
                return

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.client = WechatPay(replace(config, wechatpay_base_url=f"http://127.0.0.1:{self.server.server_port}"))

    def reply(self, body: object, status: int = 200) -> Signed:
        self.status, self.answer = status, self.notifier.sign(json.dumps(body).encode())
        return self.answer

    def order(self) -> str:
        return self.client.order(out_trade_no="n" * 32, amount_fen=1, openid="o123456", expires_at=TOMORROW)


@pytest.fixture
def gateway(config: Config, notifier: Notifier) -> Iterator[Gateway]:
    made = Gateway(config, notifier)
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_a_signed_reply_is_believed(gateway: Gateway) -> None:
    gateway.reply({"prepay_id": "wx1"})
    assert gateway.order() == "wx1"


@pytest.mark.parametrize(
    "header",
    [
        {"Wechatpay-Signature": "bm90IGEgc2lnbmF0dXJl"},
        {"Wechatpay-Signature-Type": ""},
        {"Wechatpay-Serial": "PUB_KEY_ID_0000000000000000000000000000000000"},
        {"Wechatpay-Timestamp": "1554208460"},
        {"Wechatpay-Nonce": ""},
    ],
)
@pytest.mark.parametrize("status", [200, 404])
def test_a_reply_that_wechat_pay_did_not_sign_is_no_reply(
    gateway: Gateway, header: dict[str, str], status: int
) -> None:
    genuine = gateway.reply({"prepay_id": "wx1", "code": "ORDER_NOT_EXIST"}, status)
    gateway.answer = Signed(genuine.headers | header, genuine.body)
    with pytest.raises(GatewaySilent):
        gateway.order()
    with pytest.raises(GatewaySilent):
        gateway.client.query("n" * 32)


def test_an_old_reply_is_no_reply(gateway: Gateway) -> None:
    body = gateway.reply({"prepay_id": "wx1"}).body
    gateway.answer = gateway.notifier.sign(body, at=time.time() - 400)
    with pytest.raises(GatewaySilent):
        gateway.order()


@pytest.mark.parametrize("body", [{}, {"prepay_id": 5}, {"prepay_id": ""}, [], "text"])
def test_a_signed_reply_without_a_prepay_id_is_no_reply(gateway: Gateway, body: object) -> None:
    gateway.reply(body)
    with pytest.raises(GatewaySilent):
        gateway.order()


def test_refusals_carry_wechat_pays_own_code(gateway: Gateway) -> None:
    gateway.reply({"code": "PARAM_ERROR", "message": "…"}, 400)
    with pytest.raises(GatewayRefused) as refused:
        gateway.order()
    assert refused.value.code == "PARAM_ERROR"
    with pytest.raises(GatewayRefused):
        gateway.client.query("n" * 32)


@pytest.mark.parametrize("changes", [{}, {"mchid": "1900000002"}, {"appid": "wx0"}, {"out_trade_no": None}])
def test_an_answer_about_another_merchant_is_no_answer(
    gateway: Gateway, config: Config, changes: dict[str, object]
) -> None:
    ours = {
        "mchid": config.wechatpay_merchant_id,
        "appid": config.wechat_app_id,
        "out_trade_no": "n" * 32,
        "trade_state": "NOTPAY",
    }
    gateway.reply(ours | changes)
    if changes:
        with pytest.raises(GatewaySilent):
            gateway.client.query("n" * 32)
    else:
        found = gateway.client.query("n" * 32)
        assert found is not None
        assert found.trade_state == "NOTPAY"


def test_an_order_that_does_not_exist_is_none(gateway: Gateway) -> None:
    gateway.reply({"code": "ORDER_NOT_EXIST", "message": "订单不存在"}, 404)
    assert gateway.client.query("n" * 32) is None


def test_nobody_there_is_no_answer(config: Config) -> None:
    with pytest.raises(GatewaySilent):
        WechatPay(replace(config, wechatpay_base_url="http://127.0.0.1:9")).query("n" * 32)


def test_an_answer_about_another_order_is_no_answer(gateway: Gateway, config: Config) -> None:
    gateway.reply(
        {
            "mchid": config.wechatpay_merchant_id,
            "appid": config.wechat_app_id,
            "out_trade_no": "m" * 32,
            "trade_state": "SUCCESS",
        }
    )
    with pytest.raises(GatewaySilent):
        gateway.client.query("n" * 32)
