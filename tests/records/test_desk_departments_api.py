"""A desk chooses among its hospital's own departments, or, where there are none, from the national list."""

from uuid import UUID

from accounts.service import branches
from core import db
from core.actor import SYSTEM
from records.visits.models import Visit
from tests.health_card.tencent.conftest import House, count
from tests.support.city import City, Hospital


def add(hospital: Hospital, code: str, *, branch_id: UUID | None = None) -> UUID:
    with db.transaction() as session:
        return branches.add_department(session, SYSTEM, hospital.id, branch_id=branch_id, code=code, name="心内科")


def switch_off(hospital: Hospital, department_id: UUID) -> None:
    with db.transaction() as session:
        branches.change_department(session, SYSTEM, hospital.id, department_id, name="心内科", is_enabled=False)


def test_a_hospital_with_departments_of_its_own_has_no_others(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    staff = city.staff(hospital)
    with db.transaction() as session:
        east = branches.add_branch(session, SYSTEM, hospital.id, code="E", name="东院区", address="")
    own, closed = add(hospital, "0304", branch_id=east), add(hospital, "0300")
    switch_off(hospital, closed)
    code = city.code(patient)
    refused = city.scan(staff, code, hospital, department="0300")
    assert (refused.status_code, refused.json["code"]) == (422, "accounts.department_not_here")
    assert refused.json["departments"] == ["0304"]
    unknown = city.scan(staff, code, hospital, department="9999")
    assert (unknown.status_code, unknown.json["code"]) == (422, "accounts.department_not_here")
    assert count(Visit, hospital_id=hospital.id) == 0
    assert city.scan(staff, code, hospital, department="0304").status_code == 201
    # Another house is not concerned, and a house that has switched off its last one is as one without.
    other = city.hospital("市第二测试医院")
    assert city.scan(city.staff(other), city.code(patient), other, department="0300").status_code == 201
    switch_off(hospital, own)
    assert city.scan(staff, city.code(patient), hospital, department="0300").status_code == 201


def test_departments_of_a_branch_that_is_switched_off_are_not_offered(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    with db.transaction() as session:
        east = branches.add_branch(session, SYSTEM, hospital.id, code="E", name="东院区", address="")
    add(hospital, "0304", branch_id=east)
    add(hospital, "0400")
    with db.transaction() as session:
        branches.change_branch(session, SYSTEM, hospital.id, east, name="东院区", address="", is_enabled=False)
    refused = city.scan(city.staff(hospital), city.code(patient), hospital, department="0304")
    assert (refused.json["code"], refused.json["departments"]) == ("accounts.department_not_here", ["0400"])


def test_a_hospitals_own_system_is_held_to_them_too(city: City) -> None:
    house = House(city)
    add(house.hospital, "0304")
    code = city.code(city.patient())
    refused = house.system.refused("verifyQRCode", house.verification(code))
    assert refused == (2213, "accounts.department_not_here")
    assert house.system.ask("verifyQRCode", house.verification(code, department="0304"))["visitId"]
