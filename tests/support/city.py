"""A small city for tests, made through the same services as the real one. Everything in it is new each time."""

import itertools
import json
import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from flask import Flask
from flask.testing import FlaskClient
from jwt.algorithms import ECAlgorithm
from pydicom import Dataset
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from accounts import service as accounts
from accounts.models import Role
from accounts.wechat import WechatIdentity
from core import clock, db
from core.actor import SYSTEM, Actor, ActorKind
from core.config import Config
from core.ids import new_id
from health_card import service as health_card
from health_card.certificates import CertificateType, check_certificate, check_character
from records.timeline import service as timeline
from records.timeline.service import Placement
from tests.support import dicom

ALL_SCOPES = [
    "system/*.write",
    "system/Patient.write",
    "app_tokens.introspect",
    "system/*.read",
    "dicomweb.write",
    "billing.write",
    "quarantine.read",
    "patient_numbers.write",
    "code_mappings.write",
    "access_questions.write",
    "quarantine.write",
]


_ORDERS, _DRAWN = itertools.count(), set[str]()


def resident_id(born: str = "19850412", sex: str = "male") -> str:
    """A well-formed resident ID number of nobody (no area begins with 99), another each time.

    Tests that commit leave their persons behind, and nobody may meet them by chance, nor look like them: two numbers
    of one check character never differ by one digit alone, nor by two neighbours that changed places. Those of one
    test differ in their last four places, which is what people are shown.
    """
    order = next(_ORDERS) % 500 * 2 + (sex == "male")
    while True:
        first_17 = f"99{secrets.randbelow(10_000):04d}{born}{order:03d}"
        number = f"{first_17}4"
        if check_character(first_17) == "4" and number not in _DRAWN:
            _DRAWN.add(number)
            return number


@dataclass(frozen=True)
class Hospital:
    id: UUID
    code: str
    terminal: str


@dataclass(frozen=True)
class Staff:
    id: UUID
    username: str
    password: str
    token: str
    actor: Actor


@dataclass(frozen=True)
class Machine:
    id: UUID
    client_id: str
    private_jwk: dict[str, Any]
    token: str
    actor: Actor


@dataclass(frozen=True)
class Patient:
    token: str
    refresh_token: str
    actor: Actor
    person_id: UUID
    card_id: UUID
    card_number: str
    certificate_number: str
    name: str
    phone: str


class City:
    """Makes hospitals, staff, machines and patients, and speaks for them."""

    def __init__(self, app: Flask, config: Config) -> None:
        self.app = app
        self.config = config

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    def hospital(self, name: str = "市第一测试医院") -> Hospital:
        """A hospital with one enrolled terminal."""
        code, terminal = f"H{secrets.token_hex(6).upper()}", "W01"
        with db.transaction() as session:
            hospital_id = accounts.register_hospital(session, SYSTEM, code=code, name=name, level=3)
            accounts.enrol_terminal(session, SYSTEM, hospital_id=hospital_id, code=terminal, kind="01")
        return Hospital(hospital_id, code, terminal)

    def staff(self, hospital: Hospital | None, role: Role = Role.DOCTOR, name: str = "测试医生甲") -> Staff:
        """A signed-in staff member."""
        username, password = f"u{secrets.token_hex(6)}", secrets.token_urlsafe(12)
        hospital_id = hospital.id if hospital else None
        with db.transaction() as session:
            staff_id = accounts.hire_staff(
                session,
                SYSTEM,
                hospital_id=hospital_id,
                username=username,
                name=name,
                role=role,
                password=password,
                employee_number=username,
            )
            token = accounts.sign_in_staff(session, username=username, password=password).token
            actor = self._actor(session, token)
        return Staff(staff_id, username, password, token, actor)

    def machine(self, hospital: Hospital, scopes: list[str] | None = None, name: str = "检验系统") -> Machine:
        """A registered and signed-in hospital system."""
        client_id, kid = f"{hospital.code}-{secrets.token_hex(4)}", secrets.token_hex(8)
        private = json.loads(ECAlgorithm.to_jwk(generate_private_key(SECP256R1())))
        private |= {"kid": kid, "alg": "ES256", "use": "sig"}
        public = {key: value for key, value in private.items() if key != "d"}
        with db.transaction() as session:
            machine_id = accounts.register_client(
                session,
                SYSTEM,
                hospital_id=hospital.id,
                client_id=client_id,
                name=name,
                jwks={"keys": [public]},
                scopes=scopes if scopes is not None else ALL_SCOPES,
            )
            token, _ = accounts.issue_machine_token(
                session,
                assertion=self.assertion(client_id, private),
                scope=None,
                issuer=self.config.base_url,
                token_url=f"{self.config.base_url}/oauth/token",
            )
            actor = self._actor(session, token.text)
        return Machine(machine_id, client_id, private, token.text, actor)

    def assertion(self, client_id: str, private_jwk: dict[str, Any], **changes: Any) -> str:
        """A client assertion as RFC 7523 wants it, with ``changes`` to its claims (None leaves one out)."""
        now = int(clock.now().timestamp())
        claims = {
            "iss": client_id,
            "sub": client_id,
            "aud": f"{self.config.base_url}/oauth/token",
            "iat": now,
            "exp": now + 300,
            "jti": secrets.token_urlsafe(16),
        } | changes
        claims = {name: value for name, value in claims.items() if value is not None}
        key = jwt.PyJWK(private_jwk)
        return jwt.encode(claims, key.key, algorithm=private_jwk["alg"], headers={"kid": private_jwk["kid"]})

    def login(self) -> tuple[str, str]:
        """A WeChat account that just signed in: access and refresh token."""
        with db.transaction() as session:
            return self._sign_in(session)

    def patient(self, name: str = "张测试", phone: str = "13800000001") -> Patient:
        """A signed-in, registered patient with a card."""
        number = resident_id()
        with db.transaction() as session:
            token, refresh_token = self._sign_in(session)
            actor = self._actor(session, token)
            done = health_card.register_person(
                session,
                actor,
                details=health_card.Details(
                    name=name, phone=phone, certificate=check_certificate(CertificateType.RESIDENT_ID, number)
                ),
            )
        return Patient(token, refresh_token, actor, done.person_id, done.card.id, done.card.number, number, name, phone)

    def actor(self, token: str) -> Actor:
        """Who a token belongs to."""
        with db.transaction() as session:
            return self._actor(session, token)

    def _sign_in(self, session: Session) -> tuple[str, str]:
        identity = WechatIdentity(self.config.wechat_app_id, f"o{secrets.token_urlsafe(20)}", None)
        pair = accounts.sign_in_login(session, identity, issuer=self.config.base_url)
        return pair.access.text, pair.refresh_token

    def _actor(self, session: Session, token: str) -> Actor:
        return accounts.identify_bearer(session, token, issuer=self.config.base_url)

    def code(self, patient: Patient, kind: str = "dynamic") -> str:
        """A fresh code on the patient's phone."""
        with db.transaction() as session:
            shown = health_card.issue_code(
                session, patient.actor, card_id=patient.card_id, kind=kind, issuer=self.config.issuer_code
            )
        return shown.text

    def scan(self, staff: Staff, code: str, hospital: Hospital, **changes: Any) -> TestResponse:
        """The desk posts a code."""
        body = {"code": code, "medical_step": "010101", "department": "0300", "terminal": hospital.terminal}
        return self.client.post("/api/v1/desk/scans", json=body | changes, headers=bearer(staff.token))

    def visit(self, staff: Staff, patient: Patient, hospital: Hospital, **changes: Any) -> UUID:
        """The patient is checked in with a dynamic code; returns the visit's id."""
        reply = self.scan(staff, self.code(patient), hospital, **changes)
        assert reply.status_code == 201, reply.get_data(as_text=True)
        return UUID(reply.get_json()["visit_id"])

    def bind_number(self, hospital: Hospital, patient: Patient, number: str) -> None:
        """The hospital knows the patient under its own number."""
        with db.transaction() as session:
            machine = Actor(ActorKind.MACHINE, SYSTEM.id, frozenset(), hospital_id=hospital.id)
            health_card.bind_patient_number(session, machine, person_id=patient.person_id, number=number)

    def store(self, machine: Machine, *images: Dataset, study: str | None = None) -> TestResponse:
        """The hospital's PACS sends images by STOW-RS."""
        return self.client.post(
            f"/dicomweb/studies/{study}" if study else "/dicomweb/studies",
            data=dicom.multipart(dicom.to_bytes(image) for image in images),
            content_type=dicom.CONTENT_TYPE,
            headers=bearer(machine.token),
        )

    def place_report(self, patient: Patient, hospital: Hospital, title: str = "血常规") -> UUID:
        """A line on the patient's timeline, as an intake places it; returns the report's id."""
        report_id = new_id()
        placement = Placement(
            person_id=patient.person_id,
            hospital_id=hospital.id,
            visit_id=None,
            object_kind="report",
            object_id=report_id,
            category="laboratory",
            title=title,
            status="final",
            occurred_at=clock.now(),
        )
        with db.transaction() as session:
            timeline.place_entry(session, placement)
        return report_id


def bearer(token: str) -> dict[str, str]:
    """The Authorization header."""
    return {"Authorization": f"Bearer {token}"}
