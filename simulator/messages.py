"""WeChat's access token and subscribe messages, and the doors by which tests accept messages and read them."""

import json
import re
import secrets
import sqlite3

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field

from simulator.settings import Settings
from simulator.state import State, as_text
from simulator.wechat import is_known_person

TOKEN_LIFETIME_SECONDS = 7200
# So long before its end a token has a successor, and both are good.
_RENEWAL_SECONDS = 300
_MESSAGES = {
    40001: "invalid credential, access_token is invalid or not latest",
    40003: "invalid openid",
    40013: "invalid appid",
    40037: "invalid template_id",
    40125: "invalid appsecret",
    42001: "access_token expired",
    43101: "user refuse to accept the msg",
    47003: "argument invalid! data.{} value invalid",
}
_TEMPLATE = r"^[0-9A-Za-z_-]{10,64}$"
# What the fields of a template hold.
_FIELDS = {
    "thing": re.compile(r".{1,20}", re.DOTALL),
    "time": re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}"),
    "character_string": re.compile(r"[!-~]{1,32}"),
}


class AcceptOrder(BaseModel):
    """A user taps "allow": that many messages of this template may be sent to him."""

    model_config = ConfigDict(extra="forbid")

    openid: str = Field(max_length=128)
    template_id: str = Field(pattern=_TEMPLATE)
    times: int = Field(default=1, ge=1, le=1000)


def outside_routes(settings: Settings, state: State) -> Blueprint:
    """What WeChat offers to the platform."""
    routes = Blueprint("wechat_messages", __name__, url_prefix="/cgi-bin")

    @routes.post("/stable_token")
    def issue_token() -> ResponseReturnValue:
        """The same token at every call until five minutes before its end."""
        asked = request.get_json()
        if asked.get("appid") != settings.app_id:
            return _error(40013)
        if asked.get("secret") != settings.app_secret:
            return _error(40125)
        with state.transaction() as db:
            now = state.now()
            current = db.execute(
                "SELECT token, expires_at FROM access_tokens WHERE expires_at > ?", (now + _RENEWAL_SECONDS,)
            ).fetchone()
            if current is None:
                current = {"token": secrets.token_urlsafe(96), "expires_at": now + TOKEN_LIFETIME_SECONDS}
                db.execute("INSERT INTO access_tokens VALUES (:token, :expires_at)", current)
        return jsonify(access_token=current["token"], expires_in=int(current["expires_at"] - now))

    @routes.post("/message/subscribe/send")
    def send_message() -> ResponseReturnValue:
        message = request.get_json()
        with state.transaction() as db:
            errcode, field = _check(db, message, state.now())
            if errcode:
                return _error(errcode, field)
            db.execute(
                "INSERT INTO messages (openid, template_id, data, sent_at) VALUES (?, ?, ?, ?)",
                (message["touser"], message["template_id"], json.dumps(message["data"]), state.now()),
            )
        return jsonify(errcode=0, errmsg="ok", msgid=secrets.randbelow(10**18))

    return routes


def control_routes(state: State) -> Blueprint:
    """``POST /simulator/acceptances``, ``GET /simulator/messages`` and ``DELETE /simulator/access-tokens``."""
    routes = Blueprint("messages_control", __name__, url_prefix="/simulator")

    @routes.post("/acceptances")
    def accept_messages() -> ResponseReturnValue:
        order = AcceptOrder.model_validate(request.get_json())
        with state.transaction() as db:
            db.execute(
                "INSERT INTO acceptances VALUES (:openid, :template_id, :times)"
                " ON CONFLICT (openid, template_id) DO UPDATE SET remaining = remaining + :times",
                order.model_dump(),
            )
        return "", 204

    @routes.get("/messages")
    def list_messages() -> ResponseReturnValue:
        with state.transaction() as db:
            rows = db.execute(
                "SELECT template_id, data, sent_at FROM messages WHERE openid = ? ORDER BY number",
                (request.args.get("openid", ""),),
            ).fetchall()
        return jsonify(
            messages=[
                {
                    "template_id": row["template_id"],
                    "data": {name: field["value"] for name, field in json.loads(row["data"]).items()},
                    "sent_at": as_text(row["sent_at"]),
                }
                for row in rows
            ]
        )

    @routes.delete("/access-tokens")
    def end_tokens() -> ResponseReturnValue:
        """Somebody else reset the application's secret, or forced a new token."""
        with state.transaction() as db:
            db.execute("DELETE FROM access_tokens")
        return "", 204

    return routes


def _check(db: sqlite3.Connection, message: dict[str, object], now: float) -> tuple[int, str]:
    token = db.execute(
        "SELECT expires_at FROM access_tokens WHERE token = ?", (request.args.get("access_token", ""),)
    ).fetchone()
    if token is None or token["expires_at"] <= now:
        return (40001 if token is None else 42001), ""
    if not is_known_person(db, str(message.get("touser"))):
        return 40003, ""
    if not re.match(_TEMPLATE, str(message.get("template_id"))):
        return 40037, ""
    data = message.get("data")
    for name, field in data.items() if isinstance(data, dict) else [("", {})]:
        shape = _FIELDS.get(name.rstrip("0123456789"))
        if shape is None or not shape.fullmatch(str(field.get("value", ""))):
            return 47003, name
    accepted = db.execute(
        "UPDATE acceptances SET remaining = remaining - 1 WHERE openid = ? AND template_id = ? AND remaining > 0"
        " RETURNING remaining",
        (message["touser"], message["template_id"]),
    ).fetchone()
    return (0 if accepted else 43101), ""


def _error(errcode: int, field: str = "") -> ResponseReturnValue:
    rid = "-".join((secrets.token_hex(4), secrets.token_hex(4), secrets.token_hex(4)))
    return jsonify(errcode=errcode, errmsg=f"{_MESSAGES[errcode].format(field)} rid: {rid}")
