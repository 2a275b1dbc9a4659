"""WeChat Pay API v3 for one merchant in public-key mode: JSAPI order, query, close, and its notifications.

Source: WeChat Pay's merchant documentation, API v3 (signatures, JSAPI and mini-program payment, notifications). Why an
adapter of our own: docs/adr/0008-wechatpay-adapter.md.
"""

import base64
import binascii
import hmac
import json
import re
import secrets
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

import requests
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from pydantic import BaseModel, ValidationError

from core import clock, observe
from core.config import Config
from payments.refusals import NotificationNotGenuine, NotificationNotOurs
from payments.service.settlement import PaidOrder

SCHEME = "WECHATPAY2-SHA256-RSA2048"
SUCCESS_EVENT = "TRANSACTION.SUCCESS"
NOTIFY_PATH = "/notify/wechatpay"
# What the payer reads in WeChat and the provider in its bill: nothing clinical, no hospital.
DESCRIPTION = "健康信用付还款"

_WINDOW_SECONDS = 300
_TIMEOUT_SECONDS = (3.05, 5)
_LARGEST_NOTIFICATION_BYTES = 64 * 1024
_UNKNOWN_ORDER_CODES = {"ORDER_NOT_EXIST", "RESOURCE_NOT_EXISTS"}


class Headers(Protocol):
    """Header fields with case-insensitive names, of a request that came in or of a reply."""

    def get(self, name: str, default: str, /) -> str:
        """The field, or ``default``."""


class GatewaySilent(Exception):
    """No answer that can be believed: what was asked may or may not have happened."""


class GatewayRefused(Exception):
    """WeChat Pay said no, genuinely and for good; ``code`` is its own."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Amount(BaseModel):
    """Fen."""

    total: int
    currency: str = "CNY"


class Payer(BaseModel):
    openid: str


class Transaction(BaseModel):
    """An order as a query answers it and as a notification carries it. What is paid has a payer and a number."""

    mchid: str
    appid: str
    out_trade_no: str
    trade_state: str
    amount: Amount | None = None
    transaction_id: str | None = None
    payer: Payer | None = None

    def as_paid(self) -> PaidOrder:
        """:raises NotificationNotOurs: it does not say all that a payment has."""
        if self.trade_state != "SUCCESS" or not (self.amount and self.transaction_id and self.payer):
            raise NotificationNotOurs
        return PaidOrder(
            out_trade_no=self.out_trade_no,
            transaction_id=self.transaction_id,
            amount_fen=self.amount.total,
            currency=self.amount.currency,
            payer=self.payer.openid,
        )


class SealedResource(BaseModel):
    algorithm: str
    ciphertext: str
    nonce: str
    associated_data: str = ""


class Envelope(BaseModel):
    """A notification as it travels."""

    id: str
    event_type: str
    resource: SealedResource


class PaymentNotification(BaseModel):
    """A genuine notification, opened."""

    id: str
    event_type: str
    paid: PaidOrder


def request_message(method: str, path_and_query: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """What a merchant signs for a request: five lines, each ended by a newline, the body exactly as sent."""
    return f"{method}\n{path_and_query}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"


def reply_message(timestamp: str, nonce: str, body: bytes) -> bytes:
    """What WeChat Pay signs for a reply or a notification: three lines."""
    return f"{timestamp}\n{nonce}\n".encode() + body + b"\n"


def payment_message(app_id: str, timestamp: str, nonce: str, package: str) -> bytes:
    """What a merchant signs for ``wx.requestPayment``: four lines; ``package`` is ``prepay_id=wx...``."""
    return f"{app_id}\n{timestamp}\n{nonce}\n{package}\n".encode()


def is_signed(public_key_pem: str, message: bytes, signature: str) -> bool:
    """Whether a base64 signature (RSA PKCS#1 v1.5, SHA-256) is genuine; text that is not base64 is simply not."""
    try:
        _public_key(public_key_pem).verify(base64.b64decode(signature, validate=True), message, PKCS1v15(), SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


class WechatPay:
    """The platform's merchant at WeChat Pay. Never used inside a transaction: every call may take seconds."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def order(self, *, out_trade_no: str, amount_fen: int, openid: str, expires_at: datetime) -> str:
        """Order a JSAPI payment. The same number with the same parameters gives the same order again.

        :param expires_at: whole seconds; afterwards WeChat Pay closes the order itself.
        :returns: the prepay id.
        :raises GatewaySilent: the order may or may not exist now: ``query``, then decide.
        :raises GatewayRefused: for example PARAM_ERROR, ORDERPAID, ORDER_CLOSED.
        """
        answer = self._call(
            "POST",
            "/v3/pay/transactions/jsapi",
            {
                "appid": self._config.wechat_app_id,
                "mchid": self._config.wechatpay_merchant_id,
                "description": DESCRIPTION,
                "out_trade_no": out_trade_no,
                "time_expire": clock.in_city(expires_at).isoformat(),
                "notify_url": f"{self._config.base_url}{NOTIFY_PATH}",
                "amount": {"total": amount_fen, "currency": "CNY"},
                "payer": {"openid": openid},
            },
        )
        prepay_id = answer.get("prepay_id")
        if not isinstance(prepay_id, str) or not prepay_id:
            raise GatewaySilent
        return prepay_id

    def query(self, out_trade_no: str) -> Transaction | None:
        """The order as it stands; None when WeChat Pay never took it.

        :raises GatewaySilent, GatewayRefused: as ``order``.
        """
        mchid = self._config.wechatpay_merchant_id
        try:
            answer = self._call("GET", f"/v3/pay/transactions/out-trade-no/{out_trade_no}?mchid={mchid}")
            transaction = Transaction.model_validate(answer)
            self._check_ours(transaction)
        except GatewayRefused as refused:
            if refused.code in _UNKNOWN_ORDER_CODES:
                return None
            raise
        except (ValidationError, NotificationNotOurs):
            raise GatewaySilent from None
        # A genuine answer to another question, replayed, must not pass for "no such order".
        if transaction.out_trade_no != out_trade_no:
            raise GatewaySilent
        return transaction

    def close(self, out_trade_no: str) -> None:
        """Close an unpaid order: afterwards nobody can pay it.

        :raises GatewaySilent: it may or may not be closed now.
        :raises GatewayRefused: ORDERPAID: it was paid before.
        """
        path = f"/v3/pay/transactions/out-trade-no/{out_trade_no}/close"
        self._call("POST", path, {"mchid": self._config.wechatpay_merchant_id})

    def payment_arguments(self, prepay_id: str) -> dict[str, str]:
        """The arguments of ``wx.requestPayment``, freshly signed (``appId`` is part of what is signed)."""
        timestamp, nonce, package = _timestamp(), _nonce(), f"prepay_id={prepay_id}"
        message = payment_message(self._config.wechat_app_id, timestamp, nonce, package)
        return {
            "appId": self._config.wechat_app_id,
            "timeStamp": timestamp,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": self._sign(message),
        }

    def read_notification(self, headers: Headers, body: bytes) -> PaymentNotification:
        """Verify a notification, and only then open it.

        :param headers: of the request, with case-insensitive names.
        :param body: exactly as it came.
        :raises NotificationNotGenuine: not from WeChat Pay, too old, or not sealed with our key.
        :raises NotificationNotOurs: another merchant, another app, or not the success of a payment.
        """
        if len(body) > _LARGEST_NOTIFICATION_BYTES or not self._is_genuine(headers, body):
            raise NotificationNotGenuine
        try:
            envelope = Envelope.model_validate_json(body)
            transaction = Transaction.model_validate_json(self._unseal(envelope.resource))
        except (ValidationError, ValueError, InvalidTag):
            raise NotificationNotGenuine from None
        self._check_ours(transaction)
        if envelope.event_type != SUCCESS_EVENT:
            raise NotificationNotOurs
        return PaymentNotification(id=envelope.id, event_type=envelope.event_type, paid=transaction.as_paid())

    def _call(self, method: str, path_and_query: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        sent = json.dumps(body, ensure_ascii=False).encode() if body is not None else b""
        try:
            reply = requests.request(
                method,
                f"{self._config.wechatpay_base_url}{path_and_query}",
                data=sent or None,
                headers=self._request_headers(method, path_and_query, sent),
                timeout=_TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            observe.log.warning("wechatpay.unavailable", error=type(error).__name__)
            raise GatewaySilent from None
        return self._read_reply(reply)

    def _request_headers(self, method: str, path_and_query: str, body: bytes) -> dict[str, str]:
        timestamp, nonce = _timestamp(), _nonce()
        parts = {
            "mchid": self._config.wechatpay_merchant_id,
            "nonce_str": nonce,
            "signature": self._sign(request_message(method, path_and_query, timestamp, nonce, body)),
            "timestamp": timestamp,
            "serial_no": self._config.wechatpay_merchant_serial,
        }
        return {
            "Authorization": f"{SCHEME} " + ",".join(f'{name}="{value}"' for name, value in parts.items()),
            "Accept": "application/json",
            "Content-Type": "application/json",
            # Asks for replies in public-key mode.
            "Wechatpay-Serial": self._config.wechatpay_public_key_id,
            "User-Agent": "yimatong",
        }

    def _read_reply(self, reply: requests.Response) -> dict[str, Any]:
        # A refusal decides as much as a success does (an order that does not exist is ended), so that an answer
        # which cannot be verified is no answer, whatever its status.
        if not self._is_genuine(reply.headers, reply.content):
            observe.log.warning("wechatpay.reply_not_genuine", status=reply.status_code)
            raise GatewaySilent
        try:
            answer = json.loads(reply.content) if reply.content else {}
        except ValueError:
            raise GatewaySilent from None
        if not isinstance(answer, dict):
            raise GatewaySilent
        if reply.ok:
            return answer
        code = str(answer.get("code", ""))
        observe.log.warning(
            "wechatpay.refused", status=reply.status_code, code=code, gateway_request=reply.headers.get("Request-Id")
        )
        if reply.status_code >= 500 or reply.status_code == 429:
            raise GatewaySilent
        raise GatewayRefused(code)

    def _is_genuine(self, headers: Headers, body: bytes) -> bool:
        timestamp = headers.get("Wechatpay-Timestamp", "")
        nonce = headers.get("Wechatpay-Nonce", "")
        serial = headers.get("Wechatpay-Serial", "")
        if headers.get("Wechatpay-Signature-Type", "") != SCHEME:
            return False
        # Exactly one key is trusted; a serial that is not ours is never a reason to fetch another.
        if not hmac.compare_digest(serial.encode(), self._config.wechatpay_public_key_id.encode()):
            return False
        if not re.fullmatch(r"[0-9]{10}", timestamp) or not nonce:
            return False
        if abs(clock.now().timestamp() - int(timestamp)) > _WINDOW_SECONDS:
            return False
        signature = headers.get("Wechatpay-Signature", "")
        return is_signed(self._config.wechatpay_public_key, reply_message(timestamp, nonce, body), signature)

    def _unseal(self, resource: SealedResource) -> bytes:
        """:raises ValueError, InvalidTag: not sealed with our APIv3 key."""
        if resource.algorithm != "AEAD_AES_256_GCM":
            raise ValueError("unknown algorithm")
        key = AESGCM(self._config.wechatpay_apiv3_key.encode())
        sealed = base64.b64decode(resource.ciphertext, validate=True)
        return key.decrypt(resource.nonce.encode(), sealed, resource.associated_data.encode())

    def _check_ours(self, transaction: Transaction) -> None:
        ours = (self._config.wechatpay_merchant_id, self._config.wechat_app_id)
        if (transaction.mchid, transaction.appid) != ours:
            observe.log.warning("wechatpay.other_merchant")
            raise NotificationNotOurs

    def _sign(self, message: bytes) -> str:
        signature = _private_key(self._config.wechatpay_merchant_key).sign(message, PKCS1v15(), SHA256())
        return base64.b64encode(signature).decode()


@lru_cache(maxsize=4)
def _private_key(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("WECHATPAY_MERCHANT_KEY must be an RSA private key, PKCS#8 PEM")
    return key


@lru_cache(maxsize=4)
def _public_key(pem: str) -> RSAPublicKey:
    key = load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise TypeError("WECHATPAY_PUBLIC_KEY must be an RSA public key, PEM")
    return key


def _timestamp() -> str:
    return str(int(clock.now().timestamp()))


def _nonce() -> str:
    return secrets.token_hex(16)
