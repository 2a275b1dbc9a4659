"""What is unusual is told to the audit administrator, once; counts by department, without small numbers elsewhere."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from accounts.models import Role
from consent.emergencies.jobs import HANDLERS
from consent.emergencies.models import EmergencyAlarm
from consent.emergencies.service.opening import OPENED_TOPIC
from core import clock, db
from core.ids import new_id
from tests.conftest import SteppingClock
from tests.consent.emergencies.bedside import Bedside, refused
from tests.support.city import Patient, Staff


def watch(access_id: str) -> set[str]:
    """What the worker finds, asked twice."""
    for _ in range(2):
        HANDLERS[OPENED_TOPIC]({"access_id": access_id})
    with db.transaction() as session:
        raised = list(session.scalars(select(EmergencyAlarm.rule).where(EmergencyAlarm.access_id == UUID(access_id))))
    assert len(raised) == len(set(raised))
    return set(raised)


def at_hour(stepping_clock: SteppingClock, hour: int) -> None:
    """The next time that it is so late in the city."""
    local = clock.in_city(stepping_clock.time)
    wanted = local.replace(hour=hour, minute=0, second=0, microsecond=0)
    stepping_clock.time = (wanted if wanted > local else wanted + timedelta(days=1)).astimezone(local.tzinfo)


def opened_in_turn(
    bedside: Bedside, stepping_clock: SteppingClock, by_whom: Iterable[tuple[Staff, Patient]]
) -> list[str]:
    """One access a minute."""
    found = []
    for doctor, patient in by_whom:
        stepping_clock.forward(minutes=1)
        found.append(bedside.opened(doctor, patient)["id"])
    return found


def staff(bedside: Bedside) -> Staff:
    return bedside.city.staff(bedside.hospital)


def test_a_doctor_who_opens_many_in_a_day(bedside: Bedside, stepping_clock: SteppingClock) -> None:
    at_hour(stepping_clock, 9)
    doctor = staff(bedside)
    opened = opened_in_turn(bedside, stepping_clock, [(doctor, bedside.city.patient()) for _ in range(4)])
    assert [watch(each) for each in opened] == [set(), set(), set(), {"many_by_doctor"}]
    stepping_clock.forward(hours=24, seconds=1)
    later = bedside.opened(sign_in_again(bedside, doctor), bedside.city.patient())
    assert watch(later["id"]) == set()


def sign_in_again(bedside: Bedside, doctor: Staff) -> Staff:
    body = {"username": doctor.username, "password": doctor.password}
    token = bedside.city.client.post("/api/v1/staff/sessions", json=body).json["token"]
    return Staff(doctor.id, doctor.username, doctor.password, token, doctor.actor)


def test_a_doctor_who_opens_many_persons_in_one_night(bedside: Bedside, stepping_clock: SteppingClock) -> None:
    at_hour(stepping_clock, 23)
    doctor = staff(bedside)
    opened = opened_in_turn(bedside, stepping_clock, [(doctor, bedside.city.patient()) for _ in range(3)])
    assert [watch(each) for each in opened] == [set(), set(), {"many_at_night"}]
    other = staff(bedside)
    at_hour(stepping_clock, 12)
    other = sign_in_again(bedside, other)
    by_day = opened_in_turn(bedside, stepping_clock, [(other, bedside.city.patient()) for _ in range(3)])
    assert watch(by_day[-1]) == set()


def test_many_doctors_on_one_person(bedside: Bedside, stepping_clock: SteppingClock) -> None:
    at_hour(stepping_clock, 9)
    patient = bedside.city.patient()
    opened = opened_in_turn(bedside, stepping_clock, [(staff(bedside), patient) for _ in range(4)])
    assert [watch(each) for each in opened] == [set(), set(), set(), {"many_on_person"}]


def test_opening_again_what_the_patient_has_ended(bedside: Bedside, stepping_clock: SteppingClock) -> None:
    at_hour(stepping_clock, 9)
    doctor, patient = staff(bedside), bedside.city.patient()
    first = bedside.opened(doctor, patient)
    bedside.end(first["id"], doctor)
    stepping_clock.forward(minutes=1)
    second = bedside.opened(doctor, patient)
    assert watch(second["id"]) == set(), "the doctor ended it himself"
    bedside.post(patient, f"/grants/{second['grant_id']}/revoke")
    stepping_clock.forward(minutes=1)
    third = bedside.opened(doctor, patient)
    assert watch(third["id"]) == {"after_revoke"}


def test_the_audit_administrator_sees_alarms_without_the_patient_and_ticks_them_off(
    bedside: Bedside, stepping_clock: SteppingClock
) -> None:
    doctor, patient = staff(bedside), bedside.city.patient("秦测试")
    first = bedside.opened(doctor, patient)
    bedside.post(patient, f"/grants/{first['grant_id']}/revoke")
    stepping_clock.forward(minutes=1)
    again = bedside.opened(doctor, patient)
    watch(again["id"])
    auditor = bedside.city.staff(None, Role.AUDIT_ADMINISTRATOR)

    def alarms(seen: str) -> list[dict[str, Any]]:
        reply = bedside.get(auditor, f"/emergency-alarms?is_seen={seen}")
        assert "秦" not in reply.text
        assert str(patient.person_id) not in reply.text
        return [each for each in reply.json["alarms"] if each["access_id"] == again["id"]]

    (alarm,) = [each for each in alarms("false") if each["rule"] == "after_revoke"]
    assert (alarm["hospital_name"], alarm["counted"]) == ("市急救测试医院", 1)
    for _ in range(2):
        assert bedside.post(auditor, f"/emergency-alarms/{alarm['id']}/seen").status_code == 200
    assert alarm["id"] not in {each["id"] for each in alarms("false")}
    assert alarm["id"] in {each["id"] for each in alarms("true")}
    unknown = bedside.post(auditor, f"/emergency-alarms/{new_id()}/seen")
    assert refused(unknown) == (404, "consent.alarm_not_found")
    for who in (bedside.office, bedside.doctor):
        assert refused(bedside.get(who, "/emergency-alarms")) == (403, "core.permission_missing")


@pytest.fixture
def counted(bedside: Bedside) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two accesses in one department, five in another, of as many visits each: as the house and as the city read it."""
    for department, count in (("0304", 2), ("2000", 5)):
        for _ in range(count):
            opened = bedside.opened(staff(bedside), bedside.city.patient(), department=department)
        bedside.review(opened["id"], "no_emergency")
    auditor = bedside.city.staff(None, Role.AUDIT_ADMINISTRATOR)
    found = []
    for who in (bedside.office, auditor):
        reply = bedside.get(who, "/emergency-statistics")
        lines = [line for line in reply.json["departments"] if line["hospital_name"] == "市急救测试医院"]
        found.append({line["department"]: line for line in lines})
    return found[0], found[1]


def test_the_house_sees_its_counts_as_they_are_and_the_city_no_small_ones(
    bedside: Bedside, counted: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    house, city = counted
    assert {name: house["0304"][name] for name in ("opened", "reviewed", "not_justified", "overdue")} == {
        "opened": 2,
        "reviewed": 1,
        "not_justified": 1,
        "overdue": 0,
    }
    assert (house["2000"]["opened"], house["2000"]["visits"], house["2000"]["per_thousand"]) == (5, 5, 1000.0)
    assert city["0304"].keys() & {"opened", "reviewed", "not_justified", "per_thousand"} == set()
    assert (city["2000"]["opened"], city["2000"]["per_thousand"]) == (5, 1000.0)
    assert city["2000"].keys() & {"reviewed", "not_justified"} == set()
    assert (city["0304"]["overdue"], city["2000"]["overdue"]) == (0, 0)
    elsewhere = bedside.city.staff(bedside.city.hospital(), Role.MEDICAL_AFFAIRS)
    assert bedside.get(elsewhere, "/emergency-statistics").json["departments"] == []
    assert refused(bedside.get(bedside.doctor, "/emergency-statistics")) == (403, "core.permission_missing")


def test_counts_are_of_the_days_that_were_asked_for(bedside: Bedside, stepping_clock: SteppingClock) -> None:
    bedside.opened()
    today = clock.in_city(stepping_clock.time).date()

    def opened(since: date, until: date) -> list[int]:
        reply = bedside.get(bedside.office, f"/emergency-statistics?since={since}&until={until}")
        return [line["opened"] for line in reply.json["departments"]]

    assert opened(today, today) == [1]
    assert opened(today - timedelta(days=3), today - timedelta(days=1)) == []
    assert opened(today + timedelta(days=1), today + timedelta(days=2)) == []
