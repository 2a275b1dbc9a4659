"""A phone makes codes by itself, with a key that the platform certified."""

import base64
import json
import secrets
import struct
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from werkzeug.test import TestResponse

from core import clock
from health_card.codes import LONGEST
from tests.conftest import SteppingClock
from tests.support.city import City, Hospital, Patient, Staff, bearer
from tests.support.code_vectors import DEVICE_CODE, encode

PIN = "483920"


@dataclass
class Phone:
    """A phone as the interface's description tells one to make it."""

    city: City
    patient: Patient
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    certified: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/api/v1/cards/{self.patient.card_id}/devices"

    def certify(self, pin: str = PIN) -> TestResponse:
        body = {"public_key": encode(self.key.public_key().public_bytes_raw()), "pin": pin}
        reply = self.city.client.post(self.path, json=body, headers=bearer(self.patient.token))
        if reply.status_code == 201:
            self.certified = json.loads(reply.text)
        return reply

    def code(self) -> str:
        """Made without asking anybody."""
        certificate = base64.urlsafe_b64decode(self.certified["certificate"] + "==")
        card, issuer = self.certified["card_number"], self.certified["issuer"]
        moment = struct.pack(">I12s", int(clock.now().timestamp()), secrets.token_bytes(12))
        head = b"\x02D" + certificate + moment
        signature = self.key.sign(DEVICE_CODE + head + f"{card}:{issuer}".encode())
        return f"{card}:0:{encode(head + signature)}:{issuer}"

    def revoke(self, device_id: object, patient: Patient | None = None) -> TestResponse:
        headers = bearer((patient or self.patient).token)
        return self.city.client.delete(f"{self.path}/{device_id}", headers=headers)


@dataclass
class Desk:
    city: City
    hospital: Hospital
    staff: Staff

    def scan(self, code: str) -> tuple[int, str | None]:
        reply = self.city.scan(self.staff, code, self.hospital)
        return reply.status_code, reply.json.get("code")


@pytest.fixture
def desk(city: City) -> Desk:
    hospital = city.hospital()
    return Desk(city, hospital, city.staff(hospital))


@pytest.fixture
def phone(city: City) -> Phone:
    return make_phone(city)


def make_phone(city: City) -> Phone:
    patient = city.patient()
    city.client.put("/api/v1/code-pin", json={"pin": PIN}, headers=bearer(patient.token))
    made = Phone(city, patient)
    assert made.certify().status_code == 201
    return made


def test_a_phone_makes_codes_that_are_accepted_once(desk: Desk, phone: Phone) -> None:
    first, second = phone.code(), phone.code()
    assert len(first) <= LONGEST
    assert desk.scan(first) == (201, None)
    assert desk.scan(second) == (201, None)
    elsewhere = Desk(desk.city, desk.city.hospital(), desk.staff)
    other = Desk(desk.city, elsewhere.hospital, desk.city.staff(elsewhere.hospital))
    assert other.scan(first) == (409, "health_card.code_redeemed")


def test_the_certificate_ends_after_72_hours_and_is_renewed(
    desk: Desk, phone: Phone, stepping_clock: SteppingClock
) -> None:
    phone.certify()
    ends = datetime.fromisoformat(phone.certified["expires_at"])
    assert (ends - stepping_clock.time.replace(microsecond=0)).total_seconds() == 72 * 3600
    stepping_clock.time = ends.replace(microsecond=0)
    assert desk_after_a_night(desk).scan(phone.code()) == (410, "health_card.code_expired")
    first = phone.certified["device_id"]
    phone.patient = sign_in_again(phone)
    assert phone.certify().json["device_id"] == first
    assert desk_after_a_night(desk).scan(phone.code()) == (201, None)


def desk_after_a_night(desk: Desk) -> Desk:
    return Desk(desk.city, desk.hospital, desk.city.staff(desk.hospital))


def sign_in_again(phone: Phone) -> Patient:
    tokens = phone.city.client.post("/api/v1/sessions/refresh", json={"refresh_token": phone.patient.refresh_token})
    return replace(phone.patient, token=tokens.json["access_token"])


def test_a_revoked_phone_is_dead_at_once_and_the_others_go_on(desk: Desk, phone: Phone) -> None:
    other = Phone(phone.city, phone.patient)
    other.certify()
    code = phone.code()
    assert phone.revoke(phone.certified["device_id"]).status_code == 204
    assert phone.revoke(phone.certified["device_id"]).status_code == 204
    assert desk.scan(code) == (410, "health_card.code_revoked")
    assert desk.scan(other.code()) == (201, None)
    spent = phone.certify()
    assert (spent.status_code, spent.json["code"]) == (409, "health_card.device_key_spent")


def test_ending_all_codes_ends_every_phones_too(desk: Desk, phone: Phone) -> None:
    code, path = phone.code(), f"/api/v1/cards/{phone.patient.card_id}/codes/revoke"
    phone.city.client.post(path, headers=bearer(phone.patient.token))
    assert desk.scan(code) == (410, "health_card.code_revoked")
    assert desk.scan(phone.code()) == (410, "health_card.code_revoked")
    phone.certify()
    assert desk.scan(phone.code()) == (201, None)


def test_two_phones_may_pick_the_same_nonce(desk: Desk, phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    other = make_phone(phone.city)
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    assert desk.scan(phone.code()) == (201, None)
    assert desk.scan(other.code()) == (201, None)


def test_certifying_needs_the_pin_and_ones_own_card(phone: Phone) -> None:
    other = make_phone(phone.city)
    wrong = Phone(phone.city, phone.patient).certify("112233")
    assert (wrong.status_code, wrong.json["code"]) == (422, "health_card.pin_wrong")
    body = {"public_key": encode(bytes(range(32))), "pin": PIN}
    foreign = phone.city.client.post(other.path, json=body, headers=bearer(phone.patient.token))
    assert (foreign.status_code, foreign.json["code"]) == (404, "health_card.card_not_found")
    spare_bits = body["public_key"][:-1] + chr(ord(body["public_key"][-1]) + 1)
    for public_key in ("", "AAAA", encode(bytes(31)), encode(bytes(33)), spare_bits):
        refused = phone.city.client.post(
            phone.path, json=body | {"public_key": public_key}, headers=bearer(phone.patient.token)
        )
        assert (refused.status_code, refused.json["code"]) == (422, "core.malformed_request"), public_key


def test_phones_are_listed_and_ended_by_their_holder_only(phone: Phone) -> None:
    listed = phone.city.client.get(phone.path, headers=bearer(phone.patient.token)).json["devices"]
    assert [device["device_id"] for device in listed] == [phone.certified["device_id"]]
    stranger = make_phone(phone.city)
    assert phone.revoke(phone.certified["device_id"], stranger.patient).json["code"] == "health_card.card_not_found"
    unknown = phone.revoke(stranger.certified["device_id"])
    assert (unknown.status_code, unknown.json["code"]) == (404, "health_card.device_not_found")
    assert UUID(phone.certified["device_id"])
