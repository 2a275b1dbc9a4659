"""What looks like somebody else with the patient's code is told at once, and once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select

from accounts import service as accounts
from core import db
from core.actor import SYSTEM
from core.audit import AuditEntry
from health_card.notices import sending
from health_card.notices.models import Notice
from tests.conftest import SteppingClock
from tests.support.city import City, Patient, bearer


def alarms(patient: Patient, kind: str) -> list[Notice]:
    with db.transaction() as session:
        mine = select(Notice).filter_by(person_id=patient.person_id, kind=kind).order_by(Notice.created_at, Notice.id)
        found = session.scalars(mine).all()
        session.expunge_all()
        return list(found)


def audited(patient: Patient, alarm: str) -> int:
    with db.transaction() as session:
        mine = select(AuditEntry.facts).filter_by(action="health_card.alarm.raised", subject_id=patient.person_id)
        return [facts["alarm"] for facts in session.scalars(mine)].count(alarm)


def enrol(hospital_id: Any, code: str) -> None:
    with db.transaction() as session:
        accounts.enrol_terminal(session, SYSTEM, hospital_id=hospital_id, code=code, kind="01")


def test_a_code_shown_at_another_hospital_too_is_refused_and_told(city: City) -> None:
    first, second, patient = city.hospital("甲测试医院"), city.hospital("乙测试医院"), city.patient()
    code = city.code(patient)
    assert city.scan(city.staff(first), code, first).status_code == 201
    thief = city.staff(second)
    for _ in range(2):
        refused = city.scan(thief, code, second)
        assert (refused.status_code, refused.json["code"]) == (409, "health_card.code_redeemed")
    (alarm,) = alarms(patient, "code_replayed")
    assert alarm.hospital_id == second.id
    assert alarm.facts == {"terminal": "W01", "other_terminal": "W01", "other_hospital_id": str(first.id)}
    assert audited(patient, "code_replayed") == 1
    shown = city.client.get("/api/v1/notices", headers=bearer(patient.token)).json["notices"]
    (body,) = [each["body"] for each in shown if each["kind"] == "code_replayed"]
    assert "甲测试医院" in body
    assert "乙测试医院" in body


def test_each_other_terminal_is_told_of(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    staff, code = city.staff(hospital), city.code(patient)
    for terminal in ("W02", "W03"):
        enrol(hospital.id, terminal)
    for terminal in ("W01", "W02", "W03", "W02"):
        city.scan(staff, code, hospital, terminal=terminal)
    assert [alarm.facts["terminal"] for alarm in alarms(patient, "code_replayed")] == ["W02", "W03"]


def test_a_slow_second_reading_at_the_same_desk_is_no_alarm(city: City, stepping_clock: SteppingClock) -> None:
    hospital, patient = city.hospital(), city.patient()
    staff, code = city.staff(hospital), city.code(patient)
    city.scan(staff, code, hospital)
    stepping_clock.forward(seconds=11)
    assert city.scan(staff, code, hospital).json["code"] == "health_card.code_redeemed"
    assert alarms(patient, "code_replayed") == []


def test_a_code_that_is_refused_before_anybody_used_it_is_no_alarm(city: City, stepping_clock: SteppingClock) -> None:
    hospital, patient = city.hospital(), city.patient()
    code = city.code(patient)
    stepping_clock.forward(seconds=61)
    assert city.scan(city.staff(hospital), code, hospital).json["code"] == "health_card.code_expired"
    assert alarms(patient, "code_replayed") == []


def test_of_two_hospitals_with_one_code_at_the_same_moment_one_is_refused_and_that_is_told(
    committing_city: City,
) -> None:
    city = committing_city
    desks = [(hospital, city.staff(hospital)) for hospital in (city.hospital(), city.hospital())]
    for _ in range(5):
        patient, together = city.patient(), threading.Barrier(2)
        code = city.code(patient)

        def scan(number: int, code: str = code, together: threading.Barrier = together) -> int:
            hospital, staff = desks[number]
            together.wait()
            return city.scan(staff, code, hospital).status_code

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(scan, range(2))) == [201, 409]
        assert len(alarms(patient, "code_replayed")) == 1


@pytest.mark.parametrize("is_reversed", [False, True])
def test_two_hospitals_within_five_minutes_are_told_of_once(
    city: City, stepping_clock: SteppingClock, is_reversed: bool
) -> None:
    first, second, patient = city.hospital("甲测试医院"), city.hospital("乙测试医院"), city.patient()
    city.visit(city.staff(first), patient, first)
    stepping_clock.forward(minutes=5)
    later = city.visit(city.staff(second), patient, second)
    identified = [notice.id for notice in alarms(patient, "identified")]
    for notice_id in sorted(identified, reverse=is_reversed) * 2:
        with db.transaction() as session:
            sending.raise_two_places_alarm(session, notice_id)
    (alarm,) = alarms(patient, "two_places")
    assert (alarm.hospital_id, alarm.object_id) == (second.id, later)
    assert alarm.facts["other_hospital_id"] == str(first.id)
    assert audited(patient, "two_places") == 1


def test_one_hospital_twice_or_two_after_more_than_five_minutes_is_no_alarm(
    city: City, stepping_clock: SteppingClock
) -> None:
    first, second, patient = city.hospital(), city.hospital(), city.patient()
    city.visit(city.staff(first), patient, first)
    city.visit(city.staff(first), patient, first)
    other = city.patient()
    city.visit(city.staff(second), other, second)
    stepping_clock.forward(minutes=5, seconds=1)
    city.visit(city.staff(second), patient, second)
    for notice in [*alarms(patient, "identified"), *alarms(other, "identified")]:
        with db.transaction() as session:
            sending.raise_two_places_alarm(session, notice.id)
    assert alarms(patient, "two_places") == alarms(other, "two_places") == []
