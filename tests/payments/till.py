"""Speaks for the patient, the hospital's billing and WeChat Pay in the tests of payments."""

import base64
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from werkzeug.test import TestResponse

from accounts import service as accounts
from accounts.models import Role
from core import db
from core.actor import SYSTEM
from payments import service
from payments.models import Repayment
from payments.service import ProductTerms
from payments.wechatpay import SCHEME, reply_message
from tests.support.city import City, Hospital, Machine, Patient, Staff, bearer

AGREEMENT_VERSION = "2026-1"
PIN = "483920"


@dataclass(frozen=True)
class Till:
    """A patient with a visit at a hospital whose billing system charges, and the patient's line."""

    city: City
    hospital: Hospital
    desk: Staff
    billing: Machine
    patient: Patient
    visit_id: UUID
    product_code: str
    line_id: UUID

    @classmethod
    def open(cls, city: City, *, limit_fen: int = 300_000, **visit: Any) -> "Till":
        """Everything made, the patient signed up."""
        hospital, patient = city.hospital(), city.patient()
        desk, billing = city.staff(hospital, Role.REGISTRAR), city.machine(hospital, ["billing.write"], "收费系统")
        visit_id = city.visit(desk, patient, hospital, **visit)
        product_code = make_product(city, limit_fen=limit_fen)
        reply = sign_up(city, patient, product_code)
        assert reply.status_code == 201, reply.text
        line_id = UUID(reply.json["line_id"])
        return cls(city, hospital, desk, billing, patient, visit_id, product_code, line_id)

    def capture(self, amount_fen: object = 1000, *, key: str | None = None, **changes: Any) -> TestResponse:
        """The billing system charges a bill."""
        body = {
            "visit_id": str(self.visit_id),
            "amount_fen": amount_fen,
            "medical_step": "010102",
            "bill_number": f"B{secrets.token_hex(8)}",
        }
        headers = bearer(self.billing.token) | {"Idempotency-Key": key or new_key()}
        return self.city.client.post("/api/v1/billing/charges", json=body | changes, headers=headers)

    def repay(self, amount_fen: object, *, key: str | None = None) -> TestResponse:
        """The patient decides to repay."""
        headers = bearer(self.patient.token) | {"Idempotency-Key": key or new_key()}
        return self.city.client.post(
            f"/api/v1/credit/lines/{self.line_id}/repayments", json={"amount_fen": amount_fen}, headers=headers
        )

    def get(self, path: str) -> TestResponse:
        """The patient's phone asks."""
        return self.city.client.get(f"/api/v1/credit{path}", headers=bearer(self.patient.token))

    def line(self) -> dict[str, Any]:
        """The line as the patient sees it."""
        (line,) = self.get("/lines").json["lines"]
        shown: dict[str, Any] = line
        return shown

    def openid(self) -> str:
        """The patient's openid."""
        with db.transaction() as session:
            return accounts.get_openid(session, self.patient.actor.id)

    def open_order(self, amount_fen: int) -> Repayment:
        """A repayment that WeChat Pay has taken, without WeChat Pay."""
        reply = self.repay(amount_fen)
        assert reply.status_code == 201, reply.text
        repayment_id = UUID(reply.json["repayment_id"])
        with db.transaction() as session:
            service.begin_order(session, repayment_id)
            service.record_order(session, SYSTEM, repayment_id=repayment_id, prepay_id=f"wx{secrets.token_hex(12)}")
        return self.repayment(repayment_id)

    def repayment(self, repayment_id: UUID) -> Repayment:
        """The row as it stands."""
        with db.transaction() as session:
            return session.get_one(Repayment, repayment_id)

    def transaction_of(self, repayment: Repayment, **changes: Any) -> dict[str, Any]:
        """What WeChat Pay would say of the paid order."""
        return {
            "mchid": self.city.config.wechatpay_merchant_id,
            "appid": self.city.config.wechat_app_id,
            "out_trade_no": repayment.out_trade_no,
            "trade_state": "SUCCESS",
            "transaction_id": f"4200{repayment.out_trade_no[-20:]}",
            "amount": {"total": repayment.amount_fen, "currency": "CNY"},
            "payer": {"openid": self.openid()},
        } | changes

    def post(self, signed: "Signed") -> TestResponse:
        """A notification arrives."""
        return self.city.client.post("/notify/wechatpay", data=signed.body, headers=signed.headers)


@dataclass(frozen=True)
class Signed:
    """A notification on its way."""

    headers: dict[str, str]
    body: bytes


class Notifier:
    """WeChat Pay's half of the keys: signs and seals notifications, also wrong ones."""

    def __init__(self, environment: dict[str, str]) -> None:
        key = load_pem_private_key(environment["SIMULATOR_WECHATPAY_PRIVATE_KEY"].encode(), None)
        assert isinstance(key, RSAPrivateKey)
        self._key = key
        self._apiv3_key = environment["WECHATPAY_APIV3_KEY"].encode()
        self._key_id = environment["WECHATPAY_PUBLIC_KEY_ID"]

    def tell(self, transaction: dict[str, Any], *, event_type: str = "TRANSACTION.SUCCESS", **changes: str) -> Signed:
        """A genuine notification of a transaction; ``changes``: id, apiv3_key."""
        nonce = secrets.token_hex(6)
        apiv3_key = changes["apiv3_key"].encode() if "apiv3_key" in changes else self._apiv3_key
        sealed = AESGCM(apiv3_key).encrypt(nonce.encode(), json.dumps(transaction).encode(), b"transaction")
        body = {
            "id": changes.get("id") or secrets.token_hex(16),
            "event_type": event_type,
            "resource_type": "encrypt-resource",
            "resource": {
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(sealed).decode(),
                "associated_data": "transaction",
                "nonce": nonce,
            },
        }
        return self.sign(json.dumps(body).encode())

    def sign(self, body: bytes, *, at: float | None = None) -> Signed:
        """Headers over these bytes."""
        timestamp, nonce = str(int(at or time.time())), secrets.token_hex(16)
        signature = self._key.sign(reply_message(timestamp, nonce, body), PKCS1v15(), SHA256())
        headers = {
            "Content-Type": "application/json",
            "Wechatpay-Timestamp": timestamp,
            "Wechatpay-Nonce": nonce,
            "Wechatpay-Signature": base64.b64encode(signature).decode(),
            "Wechatpay-Signature-Type": SCHEME,
            "Wechatpay-Serial": self._key_id,
        }
        return Signed(headers, body)


def new_key() -> str:
    return secrets.token_hex(12)


def make_product(city: City, *, limit_fen: int = 300_000, version: str = AGREEMENT_VERSION) -> str:
    """A product of its own; returns its code."""
    code = f"P{secrets.token_hex(6)}"
    terms = ProductTerms(
        name="信用就医(测试)",
        provider="测试银行",
        limit_fen=limit_fen,
        interest_free_days=56,
        statement_day=1,
        due_day=20,
        agreement_version=version,
        agreement_text="测试协议",
    )
    with db.transaction() as session:
        service.create_product(session, SYSTEM, code=code, terms=terms)
    return code


def sign_up(city: City, patient: Patient, product_code: str, version: str = AGREEMENT_VERSION) -> TestResponse:
    """With the patient's PIN, which is set when there is none yet."""
    city.client.put("/api/v1/code-pin", json={"pin": PIN, "old_pin": PIN}, headers=bearer(patient.token))
    body = {"product_code": product_code, "agreement_version": version, "pin": PIN}
    return city.client.post("/api/v1/credit/lines", json=body, headers=bearer(patient.token))


def findings() -> list[str]:
    """The rules that the ledger breaks."""
    with db.snapshot() as session:
        return [finding.rule for finding in service.verify_ledger(session)]
