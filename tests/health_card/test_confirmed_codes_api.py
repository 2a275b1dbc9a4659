"""Codes that the patient confirms with a PIN, and the PIN itself."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from core import db
from core.audit import AuditEntry
from core.ids import new_id
from health_card.confirmation.models import CodePin
from tests.conftest import SteppingClock
from tests.support.city import City, Patient, bearer

PIN, OTHER_PIN = "483920", "759103"


def put_pin(city: City, patient: Patient, pin: str, **more: str) -> TestResponse:
    return city.client.put("/api/v1/code-pin", json={"pin": pin} | more, headers=bearer(patient.token))


def make(city: City, patient: Patient, **body: Any) -> TestResponse:
    path = f"/api/v1/cards/{patient.card_id}/codes"
    return city.client.post(path, json=body, headers=bearer(patient.token))


def problem(reply: TestResponse) -> tuple[int, str]:
    return reply.status_code, str(reply.json["code"])


def count_acts(action: str, patient: Patient) -> int:
    with db.transaction() as session:
        mine = select(func.count(AuditEntry.id)).filter_by(action=action, actor_id=patient.actor.id)
        return session.scalar(mine) or 0


@pytest.fixture
def patient(city: City) -> Patient:
    made = city.patient()
    assert put_pin(city, made, PIN).status_code == 204
    return made


def test_a_confirmed_code_identifies_at_a_desk(city: City, patient: Patient) -> None:
    hospital = city.hospital()
    staff = city.staff(hospital)
    made = make(city, patient, kind="confirmed", pin=PIN)
    assert made.status_code == 201
    seen = city.scan(staff, made.json["text"], hospital)
    assert seen.status_code == 201
    assert seen.json["access_until"]
    with db.transaction() as session:
        scanned = select(AuditEntry.facts).filter_by(action="health_card.code.scanned", subject_id=patient.person_id)
        assert session.scalars(scanned).one() == {"kind": "C"}


def test_no_code_is_confirmed_without_the_pin(city: City, patient: Patient) -> None:
    assert problem(make(city, patient, kind="confirmed", pin=OTHER_PIN)) == (422, "health_card.pin_wrong")
    assert problem(make(city, patient, kind="confirmed")) == (422, "core.malformed_request")
    assert problem(make(city, patient, kind="dynamic", pin=PIN)) == (422, "core.malformed_request")
    assert problem(make(city, city.patient(), kind="confirmed", pin=PIN)) == (409, "health_card.pin_not_set")
    assert count_acts("health_card.code.shown", patient) == 0


def test_a_payment_code_names_a_hospital_and_an_amount(city: City, patient: Patient) -> None:
    payment = {"kind": "payment", "pin": PIN, "payee_id": str(city.hospital().id), "amount_fen": 100}
    assert make(city, patient, **payment).status_code == 201
    for changed in ({"amount_fen": None}, {"payee_id": None}, {"pin": None}, {"amount_fen": 0}, {"amount_fen": "1"}):
        assert problem(make(city, patient, **payment | changed)) == (422, "core.malformed_request")
    unknown = make(city, patient, **payment | {"payee_id": str(new_id())})
    assert problem(unknown) == (422, "health_card.payee_unknown")


def test_the_pin_is_changed_with_the_old_one_only(city: City, patient: Patient) -> None:
    assert problem(put_pin(city, patient, OTHER_PIN)) == (409, "health_card.old_pin_missing")
    assert problem(put_pin(city, patient, OTHER_PIN, old_pin="112233")) == (422, "health_card.pin_wrong")
    assert make(city, patient, kind="confirmed", pin=PIN).status_code == 201
    assert put_pin(city, patient, OTHER_PIN, old_pin=PIN).status_code == 204
    assert problem(make(city, patient, kind="confirmed", pin=PIN)) == (422, "health_card.pin_wrong")
    assert make(city, patient, kind="confirmed", pin=OTHER_PIN).status_code == 201


@pytest.mark.parametrize("simple", ["000000", "123456", "987654", "567890"])
def test_what_everybody_tries_first_is_no_pin(city: City, patient: Patient, simple: str) -> None:
    assert problem(put_pin(city, patient, simple, old_pin=PIN)) == (422, "health_card.pin_too_simple")


def test_five_wrong_tries_in_a_row_lock_the_pin_for_a_quarter_of_an_hour(
    city: City, patient: Patient, stepping_clock: SteppingClock
) -> None:
    for left in (4, 3, 2, 1, 0):
        refused = make(city, patient, kind="confirmed", pin="112233")
        assert (problem(refused), refused.json["tries_left"]) == ((422, "health_card.pin_wrong"), left)
    locked = make(city, patient, kind="confirmed", pin=PIN)
    assert problem(locked) == (429, "health_card.pin_locked")
    assert locked.headers["Retry-After"] == "900"
    assert count_acts("health_card.pin.refused", patient) == 5
    stepping_clock.forward(minutes=15)
    tokens = city.client.post("/api/v1/sessions/refresh", json={"refresh_token": patient.refresh_token})
    patient = replace(patient, token=tokens.json["access_token"])
    assert make(city, patient, kind="confirmed", pin=PIN).status_code == 201


def test_a_right_pin_makes_earlier_wrong_tries_forgotten(city: City, patient: Patient) -> None:
    for _ in range(3):
        for _ in range(4):
            make(city, patient, kind="confirmed", pin="112233")
        assert make(city, patient, kind="confirmed", pin=PIN).status_code == 201


def test_the_pin_itself_is_not_kept(city: City, patient: Patient) -> None:
    with db.transaction() as session:
        kept = session.get_one(CodePin, patient.actor.id).pin_hash
    assert kept.startswith(("scrypt", "pbkdf2"))
    assert PIN not in kept.split("$")


def test_40_wrong_tries_at_once_are_five(committing_city: City) -> None:
    city, patient = committing_city, committing_city.patient()
    put_pin(city, patient, PIN)
    with ThreadPoolExecutor(8) as pool:
        tries = [pool.submit(make, city, patient, kind="confirmed", pin=f"1122{number:02d}") for number in range(40)]
        found = [problem(each.result()) for each in tries]
    assert sorted(found) == [(422, "health_card.pin_wrong")] * 5 + [(429, "health_card.pin_locked")] * 35
