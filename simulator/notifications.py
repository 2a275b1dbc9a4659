"""Notifications of payments: WeChat's retry schedule, and how they arrive late, twice, forged or never."""

import json
import logging
import sqlite3
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, get_args
from urllib.parse import urlsplit

import requests

from simulator import orders, signatures
from simulator.settings import Settings
from simulator.state import State

NotifyKind = Literal[
    "normal", "duplicate", "lost", "late", "bad_signature", "signtest", "stale", "wrong_serial", "shuffled"
]
FORGED_KINDS = frozenset({"bad_signature", "signtest", "stale", "wrong_serial"})
assert frozenset(get_args(NotifyKind)) >= FORGED_KINDS
RETRY_SECONDS = (15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10_800, 10_800, 10_800, 21_600, 21_600)
LATE_SECONDS = 600
SHUFFLED_SECONDS = 60
_ANSWER_WITHIN_SECONDS = 5
_POLL_SECONDS = 0.1
_STALE_SECONDS = 3600
_OTHER_KEY_ID = "PUB_KEY_ID_0000000000000000000000000000000000"
_log = logging.getLogger(__name__)


def schedule(
    db: sqlite3.Connection,
    settings: Settings,
    now: float,
    *,
    out_trade_no: str,
    kind: NotifyKind,
    after_seconds: float | None,
    genuine_follows: bool,
) -> None:
    """Write down what will be sent for a payment, in the transaction of the payment.

    A forged kind is sent once and never again; with ``genuine_follows`` the genuine one, with the same id, is sent as
    soon as the forged one was answered. ``duplicate`` is the same id twice at the same moment and once more under a
    new id. ``shuffled`` waits until the notification of a later payment was answered.
    """
    body = _build_body(db, settings, now, out_trade_no)
    due_at = now + (after_seconds or 0.0)
    if kind == "lost":
        _insert(db, body, out_trade_no, kind, None)
    elif kind == "late":
        delay = LATE_SECONDS * settings.retry_scale if after_seconds is None else after_seconds
        _insert(db, body, out_trade_no, kind, now + delay)
    elif kind == "shuffled":
        is_first = db.execute("SELECT 1 FROM notifications WHERE kind = 'shuffled' AND attempts = 0").fetchone() is None
        _insert(
            db,
            body,
            out_trade_no,
            kind,
            due_at + (SHUFFLED_SECONDS * settings.retry_scale if is_first else 0.0),
        )
    elif kind == "duplicate":
        again = _build_body(db, settings, now, out_trade_no)
        for copy in (body, body, again):
            _insert(db, copy, out_trade_no, kind, due_at)
    else:
        number = _insert(db, body, out_trade_no, kind, due_at)
        if kind in FORGED_KINDS and genuine_follows:
            _insert(db, body, out_trade_no, "normal", None, waits_for=number)


class Sender:
    """Sends what is due, in the background, from what the state holds: a restart goes on where a kill stopped."""

    def __init__(self, settings: Settings, state: State) -> None:
        self._settings = settings
        self._state = state
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._in_flight: set[int] = set()
        self._in_flight_lock = threading.Lock()
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="notify")
        self._thread = threading.Thread(target=self._run, name="notifications", daemon=True)

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def wake(self) -> None:
        """Something new may be due."""
        self._wake.set()

    def stop(self) -> None:
        """Finish what is on its way (five seconds at most for each), start nothing new."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            for row in self._claim_due():
                self._pool.submit(self._deliver, row)
            self._wake.wait(_POLL_SECONDS)
            self._wake.clear()

    def _claim_due(self) -> list[sqlite3.Row]:
        # Both under one lock: a delivery that ends in between must not be seen as due and no longer in flight.
        with self._in_flight_lock:
            with self._state.transaction() as db:
                due = db.execute(
                    "SELECT notifications.*, orders.notify_url FROM notifications JOIN orders USING (out_trade_no)"
                    " WHERE due_at <= ? ORDER BY due_at, number",
                    (self._state.now(),),
                ).fetchall()
            claimed = [row for row in due if row["number"] not in self._in_flight]
            self._in_flight.update(row["number"] for row in claimed)
        return claimed

    def _deliver(self, row: sqlite3.Row) -> None:
        try:
            sent_at = self._state.now()
            status, answer = self._post(row)
            with self._state.transaction() as db:
                _record_delivery(
                    db, self._settings, row, sent_at=sent_at, now=self._state.now(), status=status, answer=answer
                )
        except Exception:
            # A pool swallows exceptions; without this line a broken delivery would leave no trace at all.
            _log.exception("notification %s was not recorded and will be sent again", row["id"])
        finally:
            with self._in_flight_lock:
                self._in_flight.discard(row["number"])
            self.wake()

    def _post(self, row: sqlite3.Row) -> tuple[int | None, str]:
        if urlsplit(row["notify_url"]).hostname not in orders.LOOPBACK_HOSTS:
            return None, "not sent: the simulator only talks to this machine"
        try:
            with requests.Session() as session:
                # No proxy from the environment: the receiver is on this machine.
                session.trust_env = False
                reply = session.post(
                    row["notify_url"],
                    data=row["body"],
                    headers=self._headers(row["kind"], row["body"]),
                    timeout=_ANSWER_WITHIN_SECONDS,
                    allow_redirects=False,
                )
                return reply.status_code, reply.text[:500]
        except requests.RequestException as error:
            return None, type(error).__name__

    def _headers(self, kind: str, body: bytes) -> dict[str, str]:
        timestamp = str(int(time.time()) - (_STALE_SECONDS if kind == "stale" else 0))
        nonce = signatures.new_nonce()
        signed_body = body + b" " if kind == "bad_signature" else body
        signature = signatures.sign(
            self._settings.platform_key, signatures.reply_message(timestamp, nonce, signed_body)
        )
        return {
            "Content-Type": "application/json",
            "User-Agent": "Mozilla/4.0",
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": f"WECHATPAY/SIGNTEST/{signature}" if kind == "signtest" else signature,
            "Wechatpay-Signature-Type": signatures.SCHEME,
            "Wechatpay-Serial": _OTHER_KEY_ID if kind == "wrong_serial" else self._settings.platform_key_id,
        }


def _build_body(db: sqlite3.Connection, settings: Settings, now: float, out_trade_no: str) -> bytes:
    order, charge = orders.find_order(db, out_trade_no), orders.find_charge(db, out_trade_no)
    assert order is not None
    plaintext = json.dumps(orders.show_transaction(order, charge, now), ensure_ascii=False).encode()
    notification = {
        "id": str(uuid.uuid4()),
        "create_time": orders.city_time(now),
        "resource_type": "encrypt-resource",
        "event_type": "TRANSACTION.SUCCESS",
        "summary": "支付成功",
        "resource": {
            "original_type": "transaction",
            **signatures.seal_resource(settings.apiv3_key, plaintext, "transaction"),
        },
    }
    return json.dumps(notification, ensure_ascii=False).encode()


def _insert(
    db: sqlite3.Connection,
    body: bytes,
    out_trade_no: str,
    kind: str,
    due_at: float | None,
    *,
    waits_for: int | None = None,
) -> int:
    cursor = db.execute(
        "INSERT INTO notifications (id, out_trade_no, kind, body, state, due_at, waits_for)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            json.loads(body)["id"],
            out_trade_no,
            kind,
            body,
            "lost" if kind == "lost" else "pending",
            due_at,
            waits_for,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _record_delivery(
    db: sqlite3.Connection,
    settings: Settings,
    row: sqlite3.Row,
    *,
    sent_at: float,
    now: float,
    status: int | None,
    answer: str,
) -> None:
    attempt = row["attempts"] + 1
    due_at = None
    if status in {200, 204}:
        state = "delivered"
    elif row["kind"] in FORGED_KINDS:
        state = "refused"
    elif attempt > len(RETRY_SECONDS):
        state = "given_up"
    else:
        state, due_at = "pending", now + RETRY_SECONDS[attempt - 1] * settings.retry_scale
    number = row["number"]
    db.execute("INSERT INTO deliveries VALUES (?, ?, ?, ?, ?)", (number, attempt, sent_at, status, answer))
    db.execute(
        "UPDATE notifications SET state = ?, attempts = ?, due_at = ? WHERE number = ?",
        (state, attempt, due_at, number),
    )
    db.execute("UPDATE notifications SET due_at = ? WHERE waits_for = ? AND state = 'pending'", (now, number))
    db.execute(
        "UPDATE notifications SET due_at = ? WHERE kind = 'shuffled' AND attempts = 0 AND due_at > ? AND number < ?",
        (now, now, number),
    )
