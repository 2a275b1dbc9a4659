"""Of many reviews at one moment one counts; of many openings by one doctor one is open."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import func, select

from consent.emergencies.models import EmergencyAlarm
from core import db
from tests.consent.emergencies.bedside import Bedside
from tests.support.city import City

AT_ONCE = 6


@pytest.fixture
def ward(committing_city: City) -> Bedside:
    return Bedside(committing_city)


def test_of_many_reviews_one_has_an_effect(ward: Bedside) -> None:
    opened = ward.opened()
    together = threading.Barrier(AT_ONCE)

    def review(number: int) -> tuple[int, str]:
        together.wait()
        reply = ward.review(opened["id"], "no_emergency" if number % 2 else "emergency_confirmed")
        return reply.status_code, reply.json.get("code", reply.json.get("finding"))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(review, range(AT_ONCE)))
    (won,) = [word for status, word in outcomes if status == 200]
    assert [each for each in outcomes if each[0] != 200] == [(409, "consent.emergency_reviewed")] * (AT_ONCE - 1)
    case = ward.get(ward.office, f"/emergency-accesses/{opened['id']}").json["access"]
    assert case["finding"] == won
    with db.transaction() as session:
        raised = select(func.count()).where(EmergencyAlarm.access_id == opened["id"])
        assert session.scalar(raised) == (1 if won == "no_emergency" else 0)


def test_of_many_openings_by_one_doctor_one_is_open(ward: Bedside) -> None:
    together = threading.Barrier(AT_ONCE)
    visit_id = str(ward.city.visit(ward.doctor, ward.patient, ward.hospital))
    by_visit: dict[str, Any] = {"certificate_type": None, "certificate_number": None, "visit_id": visit_id}

    def open_(_: int) -> int:
        together.wait()
        return ward.open(**by_visit).status_code

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert sorted(pool.map(open_, range(AT_ONCE))) == [201] + [409] * (AT_ONCE - 1)
    grants = ward.get(ward.patient, "/grants").json["grants"]
    assert [grant["status"] for grant in grants if grant["purpose"] == "emergency"] == ["in_force"]
