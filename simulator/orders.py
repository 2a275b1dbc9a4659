"""The rules of a WeChat Pay v3 order: what may be asked, what state it is in, how it is shown."""

import json
import re
import sqlite3
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from simulator.settings import Settings

PREPAY_LIFETIME_SECONDS = 2 * 3600
ORDER_LIFETIME_SECONDS = 7 * 86_400
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost"})
CITY_ZONE = ZoneInfo("Asia/Shanghai")
_STATE_NAMES = {"NOTPAY": "订单未支付", "SUCCESS": "支付成功", "CLOSED": "订单已关闭"}


class Refusal(Exception):
    """WeChat Pay says no: HTTP status, ``code`` and ``message`` of the body, number at the end of Request-Id."""

    def __init__(
        self, status: int, code: str, message: str, number: int = 0, detail: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.number = number
        self.detail = detail


def _check_notify_url(value: str) -> str:
    parts = urlsplit(value)
    # The real one wants https; plain http is for a platform on the same machine only.
    is_allowed = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS)
    if not is_allowed or not parts.hostname:
        raise ValueError("must be an https address")
    if "?" in value or "#" in value:
        raise ValueError("must not carry a query or a fragment")
    return value


def _check_time(value: str) -> str:
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", value):
        raise ValueError("must be RFC 3339 with a zone")
    datetime.fromisoformat(value)
    return value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Amount(_Strict):
    """Integer fen."""

    total: int = Field(ge=1, le=100_000_000_00)
    currency: Literal["CNY"] = "CNY"


class Payer(_Strict):
    """Who will pay: the user's openid under this appid."""

    openid: str = Field(min_length=1, max_length=128)


class SceneInfo(_Strict):
    """Where the order was made."""

    payer_client_ip: str = Field(min_length=1, max_length=45)
    device_id: str | None = Field(default=None, max_length=32)
    store_info: dict[str, str] | None = None


class SettleInfo(_Strict):
    """Whether the money is to be divided later."""

    profit_sharing: bool = False


class Order(_Strict):
    """The body of ``POST /v3/pay/transactions/jsapi``; anything else in it is refused."""

    appid: str = Field(min_length=1, max_length=32)
    mchid: str = Field(min_length=1, max_length=32)
    description: str = Field(min_length=1, max_length=127)
    out_trade_no: str = Field(pattern=r"^[0-9A-Za-z_\-|*]{6,32}$")
    time_expire: Annotated[str, AfterValidator(_check_time)] | None = None
    attach: str | None = Field(default=None, max_length=128)
    notify_url: Annotated[str, Field(max_length=255), AfterValidator(_check_notify_url)]
    goods_tag: str | None = Field(default=None, max_length=32)
    support_fapiao: bool = False
    amount: Amount
    payer: Payer
    detail: dict[str, object] | None = None
    scene_info: SceneInfo | None = None
    settle_info: SettleInfo | None = None

    @property
    def parameters(self) -> str:
        """The same text for the same parameters, whatever their order in the request."""
        return json.dumps(self.model_dump(), ensure_ascii=False, sort_keys=True)


def parse_order(body: bytes, settings: Settings, now: float) -> Order:
    """Check everything that can be said without looking at other orders.

    :raises Refusal: PARAM_ERROR, APPID_MCHID_NOT_MATCH.
    """
    try:
        order = Order.model_validate_json(body)
    except ValidationError as error:
        raise _parameter_refusal(error) from None
    if order.appid != settings.app_id or order.mchid != settings.merchant_id:
        raise Refusal(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配", 268445527)
    if expiry_of(order, now) <= now:
        raise Refusal(400, "PARAM_ERROR", "time_expire 已过期", 268435464, _issue("/time_expire", "is in the past"))
    return order


def expiry_of(order: Order, created_at: float) -> float:
    """Unix seconds at which an unpaid order closes itself: ``time_expire``, or seven days."""
    if order.time_expire is None:
        return created_at + ORDER_LIFETIME_SECONDS
    return datetime.fromisoformat(order.time_expire).timestamp()


def state_of(order: sqlite3.Row, charge: sqlite3.Row | None, now: float) -> str:
    """``SUCCESS``, ``CLOSED`` (by the merchant or by time) or ``NOTPAY``."""
    if charge is not None:
        return "SUCCESS"
    return "CLOSED" if order["closed_at"] is not None or order["expires_at"] <= now else "NOTPAY"


def find_charge(db: sqlite3.Connection, out_trade_no: str) -> sqlite3.Row | None:
    """The one payment of this order, if it was paid."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM charges WHERE out_trade_no = ?", (out_trade_no,)).fetchone()
    return row


def find_order(db: sqlite3.Connection, out_trade_no: str) -> sqlite3.Row | None:
    """The order by the merchant's own number."""
    row: sqlite3.Row | None = db.execute("SELECT * FROM orders WHERE out_trade_no = ?", (out_trade_no,)).fetchone()
    return row


def show_transaction(order: sqlite3.Row, charge: sqlite3.Row | None, now: float) -> dict[str, object]:
    """The order as the query answers it and as the notification carries it; amounts in fen."""
    parameters = json.loads(order["parameters"])
    trade_state = state_of(order, charge, now)
    shown: dict[str, object] = {
        "appid": parameters["appid"],
        "mchid": parameters["mchid"],
        "out_trade_no": order["out_trade_no"],
        "trade_state": trade_state,
        "trade_state_desc": _STATE_NAMES[trade_state],
        "attach": parameters["attach"] or "",
        "amount": {"total": order["amount_fen"], "currency": "CNY"},
    }
    if charge is not None:
        shown |= {
            "transaction_id": charge["transaction_id"],
            "trade_type": "JSAPI",
            "bank_type": "OTHERS",
            "success_time": city_time(charge["paid_at"]),
            "payer": {"openid": charge["openid"]},
            "amount": {
                "total": order["amount_fen"],
                "payer_total": charge["amount_fen"],
                "currency": "CNY",
                "payer_currency": "CNY",
            },
        }
    return shown


def city_time(moment: float) -> str:
    """Unix seconds as WeChat Pay writes them: RFC 3339, whole seconds, +08:00."""
    return datetime.fromtimestamp(int(moment), CITY_ZONE).isoformat()


def _parameter_refusal(error: ValidationError) -> Refusal:
    first = error.errors(include_url=False, include_context=False)[0]
    location = first["loc"]
    field = "/" + "/".join(str(part) for part in location)
    number = 268435464
    if first["type"] == "extra_forbidden":
        number = 270924358
    elif location and location[0] == "payer":
        number = 268501013
    return Refusal(400, "PARAM_ERROR", f"输入源“{field}”不符合规则", number, _issue(field, first["msg"]))


def _issue(field: str, issue: str) -> dict[str, str]:
    return {"field": field, "issue": issue, "location": "body"}
