"""The patient's side of WeChat Pay: paying in WeChat, and what the simulator saw of each order."""

import json
import re
import secrets
import sqlite3
from dataclasses import dataclass

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field

from simulator import notifications, orders, signatures
from simulator.settings import Settings
from simulator.state import State, as_text


class Payment(BaseModel):
    """The arguments of ``wx.requestPayment``, and how the notification is to travel.

    ``notify_after_seconds`` delays the first notification (for ``late`` the default is ten scaled minutes).
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    prepay_id: str
    pay_sign: str = Field(alias="paySign")
    time_stamp: str = Field(alias="timeStamp")
    nonce_str: str = Field(alias="nonceStr")
    app_id: str = Field(alias="appId")
    sign_type: str = Field(alias="signType")
    notify: notifications.NotifyKind = "normal"
    notify_after_seconds: float | None = Field(default=None, ge=0)
    genuine_follows: bool = False


@dataclass(frozen=True)
class _Outcome:
    error: str | None
    transaction_id: str | None = None


def control_routes(settings: Settings, state: State, sender: notifications.Sender) -> Blueprint:
    """``POST``, ``GET /simulator/payments`` and ``GET /simulator/payments/{out_trade_no}``."""
    routes = Blueprint("payments", __name__, url_prefix="/simulator/payments")

    @routes.post("")
    def pay() -> ResponseReturnValue:
        payment = Payment.model_validate(request.get_json())
        with state.transaction() as db:
            prepay = db.execute("SELECT * FROM prepays WHERE prepay_id = ?", (payment.prepay_id,)).fetchone()
            if prepay is None:
                return jsonify(errMsg="requestPayment:fail", error="prepay_unknown"), 400
            outcome = _pay(db, settings, state.now(), payment, prepay)
            db.execute(
                "INSERT INTO calls (out_trade_no, operation, at, status, code) VALUES (?, 'pay', ?, ?, ?)",
                (prepay["out_trade_no"], state.now(), 400 if outcome.error else 200, outcome.error),
            )
        if outcome.error is not None:
            status = 409 if outcome.error == "order_paid" else 400
            return jsonify(errMsg="requestPayment:fail", error=outcome.error), status
        sender.wake()
        return jsonify(
            errMsg="requestPayment:ok",
            out_trade_no=prepay["out_trade_no"],
            transaction_id=outcome.transaction_id,
        )

    @routes.get("")
    def list_payments() -> ResponseReturnValue:
        with state.transaction() as db:
            rows = db.execute("SELECT * FROM orders ORDER BY created_at, out_trade_no").fetchall()
            return jsonify(payments=[_show_order(db, row, state.now()) for row in rows])

    @routes.get("/<out_trade_no>")
    def show_payment(out_trade_no: str) -> ResponseReturnValue:
        with state.transaction() as db:
            seen = _show_payment(db, out_trade_no, state.now())
        return jsonify(seen) if seen else (jsonify(error="unknown"), 404)

    return routes


def _pay(db: sqlite3.Connection, settings: Settings, now: float, payment: Payment, prepay: sqlite3.Row) -> _Outcome:
    order = orders.find_order(db, prepay["out_trade_no"])
    assert order is not None
    error = _check_call(settings, payment) or _check_payable(db, now, order, prepay)
    if error is not None:
        return _Outcome(error)
    transaction_id = "4200" + "".join(secrets.choice("0123456789") for _ in range(24))
    db.execute(
        "INSERT INTO charges VALUES (?, ?, ?, ?, ?)",
        (transaction_id, order["out_trade_no"], order["openid"], order["amount_fen"], now),
    )
    notifications.schedule(
        db,
        settings,
        now,
        out_trade_no=order["out_trade_no"],
        kind=payment.notify,
        after_seconds=payment.notify_after_seconds,
        genuine_follows=payment.genuine_follows,
    )
    return _Outcome(None, transaction_id)


def _check_call(settings: Settings, payment: Payment) -> str | None:
    if payment.app_id != settings.app_id:
        return "app_id_mismatch"
    if payment.sign_type != "RSA":
        return "sign_type_unsupported"
    if not re.fullmatch(r"\d{10}", payment.time_stamp) or not 1 <= len(payment.nonce_str) <= 32:
        return "arguments_malformed"
    message = signatures.payment_message(payment.app_id, payment.time_stamp, payment.nonce_str, payment.prepay_id)
    return None if signatures.is_signed(settings.merchant_key, message, payment.pay_sign) else "sign_mismatch"


def _check_payable(db: sqlite3.Connection, now: float, order: sqlite3.Row, prepay: sqlite3.Row) -> str | None:
    trade_state = orders.state_of(order, orders.find_charge(db, order["out_trade_no"]), now)
    if trade_state == "SUCCESS":
        return "order_paid"
    if trade_state == "CLOSED":
        return "order_closed"
    return "prepay_expired" if prepay["issued_at"] + orders.PREPAY_LIFETIME_SECONDS <= now else None


def _show_order(db: sqlite3.Connection, order: sqlite3.Row, now: float) -> dict[str, object]:
    parameters = json.loads(order["parameters"])
    charge = orders.find_charge(db, order["out_trade_no"])
    return {
        "out_trade_no": order["out_trade_no"],
        "trade_state": orders.state_of(order, charge, now),
        "amount_fen": order["amount_fen"],
        "openid": order["openid"],
        "description": parameters["description"],
        "attach": parameters["attach"],
        "notify_url": order["notify_url"],
    }


def _show_payment(db: sqlite3.Connection, out_trade_no: str, now: float) -> dict[str, object] | None:
    order = orders.find_order(db, out_trade_no)
    by_order = (out_trade_no,)
    calls = db.execute("SELECT * FROM calls WHERE out_trade_no = ? ORDER BY rowid", by_order).fetchall()
    if order is None and not calls:
        return None
    prepays = db.execute("SELECT prepay_id FROM prepays WHERE out_trade_no = ? ORDER BY rowid", by_order)
    charges = db.execute("SELECT * FROM charges WHERE out_trade_no = ?", by_order)
    shown: dict[str, object] = {"out_trade_no": out_trade_no, "trade_state": None}
    if order is not None:
        shown |= _show_order(db, order, now)
    return shown | {
        "order_calls": sum(row["operation"] == "order" for row in calls),
        "query_calls": sum(row["operation"] == "query" for row in calls),
        "close_calls": sum(row["operation"] == "close" for row in calls),
        "calls": [{**dict(row), "at": as_text(row["at"])} for row in calls],
        "prepay_ids": [row["prepay_id"] for row in prepays],
        "charges": [{**dict(row), "paid_at": as_text(row["paid_at"])} for row in charges],
        "notifications": _show_notifications(db, out_trade_no),
    }


def _show_notifications(db: sqlite3.Connection, out_trade_no: str) -> list[dict[str, object]]:
    rows = db.execute("SELECT * FROM notifications WHERE out_trade_no = ? ORDER BY number", (out_trade_no,)).fetchall()
    deliveries = db.execute(
        "SELECT deliveries.* FROM deliveries JOIN notifications ON notification = number"
        " WHERE out_trade_no = ? ORDER BY deliveries.rowid",
        (out_trade_no,),
    ).fetchall()
    return [
        {
            "id": row["id"],
            "event_type": "TRANSACTION.SUCCESS",
            "kind": row["kind"],
            "state": row["state"],
            "due_at": as_text(row["due_at"]),
            "deliveries": [
                {
                    "attempt": sent["attempt"],
                    "at": as_text(sent["at"]),
                    "status": sent["status"],
                    "answer": sent["answer"],
                }
                for sent in deliveries
                if sent["notification"] == row["number"]
            ],
        }
        for row in rows
    ]
