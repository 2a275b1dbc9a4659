"""Staff accounts: passwords for once, switching off, and the three roles that exclude each other."""

import secrets
from typing import Any

import pytest
from sqlalchemy import select, update

from accounts import service as accounts
from accounts.commands import appoint_first
from accounts.models import Role, StaffMember
from accounts.refusals import EmployeeNumberMissing
from accounts.service import personnel
from core import db
from core.actor import SYSTEM
from core.audit import AuditEntry
from tests.conftest import SteppingClock
from tests.support.administration import Desk, code_of, count
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, bearer

OWN = "一句 容易 记住 的 长 话 吧"
SIGN_IN, PASSWORD = "/api/v1/staff/sessions", "/api/v1/staff/password"


@pytest.fixture
def operator(city: City) -> Desk:
    return Desk(city, Role.OPERATOR)


@pytest.fixture
def security(city: City) -> Desk:
    return Desk(city, Role.SECURITY_ADMINISTRATOR)


@pytest.fixture
def hospital(city: City) -> Hospital:
    return city.hospital()


def hire(operator: Desk, hospital: Hospital) -> Any:
    name = f"u{secrets.token_hex(4)}"
    return operator.make(f"/hospitals/{hospital.id}/staff", username=name, name="王登记", role="registrar")


def sign_in(city: City, username: str, password: str) -> Any:
    return city.client.post(SIGN_IN, json={"username": username, "password": password})


def change(city: City, token: str, current: str, new: str) -> Any:
    body = {"current_password": current, "new_password": new}
    return city.client.put(PASSWORD, json=body, headers=bearer(token))


def scans(city: City, token: str) -> int:
    return city.client.post("/api/v1/desk/scans", json={}, headers=bearer(token)).status_code


def test_a_password_for_once_opens_only_its_own_change(city: City, operator: Desk, hospital: Hospital) -> None:
    given = hire(operator, hospital)
    opened = sign_in(city, given["username"], given["password"]).json
    assert opened["must_change_password"] is True
    assert scans(city, opened["token"]) == 403
    assert change(city, opened["token"], given["password"], OWN).status_code == 204
    assert scans(city, opened["token"]) == 422
    assert sign_in(city, given["username"], given["password"]).status_code == 401
    assert sign_in(city, given["username"], OWN).json["must_change_password"] is False


def test_a_password_for_once_that_nobody_changed_runs_out(
    city: City, operator: Desk, hospital: Hospital, stepping_clock: SteppingClock
) -> None:
    given = hire(operator, hospital)
    stepping_clock.forward(days=2.9)
    assert sign_in(city, given["username"], given["password"]).status_code == 201
    stepping_clock.forward(days=0.1)
    reply = sign_in(city, given["username"], given["password"])
    assert code_of(reply) == (401, "accounts.password_wrong")


@pytest.mark.parametrize(
    "new",
    ["short-one11", "aaaabbbbccccddddeeee", "x-{username}-x-and-more", "{current}"],
    ids=["short", "plain", "name", "same"],
)
def test_a_weak_password_is_refused(city: City, hospital: Hospital, new: str) -> None:
    staff = city.staff(hospital)
    text = new.format(username=staff.username.upper(), current=staff.password)
    assert code_of(change(city, staff.token, staff.password, text)) == (422, "accounts.password_weak")
    assert sign_in(city, staff.username, staff.password).status_code == 201


def test_changing_the_password_ends_the_other_sessions(city: City, hospital: Hospital) -> None:
    staff = city.staff(hospital)
    other = sign_in(city, staff.username, staff.password).json["token"]
    assert change(city, other, staff.password, OWN).status_code == 204
    assert (scans(city, other), scans(city, staff.token)) == (422, 401)


def test_a_wrong_current_password_changes_nothing_and_is_audited(city: City, hospital: Hospital) -> None:
    staff = city.staff(hospital)
    assert code_of(change(city, staff.token, "not-this-one", OWN)) == (401, "accounts.password_wrong")
    assert count(AuditEntry, actor_id=staff.id, action="accounts.staff.password_change_failed") == 1
    assert sign_in(city, staff.username, OWN).status_code == 401


def test_a_failed_sign_in_is_audited_without_what_was_typed(
    city: City, operator: Desk, hospital: Hospital, stepping_clock: SteppingClock
) -> None:
    staff, closed, late = city.staff(hospital), city.staff(hospital), hire(operator, hospital)
    operator.ask("PUT", f"/staff/{closed.id}", is_enabled=False)
    stepping_clock.forward(days=4)
    typed = f"typed-{secrets.token_hex(6)}"
    for username, password in (
        (typed, typed),
        (staff.username, typed),
        (closed.username, closed.password),
        (late["username"], late["password"]),
    ):
        assert sign_in(city, username, password).status_code == 401
    with db.transaction() as session:
        rows = session.scalars(
            select(AuditEntry).filter_by(action="accounts.staff.sign_in_failed").order_by(AuditEntry.id)
        ).all()
    assert [row.facts["reason"] for row in rows] == ["unknown", "password", "disabled", "expired"]
    assert [str(row.object_id) for row in rows] == ["None", str(staff.id), str(closed.id), late["staff_id"]]
    assert typed not in str([vars(row) for row in rows])


def test_who_is_switched_off_is_out_at_once_and_on_again_revives_no_session(
    city: City, operator: Desk, hospital: Hospital
) -> None:
    staff = city.staff(hospital)
    assert scans(city, staff.token) == 422
    assert operator.ask("PUT", f"/staff/{staff.id}", is_enabled=False).status_code == 204
    assert scans(city, staff.token) == 401
    assert operator.ask("PUT", f"/staff/{staff.id}", is_enabled=True).status_code == 204
    assert scans(city, staff.token) == 401
    assert sign_in(city, staff.username, staff.password).status_code == 201


def test_a_reset_ends_the_sessions_and_the_old_password(city: City, operator: Desk, hospital: Hospital) -> None:
    staff = city.staff(hospital)
    given = operator.make(f"/staff/{staff.id}/one-time-passwords")
    assert scans(city, staff.token) == 401
    assert sign_in(city, staff.username, staff.password).status_code == 401
    assert sign_in(city, staff.username, given["password"]).json["must_change_password"] is True


def appoint(security: Desk, role: str, number: str) -> Any:
    return security.ask(
        "POST",
        "/administrators",
        username=f"a{secrets.token_hex(4)}",
        name="赵管理",
        role=role,
        employee_number=number,
    )


def test_one_person_holds_one_of_the_three_roles(security: Desk) -> None:
    number = f"E{secrets.token_hex(4)}"
    first = appoint(security, "operator", number)
    assert first.status_code == 201
    for role in ("operator", "security_administrator", "audit_administrator"):
        reply = appoint(security, role, f" {number.lower()} ")
        assert code_of(reply) == (409, "accounts.roles_exclude_each_other")
    assert security.ask("PUT", f"/administrators/{first.json['staff_id']}", is_enabled=False).status_code == 204
    assert appoint(security, "audit_administrator", number).status_code == 201
    again = security.ask("PUT", f"/administrators/{first.json['staff_id']}", is_enabled=True)
    assert code_of(again) == (409, "accounts.roles_exclude_each_other")
    listed = security.ask("GET", "/administrators").text
    assert number not in listed


def test_an_account_of_the_platform_names_its_person(city: City) -> None:
    with pytest.raises(EmployeeNumberMissing) as refused, db.transaction() as session:
        accounts.hire_staff(
            session,
            SYSTEM,
            hospital_id=None,
            username="nobody",
            name="无名",
            role=Role.OPERATOR,
            password=OWN,
        )
    assert refused.value.code == "accounts.employee_number_missing"


def test_nobody_disables_or_resets_himself(security: Desk) -> None:
    at = f"/administrators/{security.staff.id}"
    for reply in (
        security.ask("PUT", at, is_enabled=False),
        security.ask("POST", f"{at}/one-time-passwords"),
    ):
        assert code_of(reply) == (409, "accounts.own_account")


def test_an_operator_hires_nobody_who_runs_the_platform(operator: Desk, hospital: Hospital) -> None:
    for role in ("operator", "security_administrator", "audit_administrator"):
        reply = operator.ask("POST", f"/hospitals/{hospital.id}/staff", username="abc", name="某", role=role)
        assert code_of(reply) == (422, "core.malformed_request")


def test_on_pages_the_first_sign_in_leads_to_the_change(city: City, operator: Desk, hospital: Hospital) -> None:
    given, browser = hire(operator, hospital), Browser(city.app)
    reply = browser.post("/staff/sign-in?next=/desk", {"username": given["username"], "password": given["password"]})
    assert (reply.status_code, reply.location) == (303, "/staff/password")
    assert "请先设置自己的密码" in browser.get("/staff/password").text
    assert browser.get("/desk").status_code == 403
    form = {"current_password": given["password"], "new_password": OWN, "repeated_password": OWN + "x"}
    differing = browser.post("/staff/password", form)
    assert (differing.status_code, "两次输入的新密码一致" in differing.text) == (422, True)
    weak = browser.post("/staff/password", form | {"new_password": "short", "repeated_password": "short"})
    assert (weak.status_code, "新密码不符合要求" in weak.text) == (422, True)
    done = browser.post("/staff/password", form | {"repeated_password": OWN})
    assert (done.status_code, done.location) == (303, "/desk")
    assert browser.get("/desk").status_code == 200


def test_the_first_security_administrator_is_appointed_by_command_and_only_the_first(city: City) -> None:
    with db.transaction() as session:
        # The demo's and other tests' administrators stay out of this one.
        session.execute(
            update(StaffMember).where(StaffMember.role == "security_administrator").values(is_enabled=False)
        )
    runner, name = city.app.test_cli_runner(), f"first-{secrets.token_hex(3)}"
    done = runner.invoke(appoint_first, [name, "首任", f"E{secrets.token_hex(4)}"])
    assert done.exit_code == 0, done.output
    password = done.output.split()[-1]
    assert sign_in(city, name, password).json["must_change_password"] is True
    again = runner.invoke(appoint_first, [f"{name}-2", "第二", f"E{secrets.token_hex(4)}"])
    assert again.exit_code != 0
    assert "already" in again.output
    assert personnel.ONE_TIME_PASSWORD_LIFE.days == 3
