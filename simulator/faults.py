"""Faults that tests order: the next calls of a path fail, hang, are slow or are cut off."""

import select
import socket
import time
from dataclasses import dataclass
from typing import Literal

from flask import Blueprint, Flask, Response, g, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field

from simulator.state import State

FaultKind = Literal["500", "429", "timeout_after_commit", "slow", "drop", "garbage", "busy"]
# What the platform calls; everything else is for tests.
_OUTSIDE = ("/sns/", "/v3/", "/cgi-bin/", "/realname/")
_DEFAULT_SECONDS = {"slow": 3.0, "timeout_after_commit": 30.0}


class FaultOrder(BaseModel):
    """``path`` is exact, or a prefix when it ends in ``*``; ``seconds`` is how long slow and timeout last."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(pattern=r"^/(sns|v3|cgi-bin|realname)/", max_length=300)
    fault: FaultKind
    times: int = Field(default=1, ge=1, le=10_000)
    seconds: float | None = Field(default=None, gt=0, le=600)


@dataclass(frozen=True)
class Fault:
    """One ordered fault that the current call has drawn."""

    kind: str
    seconds: float


def control_routes(state: State) -> Blueprint:
    """``POST``, ``GET`` and ``DELETE /simulator/faults``."""
    routes = Blueprint("faults", __name__, url_prefix="/simulator/faults")

    @routes.post("")
    def order_fault() -> ResponseReturnValue:
        order = FaultOrder.model_validate(request.get_json())
        seconds = order.seconds or _DEFAULT_SECONDS.get(order.fault, 0.0)
        with state.transaction() as db:
            db.execute(
                "INSERT INTO faults (path, fault, remaining, seconds) VALUES (?, ?, ?, ?)",
                (order.path, order.fault, order.times, seconds),
            )
        return jsonify(path=order.path, fault=order.fault, times=order.times, seconds=seconds), 201

    @routes.get("")
    def list_faults() -> ResponseReturnValue:
        with state.transaction() as db:
            rows = db.execute("SELECT path, fault, remaining, seconds FROM faults WHERE remaining > 0 ORDER BY number")
            return jsonify(faults=[dict(row) for row in rows])

    @routes.delete("")
    def clear_faults() -> ResponseReturnValue:
        with state.transaction() as db:
            db.execute("DELETE FROM faults")
        return "", 204

    return routes


def install(app: Flask, state: State) -> None:
    """Let every call of the outside interfaces draw its fault, if one was ordered."""

    @app.before_request
    def begin_fault() -> ResponseReturnValue | None:
        if not request.path.startswith(_OUTSIDE):
            return None
        fault = g.fault = _take_fault(state, request.path)
        if fault is None:
            return None
        # Read the request first: what arrives later on the socket is then only the caller hanging up.
        request.get_data()
        return _answer_fault(fault)

    @app.after_request
    def end_fault(response: Response) -> Response:
        fault: Fault | None = g.get("fault")
        if fault is not None and fault.kind == "timeout_after_commit":
            wait_for_caller(fault.seconds)
        if fault is not None and fault.kind in {"timeout_after_commit", "drop"}:
            _cut_connection()
        return response


def _answer_fault(fault: Fault) -> ResponseReturnValue | None:
    if fault.kind == "500":
        return jsonify(code="SYSTEM_ERROR", message="系统繁忙，请稍后重试"), 500
    if fault.kind == "429":
        return jsonify(code="FREQUENCY_LIMITED", message="频率超限，请降低请求频率"), 429
    if fault.kind == "garbage":
        return "<html><body>502 Bad Gateway</body></html>", 200, {"Content-Type": "text/html"}
    if fault.kind == "busy":
        return jsonify(errcode=-1, errmsg="system error")
    if fault.kind == "drop":
        return "", 500
    if fault.kind == "slow":
        wait_for_caller(fault.seconds)
    return None


def wait_for_caller(seconds: float) -> None:
    """Say nothing for so long, or until the caller has hung up (then there is nobody left to answer)."""
    connection: socket.socket = request.environ["werkzeug.socket"]
    ends_at = time.monotonic() + seconds
    while (left := ends_at - time.monotonic()) > 0:
        readable, _, _ = select.select([connection], [], [], left)
        if readable:
            return


def _cut_connection() -> None:
    connection: socket.socket = request.environ["werkzeug.socket"]
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The caller was faster; the connection is gone, which is all that was wanted.
        return


def _take_fault(state: State, path: str) -> Fault | None:
    with state.transaction() as db:
        row = db.execute(
            "SELECT number, fault, seconds FROM faults WHERE remaining > 0 AND (path = :path OR"
            " (substr(path, -1) = '*' AND substr(:path, 1, length(path) - 1) = substr(path, 1, length(path) - 1)))"
            " ORDER BY number LIMIT 1",
            {"path": path},
        ).fetchone()
        if row is None:
            return None
        db.execute("UPDATE faults SET remaining = remaining - 1 WHERE number = ?", (row["number"],))
        return Fault(row["fault"], row["seconds"])
