"""Where somebody of a hospital works: one of its own departments, known at every request, and dated."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from accounts.models import Role
from accounts.service.postings import find_departments
from core import db
from tests.conftest import SteppingClock
from tests.support.administration import Desk, code_of
from tests.support.browsing import Browser
from tests.support.city import City, Hospital


@pytest.fixture
def hospital(city: City) -> Hospital:
    return city.hospital()


@pytest.fixture
def operator(city: City) -> Desk:
    return Desk(city, Role.OPERATOR)


def post(operator: Desk, staff_id: object, department: str | None) -> Any:
    return operator.ask("PUT", f"/staff/{staff_id}/department", department=department)


def test_a_posting_is_known_from_the_next_request_on(city: City, operator: Desk, hospital: Hospital) -> None:
    doctor = city.staff(hospital)
    assert city.actor(doctor.token).department is None
    assert post(operator, doctor.id, "0304").status_code == 204
    assert city.actor(doctor.token).department == "0304"
    (shown,) = operator.ask("GET", f"/hospitals/{hospital.id}/staff").json["staff"]
    assert shown["department"] == "0304"
    assert post(operator, doctor.id, None).status_code == 204
    assert city.actor(doctor.token).department is None


def test_a_house_with_departments_of_its_own_posts_to_no_others(city: City, operator: Desk, hospital: Hospital) -> None:
    doctor = city.staff(hospital)
    assert code_of(post(operator, doctor.id, "9999")) == (422, "accounts.department_code_unknown")
    operator.make(f"/hospitals/{hospital.id}/departments", code="0304", name="心内科")
    refused = post(operator, doctor.id, "0400")
    assert code_of(refused) == (422, "accounts.department_not_here")
    assert refused.json["departments"] == ["0304"]
    assert city.actor(doctor.token).department is None
    body = {"username": "posted-1", "name": "王登记", "role": "registrar", "department": "0400"}
    assert operator.ask("POST", f"/hospitals/{hospital.id}/staff", **body).status_code == 422
    operator.make(f"/hospitals/{hospital.id}/staff", **body | {"department": "0304"})
    listed = operator.ask("GET", f"/hospitals/{hospital.id}/staff").json["staff"]
    assert [each["department"] for each in listed if each["username"] == "posted-1"] == ["0304"]


def test_who_works_for_the_platform_is_posted_nowhere(city: City, operator: Desk) -> None:
    other = city.staff(None, Role.SECURITY_ADMINISTRATOR)
    assert code_of(post(operator, other.id, "0304")) == (404, "accounts.staff_not_found")


def test_where_somebody_worked_then_stays_known(
    city: City, operator: Desk, hospital: Hospital, stepping_clock: SteppingClock
) -> None:
    doctor, began = city.staff(hospital), stepping_clock.time
    stepping_clock.forward(minutes=1)
    for department in ("0304", "0400"):
        assert post(operator, doctor.id, department).status_code == 204
        stepping_clock.forward(minutes=10)
    looks = [(doctor.id, began + timedelta(minutes=minutes)) for minutes in (0, 1, 10, 11, 12)]
    with db.transaction() as session:
        found = find_departments(session, looks)
    assert [found.get(look) for look in looks] == [None, "0304", "0304", "0400", "0400"]


def test_no_posting_is_changed_afterwards(city: City, operator: Desk, hospital: Hospital) -> None:
    doctor = city.staff(hospital)
    assert post(operator, doctor.id, "0304").status_code == 204
    with pytest.raises(DBAPIError, match="append"), db.transaction() as session:
        session.execute(text("UPDATE staff_postings SET department = '0400'"))


def test_an_operator_does_it_on_the_page_of_the_hospital(city: City, hospital: Hospital) -> None:
    doctor, browser = city.staff(hospital), Browser(city.app)
    browser.sign_in(city.staff(None, Role.OPERATOR, "钱管理"))
    at = f"/operator/hospitals/{hospital.id}"
    assert browser.post(f"{at}/staff/{doctor.id}/department", {"department": "0304"}).status_code == 303
    assert city.actor(doctor.token).department == "0304"
    assert '<option value="0304" selected>' in browser.get(at).text
    assert browser.post(f"{at}/staff-naming", {"staff_naming": "role"}).status_code == 303
    assert '<option value="role" selected>' in browser.get(at).text
    refused = browser.post(f"{at}/staff-naming", {"staff_naming": "nickname"})
    assert refused.status_code == 422
    assert "显示方式" in refused.text
