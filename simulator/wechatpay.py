"""WeChat Pay v3 for one merchant in public-key mode: order, query, close. Verifies the merchant, signs every reply."""

import hmac
import re
import secrets
import sqlite3
import time
from datetime import datetime

from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, ValidationError

from simulator import orders, signatures
from simulator.orders import Refusal
from simulator.settings import Settings
from simulator.state import State
from simulator.wechat import is_known_person

WINDOW_SECONDS = 300
_PARTS = {"mchid", "nonce_str", "signature", "timestamp", "serial_no"}


class CloseOrder(BaseModel):
    """The body of the close call."""

    model_config = ConfigDict(extra="forbid", strict=True)

    mchid: str


def outside_routes(settings: Settings, state: State) -> Blueprint:
    """What WeChat Pay offers to the merchant. Field facts: WeChat Pay API v3, JSAPI and mini-program payment."""
    routes = Blueprint("wechatpay", __name__, url_prefix="/v3")
    desk = _Desk(settings, state)

    @routes.before_request
    def verify_merchant() -> None:
        _verify_request(settings, state)

    @routes.post("/pay/transactions/jsapi")
    def order() -> ResponseReturnValue:
        return jsonify(prepay_id=desk.accept_order(request.get_data()))

    @routes.get("/pay/transactions/out-trade-no/<out_trade_no>")
    def query(out_trade_no: str) -> ResponseReturnValue:
        desk.check_queried_merchant()
        return jsonify(desk.show_order(out_trade_no))

    @routes.get("/pay/transactions/id/<transaction_id>")
    def query_by_transaction(transaction_id: str) -> ResponseReturnValue:
        desk.check_queried_merchant()
        return jsonify(desk.show_order(desk.find_order_number(transaction_id)))

    @routes.post("/pay/transactions/out-trade-no/<out_trade_no>/close")
    def close(out_trade_no: str) -> ResponseReturnValue:
        desk.close_order(out_trade_no, request.get_data())
        return "", 204

    @routes.get("/certificates")
    def list_certificates() -> ResponseReturnValue:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "无可用的平台证书，请使用微信支付公钥")

    @routes.errorhandler(Refusal)
    def refuse(refusal: Refusal) -> ResponseReturnValue:
        g.refusal = refusal
        body: dict[str, object] = {"code": refusal.code, "message": refusal.message}
        if refusal.detail is not None:
            body["detail"] = refusal.detail
        return jsonify(body), refusal.status

    @routes.after_request
    def seal_reply(response: Response) -> Response:
        _record_call(state, response)
        return _sign_reply(settings, response)

    return routes


class _Desk:
    """The merchant's orders."""

    def __init__(self, settings: Settings, state: State) -> None:
        self._settings = settings
        self._state = state

    def accept_order(self, body: bytes) -> str:
        """The prepay id: the same one for the same order while it is valid (two hours)."""
        now = self._state.now()
        order = orders.parse_order(body, self._settings, now)
        with self._state.transaction() as db:
            known = orders.find_order(db, order.out_trade_no)
            if known is None:
                if not is_known_person(db, order.payer.openid):
                    raise Refusal(400, "PARAM_ERROR", "无效的openid", 268501013)
                _insert_order(db, order, now)
                return _issue_prepay(db, order.out_trade_no, now)
            if known["parameters"] != order.parameters:
                raise Refusal(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致", 268498688)
            _check_open(known, orders.find_charge(db, order.out_trade_no), now)
            prepay = db.execute(
                "SELECT prepay_id FROM prepays WHERE out_trade_no = ? AND issued_at > ?",
                (order.out_trade_no, now - orders.PREPAY_LIFETIME_SECONDS),
            ).fetchone()
            return str(prepay["prepay_id"]) if prepay else _issue_prepay(db, order.out_trade_no, now)

    def check_queried_merchant(self) -> None:
        """The query must repeat the merchant's number."""
        mchid = request.args.get("mchid")
        if not mchid:
            raise Refusal(400, "PARAM_ERROR", "缺少参数 mchid", 268435464)
        self._check_merchant(mchid)

    def find_order_number(self, transaction_id: str) -> str:
        """The merchant's number of a paid order."""
        with self._state.transaction() as db:
            charge = db.execute(
                "SELECT out_trade_no FROM charges WHERE transaction_id = ?", (transaction_id,)
            ).fetchone()
        if charge is None:
            raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在", 268512771)
        g.out_trade_no = charge["out_trade_no"]
        return str(charge["out_trade_no"])

    def show_order(self, out_trade_no: str) -> dict[str, object]:
        """The order as it stands now."""
        with self._state.transaction() as db:
            order = orders.find_order(db, out_trade_no)
            if order is None:
                raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在", 268512771)
            return orders.show_transaction(order, orders.find_charge(db, out_trade_no), self._state.now())

    def close_order(self, out_trade_no: str, body: bytes) -> None:
        """Close an unpaid order; closing a closed one changes nothing."""
        try:
            asked = CloseOrder.model_validate_json(body)
        except ValidationError:
            raise Refusal(400, "PARAM_ERROR", "缺少参数 mchid", 268435464) from None
        self._check_merchant(asked.mchid)
        with self._state.transaction() as db:
            if orders.find_order(db, out_trade_no) is None:
                raise Refusal(404, "ORDER_NOT_EXIST", "订单不存在", 268512771)
            if orders.find_charge(db, out_trade_no) is not None:
                raise Refusal(400, "ORDERPAID", "该订单已支付", 268449538)
            db.execute(
                "UPDATE orders SET closed_at = coalesce(closed_at, ?) WHERE out_trade_no = ?",
                (self._state.now(), out_trade_no),
            )

    def _check_merchant(self, mchid: str) -> None:
        if mchid != self._settings.merchant_id:
            raise Refusal(400, "PARAM_ERROR", "商户号与签名商户号不一致", 268445527)


def _insert_order(db: sqlite3.Connection, order: orders.Order, now: float) -> None:
    db.execute(
        "INSERT INTO orders (out_trade_no, parameters, openid, amount_fen, notify_url, created_at, expires_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            order.out_trade_no,
            order.parameters,
            order.payer.openid,
            order.amount.total,
            order.notify_url,
            now,
            orders.expiry_of(order, now),
        ),
    )


def _issue_prepay(db: sqlite3.Connection, out_trade_no: str, now: float) -> str:
    stamp = datetime.fromtimestamp(now, orders.CITY_ZONE).strftime("%Y%m%d%H%M%S")
    prepay_id = f"wx{stamp}{secrets.token_hex(10)}"
    db.execute("INSERT INTO prepays VALUES (?, ?, ?)", (prepay_id, out_trade_no, now))
    return prepay_id


def _check_open(order: sqlite3.Row, charge: sqlite3.Row | None, now: float) -> None:
    trade_state = orders.state_of(order, charge, now)
    if trade_state == "SUCCESS":
        raise Refusal(400, "ORDERPAID", "该订单已支付", 268449538)
    if trade_state == "CLOSED":
        raise Refusal(400, "ORDER_CLOSED", "该订单已关闭", 268447914)


def _verify_request(settings: Settings, state: State) -> None:
    parts = _read_authorization(request.headers.get("Authorization", ""))
    if not hmac.compare_digest(parts["mchid"].encode(), settings.merchant_id.encode()):
        raise _signature_refusal("商户号不存在", "mchid is unknown")
    if parts["serial_no"].upper() != settings.merchant_serial.upper():
        raise _signature_refusal("商户证书序列号有误", "serial_no is unknown")
    if not re.fullmatch(r"\d{10}", parts["timestamp"]) or abs(time.time() - int(parts["timestamp"])) > WINDOW_SECONDS:
        raise _signature_refusal("时间戳有误，与服务器时间相差超过5分钟", "timestamp is outside the window")
    if not re.fullmatch(r"[0-9A-Za-z]{1,32}", parts["nonce_str"]):
        raise _signature_refusal("随机串有误", "nonce_str must be 1 to 32 letters and digits")
    # The path as it was sent: a decoded one would verify other bytes than were signed.
    message = signatures.request_message(
        request.method, request.environ["RAW_URI"], parts["timestamp"], parts["nonce_str"], request.get_data()
    )
    if not signatures.is_signed(settings.merchant_key, message, parts["signature"]):
        raise _signature_refusal("签名错误，请检查后再试", "sign not match")
    _spend_nonce(state, parts["nonce_str"])
    _check_headers(settings)


def _read_authorization(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    if scheme != signatures.SCHEME:
        raise _signature_refusal("Http头Authorization值格式错误", f"the scheme must be {signatures.SCHEME}")
    pairs = [re.fullmatch(r'\s*([a-z_]+)="([^"]*)"\s*', part) for part in rest.split(",")]
    parts = {pair[1]: pair[2] for pair in pairs if pair is not None}
    if set(parts) != _PARTS or len(pairs) != len(_PARTS):
        raise _signature_refusal("Http头Authorization值格式错误", f"must hold exactly {', '.join(sorted(_PARTS))}")
    return parts


def _spend_nonce(state: State, nonce: str) -> None:
    now = time.time()
    with state.transaction() as db:
        # Twice the window: a request may come from a clock that is five minutes ahead of ours.
        db.execute("DELETE FROM nonces WHERE seen_at < ?", (now - 2 * WINDOW_SECONDS,))
        spent = db.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?)", (nonce, now)).rowcount
    if spent == 0:
        raise _signature_refusal("随机串重复", "nonce_str was used before")


def _check_headers(settings: Settings) -> None:
    accepted = request.headers.get("Accept", "")
    if "application/json" not in accepted and "*/*" not in accepted:
        raise Refusal(400, "PARAM_ERROR", "Http头Accept有误", 268435464)
    if request.method == "POST" and request.mimetype != "application/json":
        raise Refusal(400, "PARAM_ERROR", "Http头Content-Type有误", 268435464)
    wanted_serial = request.headers.get("Wechatpay-Serial")
    if wanted_serial is not None and wanted_serial != settings.platform_key_id:
        raise Refusal(400, "PARAM_ERROR", "Http头Wechatpay-Serial有误", 268435464)


def _signature_refusal(message: str, issue: str) -> Refusal:
    return Refusal(401, "SIGN_ERROR", message, 268443699, {"location": "authorization", "issue": issue})


def _record_call(state: State, response: Response) -> None:
    # What a caller names is recorded even when a fault answers in place of the desk: tests count the attempts.
    named = request.get_json(silent=True) if request.method == "POST" else None
    numbers = [
        g.get("out_trade_no"),
        (request.view_args or {}).get("out_trade_no"),
        named.get("out_trade_no") if isinstance(named, dict) else None,
    ]
    out_trade_no = next((number for number in numbers if isinstance(number, str)), None)
    if out_trade_no is None or request.endpoint is None:
        return
    refusal: Refusal | None = g.get("refusal")
    fault = g.get("fault")
    with state.transaction() as db:
        db.execute(
            "INSERT INTO calls (out_trade_no, operation, at, status, code, fault) VALUES (?, ?, ?, ?, ?, ?)",
            (
                out_trade_no,
                request.endpoint.removeprefix("wechatpay.").removesuffix("_by_transaction"),
                state.now(),
                response.status_code,
                refusal.code if refusal else None,
                fault.kind if fault else None,
            ),
        )


def _sign_reply(settings: Settings, response: Response) -> Response:
    timestamp, nonce = str(int(time.time())), signatures.new_nonce()
    message = signatures.reply_message(timestamp, nonce, response.get_data())
    refusal: Refusal | None = g.get("refusal")
    response.headers["Wechatpay-Timestamp"] = timestamp
    response.headers["Wechatpay-Nonce"] = nonce
    response.headers["Wechatpay-Signature"] = signatures.sign(settings.platform_key, message)
    response.headers["Wechatpay-Signature-Type"] = signatures.SCHEME
    response.headers["Wechatpay-Serial"] = settings.platform_key_id
    response.headers["Request-Id"] = f"{secrets.token_hex(16).upper()}-{refusal.number if refusal else 0}"
    return response
