"""A patient is told at once of a hospital that never looked before, and of every emergency; once each."""

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from consent import service as consent
from consent.models import Grant, OpenedBy, Purpose
from consent.watching.jobs import HANDLERS
from consent.watching.models import KnownHouse
from core import clock, db
from core.actor import Actor
from core.dispatch import Dispatcher
from core.ids import new_id
from health_card.notices.models import Notice
from tests.support.city import City, Hospital, Patient, Staff, bearer

TOLD = ("house_first_looked", "break_glass")


def open_grant(patient: Patient, hospital: Hospital, opened_by: OpenedBy, staff: Staff | None = None) -> UUID:
    is_emergency = opened_by is OpenedBy.BREAK_GLASS
    with db.transaction() as session:
        grant = consent.open_grant(
            session,
            patient.actor,
            person_id=patient.person_id,
            recipient=consent.Recipient(hospital_id=hospital.id, staff_id=staff.id if staff else None),
            scope=consent.Scope(),
            purpose=Purpose.EMERGENCY if is_emergency else Purpose.CONSULTATION,
            opened_by=opened_by,
            expires_at=clock.now() + timedelta(hours=1),
        )
    return grant.id


def look(actor: Actor, patient: Patient) -> None:
    with db.transaction() as session:
        consent.release(
            session, actor, person_id=patient.person_id, action="records.report.read", of=("report", new_id())
        )


def tell(city: City, patient: Patient) -> list[tuple[str, UUID | None]]:
    """The worker works; what the patient has been told of looks."""
    Dispatcher(city.app, HANDLERS).run_due()
    told = select(Notice.kind, Notice.hospital_id).where(Notice.person_id == patient.person_id, Notice.kind.in_(TOLD))
    with db.transaction() as session:
        return [(kind, hospital_id) for kind, hospital_id in session.execute(told.order_by(Notice.created_at)).tuples()]


def first_rows(city: City, patient: Patient) -> list[str]:
    reply = city.client.get("/api/v1/access-log?is_unusual=true", headers=bearer(patient.token))
    return [row["hospital_id"] for row in reply.json["rows"] if row["is_first"]]


def test_a_first_look_is_told_once_however_often_it_is_looked(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    doctor, machine = city.staff(hospital), city.machine(hospital)
    assert first_rows(city, patient) == []
    open_grant(patient, hospital, OpenedBy.PATIENT)
    for actor in (doctor.actor, machine.actor, doctor.actor):
        look(actor, patient)
    assert tell(city, patient) == [("house_first_looked", hospital.id)]
    look(doctor.actor, patient)
    open_grant(patient, hospital, OpenedBy.PATIENT)
    look(machine.actor, patient)
    assert tell(city, patient) == [("house_first_looked", hospital.id)]
    assert first_rows(city, patient) == [str(hospital.id)]
    other = city.hospital()
    open_grant(patient, other, OpenedBy.PATIENT)
    look(city.machine(other).actor, patient)
    assert tell(city, patient)[1:] == [("house_first_looked", other.id)]
    reply = city.client.get("/api/v1/access-log?is_unusual=true", headers=bearer(patient.token))
    assert [row["action"] for row in reply.json["rows"]] == ["records.report.read"] * 2


def test_of_the_hospital_where_he_showed_his_code_the_scan_has_told(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    doctor = city.staff(hospital)
    city.visit(doctor, patient, hospital)
    assert tell(city, patient) == []
    with db.transaction() as session:
        assert session.get(KnownHouse, (patient.person_id, hospital.id)) is None
    look(doctor.actor, patient)
    assert tell(city, patient) == []
    assert first_rows(city, patient) == [str(hospital.id)]
    open_grant(patient, hospital, OpenedBy.PATIENT)
    look(doctor.actor, patient)
    assert tell(city, patient) == []


def test_every_emergency_is_told_once_a_grant(city: City) -> None:
    hospital, patient = city.hospital(), city.patient()
    doctor = city.staff(hospital)
    city.visit(doctor, patient, hospital)
    look(doctor.actor, patient)
    assert tell(city, patient) == []
    grants = []
    for _ in range(2):
        with db.transaction() as session:
            living = select(Grant.id).where(Grant.person_id == patient.person_id, Grant.revoked_at.is_(None))
            for grant_id in session.scalars(living).all():
                consent.revoke_grant(session, patient.actor, grant_id=grant_id)
        grants.append(open_grant(patient, hospital, OpenedBy.BREAK_GLASS, doctor))
        look(doctor.actor, patient)
        look(doctor.actor, patient)
    assert tell(city, patient) == [("break_glass", hospital.id)] * 2
    with db.transaction() as session:
        told = select(Notice.object_id).where(Notice.person_id == patient.person_id, Notice.kind == "break_glass")
        assert set(session.scalars(told)) == set(grants)


@pytest.mark.parametrize("who", ["own", "nobody"])
def test_looks_that_are_none_of_a_hospital_are_not_told(city: City, who: str) -> None:
    hospital, patient = city.hospital(), city.patient()
    if who == "own":
        look(patient.actor, patient)
    else:
        with pytest.raises(consent.NothingShared):
            look(city.staff(hospital).actor, patient)
    assert tell(city, patient) == []
    assert first_rows(city, patient) == []
