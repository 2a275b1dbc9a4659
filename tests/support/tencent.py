"""A hospital system that speaks the older interface, written from docs/interfaces/tencent.md alone."""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core import clock

TOKEN = "/rest/auth/HealthCard/HealthOpenAuth/AuthObj/getAppToken"
OPERATION = "/rest/auth/HealthCard/HealthOpenPlatform/ISVOpenObj/"


def sign(values: dict[str, Any], secret: str) -> str:
    """Drop null and empty, sort by name, join, append the secret, SHA-256, Base64. Objects as sorted JSON text."""
    kept = {name: value for name, value in values.items() if value is not None and value != ""}
    pairs = "&".join(f"{name}={_text(kept[name])}" for name in sorted(kept, key=str.encode))
    return base64.b64encode(hashlib.sha256((pairs + secret).encode()).digest()).decode()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@dataclass
class HospitalSystem:
    """Signs what it sends; ``token`` is its newest."""

    client: FlaskClient
    app_id: str
    app_secret: str
    hospital_id: str
    token: str = ""

    def sign_in(self) -> dict[str, Any]:
        """Get a token."""
        reply = self.post(TOKEN, self.envelope({"appId": self.app_id}, appToken=""))
        answer: dict[str, Any] = reply.get_json()
        assert answer["commonOut"]["resultCode"] == 0, answer
        self.token = answer["rsp"]["appToken"]
        return answer

    def envelope(self, req: dict[str, Any], **common: Any) -> dict[str, Any]:
        """A signed request; ``common`` replaces what stands in commonIn (a given sign is not made anew)."""
        common_in = {
            "appToken": self.token,
            "requestId": secrets.token_hex(16).upper(),
            "hospitalId": self.hospital_id,
            "timestamp": str(int(clock.now().timestamp())),
            "channelNum": 0,
        } | common
        common_in.setdefault("sign", sign(common_in | req, self.app_secret))
        return {"commonIn": common_in, "req": req}

    def post(self, path: str, body: Any, **options: Any) -> TestResponse:
        """Send a body as it is, or as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
        return self.client.post(path, data=data, content_type="application/json;charset=utf-8", **options)

    def call(self, operation: str, req: dict[str, Any], **common: Any) -> dict[str, Any]:
        """Call an operation; the answer whole."""
        reply = self.post(OPERATION + operation, self.envelope(req, **common))
        assert reply.status_code == 200, reply.text
        answer: dict[str, Any] = reply.get_json()
        return answer

    def ask(self, operation: str, req: dict[str, Any]) -> dict[str, Any]:
        """Call an operation that must succeed; its ``rsp``."""
        answer = self.call(operation, req)
        assert answer["commonOut"]["resultCode"] == 0, answer
        rsp: dict[str, Any] = answer["rsp"]
        return rsp

    def refused(self, operation: str, req: dict[str, Any], **common: Any) -> tuple[int, str]:
        """Call an operation that must be refused: resultCode, and our code at the end of errMsg."""
        return outcome(self.call(operation, req, **common))


def outcome(answer: dict[str, Any]) -> tuple[int, str]:
    """resultCode, and our code at the end of errMsg."""
    common_out = answer["commonOut"]
    return common_out["resultCode"], common_out["errMsg"].rpartition("[")[2].rstrip("]")
