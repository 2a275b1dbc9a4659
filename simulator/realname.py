"""The city's real-name source, as docs/interfaces/realname.md describes it.

It agrees with every well-formed resident ID number and name, unless it was told that the number is somebody else's.
"""

import base64
import hashlib
import hmac
import re
import secrets
from datetime import UTC, datetime
from typing import Literal

import jwt
from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, Field

from simulator.people import is_resident_id
from simulator.settings import Settings
from simulator.state import State

_NAME = re.compile(r"[A-Za-z\u4e00-\u9fff][A-Za-z\u4e00-\u9fff\u00b7 ]{1,49}")
_TOKEN_LIFETIME_SECONDS = 600


class CheckOrder(BaseModel):
    """Does this name belong to this number?"""

    model_config = ConfigDict(extra="forbid")

    request_id: str
    name: str
    certificate_type: str
    number: str


class VerificationOrder(BaseModel):
    """Did the check of this token prove the identity of this fingerprint?"""

    model_config = ConfigDict(extra="forbid")

    request_id: str
    method: Literal["face", "bank"]
    token: str
    salt: str = Field(pattern=r"^[0-9a-f]{32}$")
    identity_digest: str


class NumberOrder(BaseModel):
    """A number that belongs to nobody of the names that will be asked about."""

    model_config = ConfigDict(extra="forbid")

    number: str


class ProofOrder(BaseModel):
    """Somebody stands in front of the camera, or confirms at his bank."""

    model_config = ConfigDict(extra="forbid")

    method: Literal["face", "bank"]
    name: str
    certificate_type: str
    number: str


def outside_routes(settings: Settings, state: State) -> Blueprint:
    """What the source offers to the platform."""
    routes = Blueprint("realname", __name__, url_prefix="/realname/v1")

    @routes.before_request
    def check_signature() -> ResponseReturnValue | None:
        return None if _is_signed(settings) else (jsonify(error="unauthorized"), 401)

    @routes.post("/checks")
    def check() -> ResponseReturnValue:
        order = CheckOrder.model_validate(request.get_json())
        return _answer(order.request_id, _compare(state, order))

    @routes.post("/verifications")
    def verify() -> ResponseReturnValue:
        order = VerificationOrder.model_validate(request.get_json())
        with state.transaction() as db:
            proof = db.execute(
                "DELETE FROM proofs WHERE token = ? AND method = ? RETURNING identity, made_at",
                (order.token, order.method),
            ).fetchone()
        if proof is None or proof["made_at"] < state.now() - _TOKEN_LIFETIME_SECONDS:
            return _answer(order.request_id, "unknown", method=order.method)
        digest = hashlib.sha256(f"{order.salt}\0{proof['identity']}".encode()).hexdigest()
        agrees = hmac.compare_digest(digest.encode(), order.identity_digest.encode())
        return _answer(order.request_id, "agreed" if agrees else "disagreed", method=order.method)

    return routes


def control_routes(state: State) -> Blueprint:
    """``POST`` and ``DELETE /simulator/realname/disagreements`` and ``POST /simulator/realname/proofs``."""
    routes = Blueprint("realname_control", __name__, url_prefix="/simulator/realname")

    @routes.post("/disagreements")
    def disagree() -> ResponseReturnValue:
        order = NumberOrder.model_validate(request.get_json())
        with state.transaction() as db:
            db.execute("INSERT OR IGNORE INTO disagreements VALUES (:number)", order.model_dump())
        return "", 204

    @routes.delete("/disagreements")
    def agree_again() -> ResponseReturnValue:
        with state.transaction() as db:
            db.execute("DELETE FROM disagreements")
        return "", 204

    @routes.post("/proofs")
    def prove() -> ResponseReturnValue:
        order = ProofOrder.model_validate(request.get_json())
        token = secrets.token_urlsafe(24)
        identity = "\0".join((order.certificate_type, order.number, order.name))
        with state.transaction() as db:
            db.execute("INSERT INTO proofs VALUES (?, ?, ?, ?)", (token, order.method, identity, state.now()))
        return jsonify(token=token), 201

    return routes


def _is_signed(settings: Settings) -> bool:
    if settings.realname_key is None:
        return False
    try:
        claims = jwt.decode(
            request.headers.get("Authorization", "").removeprefix("Bearer "),
            settings.realname_key,
            algorithms=["EdDSA"],
            audience=f"http://{request.host}{request.path}",
            issuer=settings.realname_client_id,
            options={"require": ["iss", "aud", "iat", "exp", "jti", "body_sha256"]},
        )
    except jwt.InvalidTokenError:
        return False
    digest = base64.urlsafe_b64encode(hashlib.sha256(request.get_data()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(digest.encode(), str(claims["body_sha256"]).encode())


def _compare(state: State, order: CheckOrder) -> str:
    if order.certificate_type != "01":
        return "not_covered"
    with state.transaction() as db:
        told = db.execute("SELECT 1 FROM disagreements WHERE number = ?", (order.number,)).fetchone()
    agrees = told is None and is_resident_id(order.number) and _NAME.fullmatch(order.name)
    return "agreed" if agrees else "disagreed"


def _answer(request_id: str, result: str, **more: str) -> ResponseReturnValue:
    return jsonify(
        request_id=request_id,
        result=result,
        reference=f"R{secrets.token_hex(12)}",
        checked_at=datetime.now(UTC).isoformat(),
        **more,
    )
