"""Hospitals whose own system verifies codes: a visit as from a scan at a desk, told of once; nothing without a code."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from accounts.models import Hospital as HospitalRow
from consent.models import Grant
from core import db
from core.audit import AuditEntry
from health_card.notices.models import Notice
from health_card.showings.models import CardUse
from records.visits.models import Visit, VisitStep
from tests.conftest import SteppingClock
from tests.health_card.tencent.conftest import House, count
from tests.support.city import City, Patient, bearer
from tests.support.terminals import Terminal


@pytest.fixture
def house(city: City) -> House:
    return House(city)


def verify(house: House, code: str, **changes: Any) -> dict[str, Any]:
    return house.system.ask("verifyQRCode", house.verification(code, **changes))


def notices(patient: Patient) -> list[tuple[str, str | None]]:
    with db.snapshot() as session:
        told = session.scalars(select(Notice).filter_by(person_id=patient.person_id).order_by(Notice.id)).all()
    return [(each.kind, each.object_kind) for each in told]


def steps_of(visit_id: str) -> list[VisitStep]:
    with db.snapshot() as session:
        return list(session.scalars(select(VisitStep).filter_by(visit_id=UUID(visit_id)).order_by(VisitStep.id)))


def test_a_verified_code_opens_a_visit_and_its_grant_and_the_person_is_told_once(house: House) -> None:
    patient, doctor = house.city.patient(), house.city.staff(house.hospital)
    code = house.city.code(patient)
    first, again = verify(house, code), verify(house, code)
    assert first == again
    (step,) = steps_of(first["visitId"])
    with db.snapshot() as session:
        visit = session.get_one(Visit, step.visit_id)
        acts = session.scalars(select(AuditEntry).filter_by(subject_id=patient.person_id, object_id=visit.id)).all()
    assert (visit.kind, visit.department, visit.opened_by, step.staff_id) == ("O", "0300", None, None)
    assert (step.code_class, step.client_id) == ("D", visit.opened_by_client_id)
    assert [(act.action, act.actor_kind, act.actor_id) for act in acts] == [
        ("records.visit.opened", "machine", visit.opened_by_client_id)
    ]
    assert notices(patient) == [("identified", "visit")]
    assert count(Grant, visit_id=visit.id, hospital_id=house.hospital.id) == 1
    chart = house.city.client.get(f"/api/v1/visits/{visit.id}/timeline", headers=bearer(doctor.token))
    assert chart.status_code == 200
    reply = house.city.client.post(f"/api/v1/visits/{visit.id}/not-me", headers=bearer(patient.token))
    assert reply.status_code == 200
    chart = house.city.client.get(f"/api/v1/visits/{visit.id}/timeline", headers=bearer(doctor.token))
    assert chart.status_code == 403


@pytest.mark.parametrize(("treating", "asked"), [("never", 0), ("ask", 1)])
def test_a_verified_code_opens_no_more_than_the_standing_policy(house: House, treating: str, asked: int) -> None:
    patient, client = house.city.patient(), house.city.client
    read = client.get("/api/v1/sharing-policy", headers=bearer(patient.token)).json
    chosen = {"treating": treating, "version": 0, "notice_hash": read["notice"]["hash"]}
    assert client.put("/api/v1/sharing-policy", json=chosen, headers=bearer(patient.token)).status_code == 200
    visit_id = UUID(verify(house, house.city.code(patient))["visitId"])
    assert count(Grant, visit_id=visit_id) == 0
    waiting = client.get("/api/v1/access-requests?state=requested", headers=bearer(patient.token)).json["requests"]
    assert [each["visit_id"] for each in waiting] == [str(visit_id)] * asked


def test_desk_and_system_continue_the_same_visit(house: House, stepping_clock: SteppingClock) -> None:
    house.system.sign_in()
    city, patient = house.city, house.city.patient()
    registrar = city.staff(house.hospital)
    at_desk = city.visit(registrar, patient, house.hospital)
    stepping_clock.forward(minutes=5)
    dispensed = verify(house, city.code(patient), medicalStep="010103", department="0301")
    assert dispensed["visitId"] == str(at_desk)
    stepping_clock.forward(minutes=5)
    assert city.visit(registrar, patient, house.hospital, medical_step="010105") == at_desk
    assert [(step.medical_step, step.staff_id is None) for step in steps_of(str(at_desk))] == [
        ("010101", False), ("010103", True), ("010105", False),
    ]  # fmt: skip
    with db.snapshot() as session:
        (grant,) = session.scalars(select(Grant).filter_by(visit_id=at_desk)).all()
    assert grant.version == 3
    elsewhere = House(city, "市第二测试医院")
    assert verify(elsewhere, city.code(patient))["visitId"] != str(at_desk)


def test_a_static_code_with_the_document_opens_a_visit_that_shares_nothing(house: House) -> None:
    patient = house.city.patient()
    found = verify(house, house.city.code(patient, "static"), idCard=patient.certificate_number)
    assert [step.code_class for step in steps_of(found["visitId"])] == ["S"]
    assert notices(patient) == [("identified", "visit")]
    assert count(Grant, person_id=patient.person_id) == 0


def test_without_a_department_the_person_is_only_identified(house: House) -> None:
    patient = house.city.patient()
    assert verify(house, house.city.code(patient), department=None)["visitId"] == ""
    assert (count(Visit, person_id=patient.person_id), notices(patient)) == (0, [("identified", "card")])


def test_what_a_hospital_only_reports_opens_continues_and_closes_nothing(house: House) -> None:
    patient = house.city.patient()
    for scene in ("0101012", "0101051", "0101053", "010109"):
        house.system.ask("reportHISData", house.use(qrCodeText=house.city.code(patient), scene=scene))
    assert (count(Visit, person_id=patient.person_id), count(Grant, person_id=patient.person_id)) == (0, 0)
    visit_id = verify(house, house.city.code(patient))["visitId"]
    house.system.ask("reportHISData", house.use(qrCodeText=house.city.code(patient), scene="0101053"))
    with db.snapshot() as session:
        assert session.get_one(Visit, UUID(visit_id)).closed_at is None
    assert len(steps_of(visit_id)) == 1


def test_a_department_that_cannot_be_uses_no_code_up(house: House) -> None:
    code = house.city.code(house.city.patient())
    refused = house.system.refused("verifyQRCode", house.verification(code, department="9999"))
    assert refused == (2212, "records.department_unknown")
    assert (count(Visit, hospital_id=house.hospital.id), count(CardUse, hospital_id=house.hospital.id)) == (0, 0)
    assert verify(house, code)["visitId"]


def test_a_terminal_that_proves_itself_is_not_borrowed_by_this_interface(house: House) -> None:
    code = house.city.code(house.city.patient())
    with db.transaction() as session:
        session.get_one(HospitalRow, house.hospital.id).requires_terminal_keys = True
    refused = house.system.refused("verifyQRCode", house.verification(code))
    assert refused == (2211, "accounts.terminal_key_missing")
    Terminal(house.city).enrol_as(house.hospital)
    refused = house.system.refused("verifyQRCode", house.verification(code))
    assert refused == (2210, "accounts.terminal_proof_missing")
    assert count(CardUse, hospital_id=house.hospital.id) == 0
