"""Staff sign in with user name and password; their sessions end by themselves."""

import secrets
from typing import Any

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from accounts.identify import COOKIE, csrf_token_of
from accounts.models import Hospital, Role, StaffMember, StaffSession
from core import db
from tests.conftest import SteppingClock
from tests.support.city import City, Staff, bearer

SIGN_IN = "/api/v1/staff/sessions"


def sign_in(city: City, username: str, password: str) -> Any:
    return city.client.post(SIGN_IN, json={"username": username, "password": password})


def change(entity: type[db.Base], key: object, **values: object) -> None:
    with db.transaction() as session:
        session.execute(update(entity).where(entity.id == key).values(**values))  # type: ignore[attr-defined]  # WithId


def is_alive(city: City, staff: Staff) -> bool:
    """The session is known: an empty scan is malformed, not unknown."""
    reply = city.client.post("/api/v1/desk/scans", json={}, headers=bearer(staff.token))
    assert reply.json["code"] in {"core.malformed_request", "accounts.session_ended"}
    return reply.status_code == 422


def test_the_right_password_opens_a_session(city: City) -> None:
    hospital = city.hospital("市第二测试医院")
    staff = city.staff(hospital, Role.REGISTRAR, "测试登记员乙")
    reply = sign_in(city, staff.username, staff.password)
    assert reply.status_code == 201
    assert (reply.json["name"], reply.json["role"]) == ("测试登记员乙", "registrar")
    assert reply.json["hospital_name"] == "市第二测试医院"
    assert reply.headers["Cache-Control"] == "no-store"
    assert city.actor(reply.json["token"]).hospital_id == hospital.id


def test_every_wrong_sign_in_looks_the_same(city: City) -> None:
    hospital = city.hospital()
    staff, disabled, homeless = city.staff(hospital), city.staff(hospital), city.staff(closed := city.hospital())
    change(StaffMember, disabled.id, is_enabled=False)
    change(Hospital, closed.id, is_enabled=False)
    replies = [
        sign_in(city, staff.username, "wrong"),
        sign_in(city, staff.username, staff.password + " x"),
        sign_in(city, staff.username.upper(), staff.password),
        sign_in(city, f"nobody-{secrets.token_hex(4)}", staff.password),
        sign_in(city, disabled.username, disabled.password),
        sign_in(city, homeless.username, homeless.password),
        sign_in(city, "' OR '1'='1", "x"),
    ]
    assert {(reply.status_code, reply.json["code"]) for reply in replies} == {(401, "accounts.password_wrong")}
    assert len({reply.json["detail"] for reply in replies}) == 1


def test_a_session_ends_after_half_an_hour_without_use(city: City, stepping_clock: SteppingClock) -> None:
    staff = city.staff(city.hospital())
    for _ in range(3):
        stepping_clock.forward(minutes=29)
        assert is_alive(city, staff)
    stepping_clock.forward(minutes=30)
    assert not is_alive(city, staff)


def test_a_session_ends_after_twelve_hours_in_any_case(city: City, stepping_clock: SteppingClock) -> None:
    staff = city.staff(city.hospital())
    for _ in range(35):
        stepping_clock.forward(minutes=20)
        assert is_alive(city, staff)
    stepping_clock.forward(minutes=20)
    assert not is_alive(city, staff)


def test_signing_out_ends_this_session_only(city: City) -> None:
    staff = city.staff(city.hospital())
    other = sign_in(city, staff.username, staff.password).json["token"]
    assert city.client.delete("/api/v1/sessions/current", headers=bearer(other)).status_code == 204
    assert city.client.delete("/api/v1/sessions/current", headers=bearer(other)).status_code == 401
    assert is_alive(city, staff)


@pytest.mark.parametrize("what", ["member", "hospital"])
def test_who_is_switched_off_is_out_at_once(city: City, what: str) -> None:
    hospital = city.hospital()
    staff = city.staff(hospital)
    assert is_alive(city, staff)
    if what == "member":
        change(StaffMember, staff.id, is_enabled=False)
    else:
        change(Hospital, hospital.id, is_enabled=False)
    assert not is_alive(city, staff)


def test_an_operator_belongs_to_no_hospital_and_scans_nothing(city: City) -> None:
    operator = city.staff(None, Role.OPERATOR)
    assert operator.actor.hospital_id is None
    hospital = city.hospital()
    reply = city.scan(operator, city.code(city.patient()), hospital)
    assert (reply.status_code, reply.json["code"]) == (403, "core.permission_missing")


def test_a_session_in_a_cookie_needs_the_token_of_its_forms(city: City) -> None:
    hospital = city.hospital()
    staff, patient = city.staff(hospital), city.patient()
    body = {"medical_step": "010101", "department": "0300", "terminal": hospital.terminal}
    client = city.client
    client.set_cookie(COOKIE, staff.token)
    foreign = csrf_token_of(city.staff(hospital).token)
    for headers in ({}, {"X-CSRF-Token": foreign}):
        reply = client.post("/api/v1/desk/scans", json=body | {"code": city.code(patient)}, headers=headers)
        assert (reply.status_code, reply.json["code"]) == (403, "core.cross_site_request")
    own = {"X-CSRF-Token": csrf_token_of(staff.token)}
    assert client.post("/api/v1/desk/scans", json=body | {"code": city.code(patient)}, headers=own).status_code == 201


def test_a_terminal_of_another_hospital_is_unknown(city: City) -> None:
    hospital = city.hospital()
    staff = city.staff(hospital)
    reply = city.scan(staff, city.code(city.patient()), hospital, terminal="W99")
    assert (reply.status_code, reply.json["code"]) == (422, "accounts.terminal_unknown")


def test_the_use_of_a_session_is_noted_once_a_minute_and_asked_without_a_transaction(
    city: City, stepping_clock: SteppingClock
) -> None:
    staff = city.staff(city.hospital())
    begun: list[object] = []

    def note(*_told: object) -> None:
        begun.append(None)

    def ask_after(seconds: float) -> tuple[bool, int]:
        stepping_clock.forward(seconds=seconds)
        before = _last_used_at(staff)
        begun.clear()
        assert is_alive(city, staff)
        opened = len(begun)
        return _last_used_at(staff) != before, opened

    event.listen(Session, "after_begin", note)
    try:
        assert [ask_after(59), ask_after(2), ask_after(59)] == [(False, 0), (True, 1), (False, 0)]
    finally:
        event.remove(Session, "after_begin", note)


def _last_used_at(staff: Staff) -> object:
    with db.transaction() as session:
        return session.scalar(select(StaffSession.last_used_at).where(StaffSession.staff_id == staff.id))
