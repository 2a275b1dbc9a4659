"""The merchant that checks the simulator: wechatpayv3, an implementation that shares no line with ours."""

import json
import secrets
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from wechatpayv3 import WeChatPay, WeChatPayType

from simulator.control import Control
from simulator.running import Running


@dataclass
class Arrived:
    """One notification as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """Takes notifications; ``answers`` holds the next statuses of a path, afterwards it says 204."""

    port: int
    arrived: list[Arrived] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def new_url(self, *answers: int) -> str:
        path = f"/notify/{uuid.uuid4().hex}"
        self.answers[path] = list(answers)
        return f"http://127.0.0.1:{self.port}{path}"

    def of(self, url: str) -> list[Arrived]:
        with self.lock:
            return [each for each in self.arrived if url.endswith(each.path)]


class Merchant:
    """wechatpayv3 2.0.4 as the merchant, pointed at the simulator: it signs, verifies and decrypts on its own."""

    def __init__(self, settings: dict[str, str], simulator: Running) -> None:
        self.settings = settings
        self.control: Control = simulator.control
        self.library = WeChatPay(
            wechatpay_type=WeChatPayType.MINIPROG,
            mchid=settings["WECHATPAY_MERCHANT_ID"],
            private_key=settings["WECHATPAY_MERCHANT_KEY"],
            cert_serial_no=settings["WECHATPAY_MERCHANT_SERIAL"],
            appid=settings["WECHAT_APP_ID"],
            apiv3_key=settings["WECHATPAY_APIV3_KEY"],
            notify_url="http://127.0.0.1:9/notify",
            public_key=settings["WECHATPAY_PUBLIC_KEY"],
            public_key_id=settings["WECHATPAY_PUBLIC_KEY_ID"],
            timeout=60,
        )
        self.library._core._gate_way = simulator.base_url

    def new_openid(self) -> str:
        """A user that WeChat knows."""
        openid = f"o{secrets.token_hex(14)}"
        self.control.mint_code(openid)
        return openid

    def order(self, **changes: Any) -> tuple[int, dict[str, Any]]:
        """Status and body of an order; ``payer`` is an openid; what is not given is made fresh."""
        asked = {
            "description": "信用就医还款（演示）",
            "out_trade_no": changes.get("out_trade_no") or new_number(),
            "amount": {"total": 4200, "currency": "CNY"},
            "payer": {"openid": changes["payer"] if "payer" in changes else self.new_openid()},
            **{name: value for name, value in changes.items() if name != "payer"},
        }
        status, text = self.library.pay(**asked)
        return status, json.loads(text)

    def payment_arguments(self, prepay_id: str) -> dict[str, str]:
        """What the mini-program hands to ``wx.requestPayment``."""
        timestamp, nonce = "1790000000", secrets.token_hex(16)
        app_id = self.settings["WECHAT_APP_ID"]
        return {
            "prepay_id": prepay_id,
            "appId": app_id,
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "signType": "RSA",
            "paySign": self.library.sign([app_id, timestamp, nonce, f"prepay_id={prepay_id}"]),
        }

    def buy(self, notify_url: str, **options: Any) -> tuple[str, str]:
        """Order and pay; the order number and the transaction id."""
        number = new_number()
        status, body = self.order(out_trade_no=number, notify_url=notify_url)
        assert status == 200, body
        paid = self.control.pay(self.payment_arguments(body["prepay_id"]), **options)
        return number, paid["transaction_id"]

    def read(self, notification: Arrived) -> dict[str, Any] | None:
        """The library's verdict: the decrypted notification, or None when the signature is not genuine."""
        result: dict[str, Any] | None = self.library.callback(notification.headers, notification.body)
        return result


def new_number() -> str:
    return f"T{secrets.token_hex(14)}"
