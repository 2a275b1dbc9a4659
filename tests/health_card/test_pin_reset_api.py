"""A forgotten PIN: cleared at a desk that has seen the document, and set anew on the phone."""

from typing import Any

import pytest
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from accounts.models import Role
from core import db
from core.audit import AuditEntry
from health_card.confirmation.models import CodePin
from health_card.models import Holder
from health_card.notices.models import Notice
from tests.conftest import SteppingClock
from tests.support.city import City, Patient, bearer
from tests.support.desks import Desk, refused

PIN, NEW_PIN = "483920", "759103"


def put_pin(city: City, token: str, pin: str) -> TestResponse:
    return city.client.put("/api/v1/code-pin", json={"pin": pin}, headers=bearer(token))


def make_code(city: City, patient: Patient, pin: str) -> TestResponse:
    path = f"/api/v1/cards/{patient.card_id}/codes"
    return city.client.post(path, json={"kind": "confirmed", "pin": pin}, headers=bearer(patient.token))


def pins(patient: Patient) -> int:
    with db.transaction() as session:
        return session.query(CodePin).filter_by(login_id=patient.actor.id).count()


def told(patient: Patient) -> list[tuple[str, Any]]:
    with db.transaction() as session:
        mine = select(Notice.kind, Notice.hospital_id).filter_by(person_id=patient.person_id)
        return [(kind, hospital_id) for kind, hospital_id in session.execute(mine)]


@pytest.fixture(scope="module")
def desk_of_module(module_city: City) -> Desk:
    return Desk(module_city)


@pytest.fixture
def desk(desk_of_module: Desk, city: City) -> Desk:
    return desk_of_module


@pytest.fixture(scope="module")
def patient_of_module(module_city: City) -> Patient:
    city = module_city
    made = city.patient()
    assert put_pin(city, made.token, PIN).status_code == 204
    return made


@pytest.fixture
def patient(patient_of_module: Patient, city: City) -> Patient:
    return patient_of_module


def test_the_phone_sets_a_new_pin_without_the_old_one(city: City, desk: Desk, patient: Patient) -> None:
    assert refused(put_pin(city, patient.token, NEW_PIN)) == (409, "health_card.old_pin_missing")
    reply = desk.post(f"{desk.open(patient)}/pin-reset")
    assert (reply.status_code, reply.json) == (200, {"pins_cleared": 1})
    assert refused(make_code(city, patient, PIN)) == (409, "health_card.pin_not_set")
    assert put_pin(city, patient.token, NEW_PIN).status_code == 204
    assert make_code(city, patient, NEW_PIN).status_code == 201
    assert told(patient) == [("pin_reset", desk.hospital.id)]
    shown = city.client.get("/api/v1/notices", headers=bearer(patient.token)).json["notices"][0]
    assert (shown["title"], "市第一测试医院" in shown["body"]) == ("您的确认密码已清除", True)
    with db.transaction() as session:
        act = session.scalars(select(AuditEntry).filter_by(action="health_card.pin.cleared")).one()
    assert (act.subject_id, act.actor_id, act.hospital_id, act.object_id) == (
        patient.person_id,
        desk.staff.id,
        desk.hospital.id,
        patient.actor.id,
    )


def test_a_lock_is_over_too(city: City, desk: Desk, patient: Patient, stepping_clock: SteppingClock) -> None:
    for _ in range(5):
        make_code(city, patient, "112233")
    assert refused(make_code(city, patient, PIN)) == (429, "health_card.pin_locked")
    desk.post(f"{desk.open(patient)}/pin-reset")
    put_pin(city, patient.token, NEW_PIN)
    assert make_code(city, patient, NEW_PIN).status_code == 201


def test_not_before_the_document_was_seen(desk: Desk, patient: Patient) -> None:
    path = desk.open(patient, is_document_seen=False)
    assert refused(desk.post(f"{path}/pin-reset")) == (409, "health_card.document_not_seen")
    assert (pins(patient), told(patient)) == (1, [])


def test_only_within_the_hospitals_own_look_up(city: City, desk: Desk, patient: Patient) -> None:
    path = desk.open(patient)
    elsewhere = Desk(city, "市第二测试医院")
    assert refused(elsewhere.post(f"{path}/pin-reset")) == (404, "health_card.look_up_not_found")
    doctor = Desk(city, "市第三测试医院", Role.DOCTOR)
    assert refused(doctor.post(f"{path}/pin-reset")) == (403, "core.permission_missing")
    assert (pins(patient), told(patient)) == (1, [])


@pytest.mark.parametrize("changes", [{"relation": "parent"}, {"confirmed_at": None}])
def test_the_pin_of_a_phone_that_is_not_the_persons_own_stays(
    city: City, desk: Desk, patient: Patient, changes: dict[str, str | None]
) -> None:
    with db.transaction() as session:
        session.execute(update(Holder).where(Holder.login_id == patient.actor.id).values(changes))
    assert desk.post(f"{desk.open(patient)}/pin-reset").json == {"pins_cleared": 0}
    assert (pins(patient), told(patient)) == (1, [])


def test_every_phone_of_his_own_is_freed_and_nobody_elses(city: City, desk: Desk, patient: Patient) -> None:
    other = city.patient()
    put_pin(city, other.token, PIN)
    second, _ = city.login()
    body = {"certificate_type": "01", "certificate_number": patient.certificate_number, "name": patient.name}
    city.client.post("/api/v1/registrations", json=body | {"phone": patient.phone}, headers=bearer(second))
    waiting = Holder.login_id == city.actor(second).id
    with db.transaction() as session:
        first = select(Holder.confirmed_at).where(Holder.login_id == patient.actor.id).scalar_subquery()
        session.execute(update(Holder).where(waiting).values(confirmed_at=first))
    put_pin(city, second, PIN)
    assert desk.post(f"{desk.open(patient)}/pin-reset").json == {"pins_cleared": 2}
    assert make_code(city, other, PIN).status_code == 201
    assert desk.post(f"{desk.open(patient)}/pin-reset").json == {"pins_cleared": 0}
    assert [kind for kind, _ in told(patient)].count("pin_reset") == 1
