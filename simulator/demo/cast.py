"""Who plays: a patient's phone, staff at their desks, a hospital's systems."""

import secrets
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from pydicom.dataset import Dataset

from simulator.control import Control
from simulator.demo.documents import stow_body
from simulator.demo.stage import PATIENCE_SECONDS, NotAsExpected, Stage
from simulator.people import SyntheticPerson

# Every phone of the story has it; a real person picks his own.
PIN = "483920"

CLIENT_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Phone:
    """A patient's phone with the mini-program."""

    stage: Stage
    control: Control
    wx_code: str
    access_token: str = ""
    refresh_token: str = ""

    def sign_in(self) -> None:
        """wx.login, then our own tokens."""
        tokens = self.stage.send("POST", "/api/v1/wechat/sessions", json={"code": self.wx_code}, expect=201).json()
        self.access_token, self.refresh_token = tokens["access_token"], tokens["refresh_token"]

    def get(self, path: str, **request: Any) -> Any:
        """Read something of one's own."""
        return self.stage.send("GET", path, token=self.access_token, expect=200, **request).json()

    def post(self, path: str, body: dict[str, Any], *, expect: int | tuple[int, ...], **request: Any) -> Any:
        """Do something."""
        return self.stage.send("POST", path, token=self.access_token, json=body, expect=expect, **request).json()

    def set_pin(self) -> None:
        """Six digits that confirm; the same ones again change nothing."""
        body = {"pin": PIN, "old_pin": PIN}
        self.stage.send("PUT", "/api/v1/code-pin", token=self.access_token, json=body, expect=204)

    def register(self, person: SyntheticPerson, *, expect: int | tuple[int, ...]) -> dict[str, Any]:
        """Real-name registration."""
        body = {
            "certificate_type": "01",
            "certificate_number": person.certificate_number,
            "name": person.name,
            "phone": person.phone,
        }
        registered: dict[str, Any] = self.post("/api/v1/registrations", body, expect=expect)
        return registered

    def show_code(self, card_id: str, kind: str = "dynamic") -> str:
        """The text of a fresh code."""
        text: str = self.post(f"/api/v1/cards/{card_id}/codes", {"kind": kind}, expect=201)["text"]
        return text

    def show_confirmed_code(self, card_id: str) -> str:
        """The text of a code that is made with the PIN."""
        self.set_pin()
        body = {"kind": "confirmed", "pin": PIN}
        text: str = self.post(f"/api/v1/cards/{card_id}/codes", body, expect=201)["text"]
        return text


@dataclass
class Staff:
    """A signed-in staff member."""

    stage: Stage
    hospital: dict[str, Any]
    token: str

    @classmethod
    def sign_in(cls, stage: Stage, credentials: dict[str, Any], hospital: dict[str, Any], role: str) -> "Staff":
        """Sign in as the first member of this role at the hospital."""
        member = next(m for m in credentials["staff"] if m["role"] == role and m["hospital"] == hospital["name"])
        body = {"username": member["username"], "password": member["password"]}
        token = stage.send("POST", "/api/v1/staff/sessions", json=body, expect=201).json()["token"]
        return cls(stage, hospital, token)

    @classmethod
    def sign_in_to_platform(cls, stage: Stage, credentials: dict[str, Any], role: str) -> "Staff":
        """Sign in as the member of this role who works for no hospital."""
        return cls.sign_in(stage, credentials, {"name": None}, role)

    def scan_body(self, code: str, terminal: str = "W01", **more: str) -> dict[str, str]:
        """What the desk posts when the scanner has typed a code."""
        return {"code": code, "medical_step": "010101", "department": "0300", "terminal": terminal, **more}

    def scan(self, code: str, **more: str) -> dict[str, Any]:
        """Scan a code that must be accepted."""
        body = self.scan_body(code, **more)
        found: dict[str, Any] = self.stage.send(
            "POST", "/api/v1/desk/scans", token=self.token, json=body, expect=201
        ).json()
        return found

    def scan_refused(self, code: str, *, refusal: str, status: int, **more: str) -> None:
        """Scan a code that must be refused."""
        body = self.scan_body(code, **more)
        self.stage.refused("POST", "/api/v1/desk/scans", token=self.token, json=body, code=refusal, expect=status)


@dataclass
class HospitalSystems:
    """HIS, LIS, PACS and billing of one hospital: one machine client."""

    stage: Stage
    hospital: dict[str, Any]
    token: str = ""

    def sign_in(self) -> None:
        """OAuth 2 client credentials with private_key_jwt."""
        self.token = self.stage.send("POST", "/oauth/token", data=self._form, expect=200).json()["access_token"]

    def _form(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_assertion_type": CLIENT_ASSERTION_TYPE,
            "client_assertion": self.assertion(),
        }

    def assertion(self) -> str:
        """A fresh client assertion (RFC 7523)."""
        private, now = self.hospital["private_jwk"], int(time.time())
        claims = {
            "iss": self.hospital["client_id"],
            "sub": self.hospital["client_id"],
            "aud": f"{self.stage.base_url}/oauth/token",
            "iat": now,
            "exp": now + 240,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(claims, jwt.PyJWK(private).key, algorithm=private["alg"], headers={"kid": private["kid"]})

    def send_images(self, images: Sequence[Dataset]) -> None:
        """Store all of a study by DICOMweb, in one request."""
        content, content_type = stow_body(images)
        headers = {"Content-Type": content_type, "Accept": "application/dicom+json"}
        self.stage.send("POST", "/dicomweb/studies", token=self.token, data=content, headers=headers, expect=200)

    def send_hl7(self, message: str) -> str:
        """Send one message over MLLP and return the acknowledgement; tried again while the listener restarts."""
        gives_up_at = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._exchange(message)
            except OSError as error:
                if time.monotonic() > gives_up_at:
                    raise NotAsExpected("the MLLP port does not answer") from error
                time.sleep(0.3)

    def _exchange(self, message: str) -> str:
        address = (self.hospital["mllp_host"], self.hospital["mllp_port"])
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(b"\x0b" + message.encode() + b"\x1c\x0d")
            received = b""
            while not received.endswith(b"\x1c\x0d"):
                more = connection.recv(65536)
                if not more:
                    raise ConnectionError("closed before the acknowledgement")
                received += more
        return received.strip(b"\x0b\x1c\x0d").decode()


def new_phone(stage: Stage, control: Control) -> Phone:
    """A phone that was never here before."""
    wx_code = f"demo-{secrets.token_urlsafe(12)}"
    control.register_phone(wx_code, f"o{secrets.token_urlsafe(20)[:27]}")
    return Phone(stage, control, wx_code)
