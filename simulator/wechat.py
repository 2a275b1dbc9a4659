"""WeChat's login for mini-programs: ``GET /sns/jscode2session``, and the doors by which tests make login codes."""

import base64
import hmac
import re
import secrets
import sqlite3
from typing import Annotated

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from simulator.faults import wait_for_caller
from simulator.settings import Settings
from simulator.state import State

CODE_LIFETIME_SECONDS = 300
_SLOW_SECONDS = 15.0
_TROUBLE = re.compile(r"trouble-(-1|40029|40226|45011|slow|500|garbage)")
_MESSAGES = {
    -1: "system error",
    40002: "invalid grant_type",
    40013: "invalid appid",
    40029: "invalid code",
    40125: "invalid appsecret",
    40226: "code blocked",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    45011: "api minute-quota reach limit  mustslower  retry next minute",
}
_OPENID = r"^[0-9A-Za-z_-]{6,128}$"


class CodeOrder(BaseModel):
    """A user opens the mini-program and ``wx.login`` gives it a code."""

    model_config = ConfigDict(extra="forbid")

    openid: str = Field(pattern=_OPENID)
    unionid: str | None = Field(default=None, pattern=_OPENID)


def _check_phone_code(value: str) -> str:
    if value.startswith("trouble-"):
        raise ValueError("codes that begin with trouble- always answer an error")
    return value


class PhoneOrder(CodeOrder):
    """A phone of the demo: its ``wx_code`` can be used any number of times and always means the same user."""

    wx_code: Annotated[str, Field(pattern=_OPENID), AfterValidator(_check_phone_code)]


def outside_routes(settings: Settings, state: State) -> Blueprint:
    """What WeChat offers to the platform."""
    routes = Blueprint("wechat", __name__)

    @routes.get("/sns/jscode2session")
    def exchange_code() -> ResponseReturnValue:
        """code2Session: HTTP 200 always; ``errcode`` says what went wrong, success has none."""
        errcode = _check_application(settings)
        if errcode is not None:
            return _error(errcode)
        code = request.args["js_code"]
        trouble = _TROUBLE.match(code)
        if trouble is not None:
            return _make_trouble(trouble[1])
        with state.transaction() as db:
            person = _redeem_code(db, code, state.now())
            if person is None:
                return _error(40029)
            if _is_over_quota(db, person["openid"], state.now(), settings.logins_per_minute):
                return _error(45011)
        answer = {
            "openid": person["openid"],
            "session_key": base64.b64encode(secrets.token_bytes(16)).decode(),
        }
        if person["unionid"] is not None:
            answer["unionid"] = person["unionid"]
        return jsonify(answer)

    return routes


def control_routes(state: State) -> Blueprint:
    """``POST /simulator/codes`` and ``POST /simulator/phones``."""
    routes = Blueprint("wechat_control", __name__, url_prefix="/simulator")

    @routes.post("/codes")
    def mint_code() -> ResponseReturnValue:
        order = CodeOrder.model_validate(request.get_json())
        code = secrets.token_urlsafe(24)
        with state.transaction() as db:
            _meet_person(db, order)
            db.execute(
                "INSERT INTO codes (code, openid, minted_at) VALUES (?, ?, ?)",
                (code, order.openid, state.now()),
            )
        return jsonify(code=code, openid=order.openid, expires_in=CODE_LIFETIME_SECONDS), 201

    @routes.post("/phones")
    def register_phone() -> ResponseReturnValue:
        order = PhoneOrder.model_validate(request.get_json())
        with state.transaction() as db:
            _meet_person(db, order)
            db.execute("INSERT OR IGNORE INTO phones (wx_code, openid) VALUES (?, ?)", (order.wx_code, order.openid))
            owner = db.execute("SELECT openid FROM phones WHERE wx_code = ?", (order.wx_code,)).fetchone()
        if owner["openid"] != order.openid:
            return jsonify(error="wx_code_belongs_to_another_openid"), 409
        return jsonify(wx_code=order.wx_code, openid=order.openid), 201

    return routes


def is_known_person(db: sqlite3.Connection, openid: str) -> bool:
    """Whether this openid was ever given to a user of our mini-program; WeChat Pay refuses all others."""
    return db.execute("SELECT 1 FROM people WHERE openid = ?", (openid,)).fetchone() is not None


def _check_application(settings: Settings) -> int | None:
    query = request.args
    for name, errcode in (("appid", 41002), ("secret", 41004), ("js_code", 41008)):
        if not query.get(name):
            return errcode
    if query.get("grant_type") != "authorization_code":
        return 40002
    if query["appid"] != settings.app_id:
        return 40013
    if not hmac.compare_digest(query["secret"].encode(), settings.app_secret.encode()):
        return 40125
    return None


def _redeem_code(db: sqlite3.Connection, code: str, now: float) -> sqlite3.Row | None:
    used = db.execute(
        "UPDATE codes SET used_at = ? WHERE code = ? AND used_at IS NULL AND minted_at > ? RETURNING openid",
        (now, code, now - CODE_LIFETIME_SECONDS),
    ).fetchone()
    phone = used or db.execute("SELECT openid FROM phones WHERE wx_code = ?", (code,)).fetchone()
    if phone is None:
        return None
    person: sqlite3.Row = db.execute(
        "SELECT openid, unionid FROM people WHERE openid = ?", (phone["openid"],)
    ).fetchone()
    return person


def _is_over_quota(db: sqlite3.Connection, openid: str, now: float, limit: int) -> bool:
    db.execute("DELETE FROM logins WHERE at <= ?", (now - 60,))
    (count,) = db.execute("SELECT count(*) FROM logins WHERE openid = ?", (openid,)).fetchone()
    if count >= limit:
        return True
    db.execute("INSERT INTO logins (openid, at) VALUES (?, ?)", (openid, now))
    return False


def _meet_person(db: sqlite3.Connection, order: CodeOrder) -> None:
    db.execute(
        "INSERT INTO people (openid, unionid) VALUES (?, ?)"
        " ON CONFLICT (openid) DO UPDATE SET unionid = coalesce(excluded.unionid, unionid)",
        (order.openid, order.unionid),
    )


def _make_trouble(trouble: str) -> ResponseReturnValue:
    if trouble == "500":
        return "Internal Server Error", 500, {"Content-Type": "text/plain"}
    if trouble == "garbage":
        return "<html><body>502 Bad Gateway</body></html>", 200, {"Content-Type": "text/html"}
    if trouble == "slow":
        wait_for_caller(_SLOW_SECONDS)
        return _error(-1)
    return _error(int(trouble))


def _error(errcode: int) -> ResponseReturnValue:
    rid = "-".join((secrets.token_hex(4), secrets.token_hex(4), secrets.token_hex(4)))
    return jsonify(errcode=errcode, errmsg=f"{_MESSAGES[errcode]}, rid: {rid}")
