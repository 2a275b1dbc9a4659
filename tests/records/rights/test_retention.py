"""What is kept longer than the law asks for is counted, person by person, and shown; nothing of it goes by itself."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from accounts.models import Role
from core import clock, db
from core.dispatch import TryLater
from records.rights import jobs, service
from records.timeline.models import TimelineEntry
from records.visits.models import Visit
from tests.conftest import SteppingClock
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Patient

OLD, OLDER = timedelta(days=15 * 366), timedelta(days=30 * 366)


def count() -> tuple[int, int]:
    with db.transaction() as session:
        counted = service.count_beyond(session)
        return counted.persons, counted.lines


def age(patient: Patient, by: timedelta) -> None:
    """His lines become so much older."""
    with db.transaction() as session:
        older = {"occurred_at": TimelineEntry.occurred_at - by}
        session.execute(update(TimelineEntry).where(TimelineEntry.person_id == patient.person_id).values(**older))


def test_a_person_counts_when_all_of_his_record_is_beyond_its_time(city: City, stepping_clock: SteppingClock) -> None:
    hospital, patient = city.hospital(), city.patient()
    for title in ("血常规", "尿常规"):
        city.place_report(patient, hospital, title)
    stepping_clock.forward(seconds=1)
    persons, lines = count()
    age(patient, OLD)
    stepping_clock.forward(seconds=1)
    assert count() == (persons + 1, lines + 2)
    visit_id = visit(city, hospital, patient)
    for kind, before, beyond in (("O", timedelta(), 0), ("O", OLD, 1), ("I", OLD, 0), ("I", OLDER, 1)):
        closed_at = clock.now() - before
        with db.transaction() as session:
            values = {"kind": kind, "opened_at": closed_at - timedelta(days=1), "closed_at": closed_at}
            session.execute(update(Visit).where(Visit.id == visit_id).values(**values))
        stepping_clock.forward(seconds=1)
        assert count() == (persons + beyond, lines + 2 * beyond), (kind, before)
    with db.transaction() as session:
        session.execute(update(Visit).where(Visit.id == visit_id).values(closed_at=None))
    stepping_clock.forward(seconds=1)
    assert count() == (persons, lines)


def visit(city: City, hospital: Hospital, patient: Patient) -> UUID:
    return city.visit(city.staff(hospital), patient, hospital)


def test_the_operator_sees_the_rules_and_the_counts(city: City) -> None:
    operator = Browser(city.app)
    operator.sign_in(city.staff(None, Role.OPERATOR))
    with pytest.raises(TryLater):
        jobs.count_beyond({})
    page = operator.get("/operator/retention").text
    assert "《医疗机构病历管理规定（2013年版）》第二十九条" in page
    assert "每周统计，不自动删除" in page
    assert "还没有统计" not in page
