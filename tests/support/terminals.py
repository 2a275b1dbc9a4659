"""A terminal with a key of its own, as a kiosk program has one."""

import base64
import hashlib
import json
import secrets
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from jwt.algorithms import ECAlgorithm, OKPAlgorithm
from werkzeug.test import TestResponse

from accounts.service import terminal_keys, terminals
from core import clock, db
from core.actor import SYSTEM
from tests.support.city import City, Hospital, Staff, bearer

ENROL, SCAN = "/api/v1/terminals/enrol", "/api/v1/desk/scans"


def hashed(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


class Terminal:
    """Makes proofs as RFC 9449 wants them; every claim and header can be spoiled."""

    def __init__(self, city: City, algorithm: str = "ES256") -> None:
        self.city, self.algorithm = city, algorithm
        # An address of its own: tries of other tests do not count against it.
        self.address = f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{secrets.randbelow(256)}"
        if algorithm == "ES256":
            self.key: Any = ec.generate_private_key(ec.SECP256R1())
            self.jwk = json.loads(ECAlgorithm.to_jwk(self.key.public_key()))
        else:
            self.key = ed25519.Ed25519PrivateKey.generate()
            self.jwk = json.loads(OKPAlgorithm.to_jwk(self.key.public_key()))

    def prove(self, path: str, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """A proof for a POST to this path, with ``changes`` to its claims (None leaves one out)."""
        claims = {
            "htm": "POST",
            "htu": f"{self.city.config.base_url}{path}",
            "iat": int(clock.now().timestamp()),
            "jti": secrets.token_urlsafe(16),
        } | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        shown = {"typ": "dpop+jwt", "jwk": self.jwk} | (headers or {})
        return jwt.encode(claims, self.key, algorithm=self.algorithm, headers=shown)

    def enrol(self, code: str, proof: str | None = None, **changes: Any) -> TestResponse:
        """Bring the public key with an enrolment code."""
        body = {"code": code, "public_jwk": self.jwk | {"alg": self.algorithm} | changes}
        return self.city.client.post(
            ENROL,
            json=body,
            headers={"DPoP": proof or self.prove(ENROL)},
            environ_base={"REMOTE_ADDR": self.address},
        )

    def enrol_as(self, hospital: Hospital) -> "Terminal":
        """Become the hospital's terminal."""
        reply = self.enrol(enrolment_code(hospital))
        assert reply.status_code == 201, reply.text
        return self

    def scan(
        self, staff: Staff, hospital: Hospital, code: str, proof: str | None = None, **changes: Any
    ) -> TestResponse:
        """Scan with a good proof, a spoiled one (``changes``), or the one given ('' sends none)."""
        bound = {"ath": hashed(staff.token), "code_hash": hashed(code)}
        sent = self.prove(SCAN, **(bound | changes)) if proof is None else proof
        body = {"code": code, "medical_step": "010101", "department": "0300", "terminal": hospital.terminal}
        headers = bearer(staff.token) | ({"DPoP": sent} if sent else {})
        return self.city.client.post(SCAN, json=body, headers=headers)


def terminal_id_of(hospital: Hospital) -> Any:
    with db.snapshot() as session:
        return terminals.list_terminal_files(session, hospital.id)[0].id


def enrolment_code(hospital: Hospital) -> str:
    """A fresh one for the hospital's first terminal."""
    terminal_id = terminal_id_of(hospital)
    with db.transaction() as session:
        return terminal_keys.issue_enrolment_code(session, SYSTEM, terminal_id).text
