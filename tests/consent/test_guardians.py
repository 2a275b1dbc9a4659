"""Who decides for a minor about what others see: a guardian under 14, from 14 on the minor, from 18 on nobody else."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import text
from werkzeug.test import TestResponse

from consent import service as consent
from core import clock, db
from core.actor import Actor
from health_card.models import Holder, Relation
from tests.conftest import SteppingClock
from tests.health_card.family.household import Household, born_years_ago, refused
from tests.support.city import City, Hospital, Patient, Staff, bearer

TITLE = "血常规"


@dataclass
class Scene:
    """A mother, her son of fifteen with a login of his own, her daughter of six, and a hospital that treats them."""

    household: Household
    son: Patient
    daughter_id: UUID
    hospital: Hospital

    @property
    def city(self) -> City:
        return self.household.city

    @property
    def mother(self) -> Patient:
        return self.household.mother

    def grant(self, by: Actor, person_id: UUID, **life: float) -> UUID:
        """This login lets the hospital see the person's records."""
        with db.transaction() as session:
            opened = consent.open_grant(
                session,
                by,
                person_id=person_id,
                recipient=consent.Recipient(hospital_id=self.hospital.id),
                scope=consent.Scope(),
                purpose=consent.Purpose.CONSULTATION,
                opened_by=consent.OpenedBy.PATIENT,
                expires_at=clock.now() + timedelta(**life or {"days": 30}),
            )
        return opened.id

    def end_of(self, grant_id: UUID) -> datetime:
        with db.transaction() as session:
            found: datetime | None = session.scalar(
                text("SELECT expires_at FROM grants WHERE id = :id"), {"id": grant_id}
            )
        assert found is not None
        return found

    def revoke(self, who: Patient, grant_id: UUID) -> TestResponse:
        return self.city.client.post(f"/api/v1/grants/{grant_id}/revoke", headers=bearer(who.token))

    def granted(self, who: Patient) -> set[str]:
        reply = self.city.client.get("/api/v1/grants", headers=bearer(who.token))
        return {grant["id"] for grant in reply.json["grants"]}

    def born(self, person_id: UUID, born: date) -> None:
        with db.transaction() as session:
            session.execute(
                text("UPDATE persons SET birth_date = :born WHERE id = :id"), {"born": born, "id": person_id}
            )

    def break_glass(self, doctor: Staff, patient: Patient) -> UUID:
        body = {
            "certificate_type": "01",
            "certificate_number": patient.certificate_number,
            "reason": "minor_without_guardian",
            "text": "高热惊厥，监护人联系不上",
            "terminal": self.hospital.terminal,
            "department": "0700",
            "password": doctor.password,
        }
        reply = self.city.client.post("/api/v1/emergency-accesses", json=body, headers=bearer(doctor.token))
        assert reply.status_code == 201, reply.text
        return UUID(reply.json["grant_id"])


def hold(login: Patient, person_id: UUID, relation: Relation, valid_until: datetime | None = None) -> None:
    """The person, or a desk, has agreed that this login acts for him."""
    with db.transaction() as session:
        session.add(
            Holder(
                login_id=login.actor.id,
                person_id=person_id,
                relation=relation.value,
                created_at=clock.now(),
                confirmed_at=clock.now(),
                valid_until=valid_until,
            )
        )


@pytest.fixture(scope="module")
def scene_of_module(module_city: City) -> Scene:
    household = Household.open(module_city)
    son = household.minor(15)
    hold(household.mother, son.person_id, Relation.CHILD, clock.now() + timedelta(days=900))
    household.add(household.mother)
    with db.transaction() as session:
        child = "SELECT person_id FROM holders WHERE login_id = :login AND relation = 'child' AND person_id <> :son"
        daughter_id = session.scalar(text(child), {"login": household.mother.actor.id, "son": son.person_id})
    assert daughter_id is not None
    return Scene(household, son, daughter_id, household.hospital)


@pytest.fixture
def scene(scene_of_module: Scene, city: City) -> Scene:
    return scene_of_module


def test_what_a_guardian_allows_about_a_child_ends_with_the_day_before_its_14th_birthday(
    scene: Scene, stepping_clock: SteppingClock
) -> None:
    stepping_clock.time = datetime(2030, 5, 10, 4, tzinfo=UTC)
    scene.born(scene.daughter_id, date(2016, 5, 20))
    grant_id = scene.grant(scene.mother.actor, scene.daughter_id, days=365)
    assert scene.end_of(grant_id) == datetime(2030, 5, 20, tzinfo=clock.CITY_ZONE)
    stepping_clock.time = scene.end_of(grant_id) - timedelta(seconds=1)
    assert sees(scene, scene.daughter_id)
    stepping_clock.forward(seconds=1)
    assert not sees(scene, scene.daughter_id)


def sees(scene: Scene, person_id: UUID) -> bool:
    doctor = scene.city.staff(scene.hospital)
    try:
        with db.transaction() as session:
            consent.release(session, doctor.actor, person_id=person_id, action="tests.read")
    except consent.NothingShared:
        return False
    return True


def test_what_comes_to_an_end_before_that_keeps_its_own_end(scene: Scene, stepping_clock: SteppingClock) -> None:
    grant_id = scene.grant(scene.mother.actor, scene.daughter_id, days=30)
    assert scene.end_of(grant_id) == stepping_clock.time + timedelta(days=30)


def test_what_a_minor_allows_himself_is_not_cut_short(scene: Scene, stepping_clock: SteppingClock) -> None:
    grant_id = scene.grant(scene.son.actor, scene.son.person_id, days=3650)
    assert scene.end_of(grant_id) == stepping_clock.time + timedelta(days=3650)


def test_from_14_on_the_minor_takes_back_and_not_his_guardian_who_reads_it(scene: Scene) -> None:
    grant_id = scene.grant(scene.son.actor, scene.son.person_id)
    assert str(grant_id) in scene.granted(scene.mother)
    assert refused(scene.revoke(scene.mother, grant_id)) == (403, "consent.minor_decides")
    narrower = {"version": 1, "kinds": ["laboratory"]}
    narrowed = scene.household.post(scene.mother, f"/grants/{grant_id}/narrow", narrower)
    assert refused(narrowed) == (403, "consent.minor_decides")
    assert sees(scene, scene.son.person_id)
    assert scene.revoke(scene.son, grant_id).status_code == 200
    assert not sees(scene, scene.son.person_id)


@pytest.mark.usefixtures("stepping_clock")
def test_under_14_a_guardian_takes_back_at_14_not_any_more(scene: Scene) -> None:
    first, second = (scene.grant(scene.mother.actor, scene.daughter_id) for _ in range(2))
    scene.born(scene.daughter_id, born_years_ago(14))
    assert refused(scene.revoke(scene.mother, first)) == (403, "consent.minor_decides")
    scene.born(scene.daughter_id, born_years_ago(14, days=1))
    assert scene.revoke(scene.mother, second).status_code == 200


@pytest.mark.parametrize("relation", [Relation.SPOUSE, Relation.PARENT, Relation.WARD])
def test_who_acts_for_a_grown_person_takes_back_for_him(scene: Scene, relation: Relation) -> None:
    grown = scene.city.patient("周测试")
    hold(scene.mother, grown.person_id, relation)
    grant_id = scene.grant(grown.actor, grown.person_id)
    assert scene.revoke(scene.mother, grant_id).status_code == 200
    stranger = scene.city.patient("吴测试")
    assert refused(scene.revoke(stranger, grant_id)) == (404, "consent.grant_not_found")


def test_at_18_a_guardian_finds_nothing_any_more_with_nothing_running(
    scene: Scene, stepping_clock: SteppingClock
) -> None:
    child = scene.household.minor(17)
    turning = stepping_clock.time + timedelta(minutes=5)
    hold(scene.mother, child.person_id, Relation.CHILD, turning)
    grant_id = scene.grant(child.actor, child.person_id)
    assert str(grant_id) in scene.granted(scene.mother)
    stepping_clock.time = turning
    assert str(grant_id) not in scene.granted(scene.mother)
    assert refused(scene.revoke(scene.mother, grant_id)) == (404, "consent.grant_not_found")
    reply = scene.city.client.get(f"/api/v1/grants/{grant_id}/emergency", headers=bearer(scene.mother.token))
    assert refused(reply) == (404, "consent.emergency_not_found")
    assert sees(scene, child.person_id)


def test_of_an_emergency_the_minor_and_his_guardian_are_told_and_the_minor_ends_it(scene: Scene) -> None:
    doctor = scene.city.staff(scene.hospital)
    grant_id = scene.break_glass(doctor, scene.son)
    for who in (scene.son, scene.mother):
        notices = scene.city.client.get("/api/v1/notices", headers=bearer(who.token)).json["notices"]
        assert notices[0]["kind"] == "break_glass"
        told = scene.city.client.get(f"/api/v1/grants/{grant_id}/emergency", headers=bearer(who.token))
        assert told.json["reason"] == "minor_without_guardian"
    assert refused(scene.revoke(scene.mother, grant_id)) == (403, "consent.minor_decides")
    assert scene.revoke(scene.son, grant_id).json["status"] == "revoked"


def test_what_a_guardian_did_stands_in_the_log_under_his_name(scene: Scene) -> None:
    grant_id = scene.grant(scene.mother.actor, scene.daughter_id)
    assert scene.revoke(scene.mother, grant_id).status_code == 200
    rows = scene.city.client.get("/api/v1/access-log", headers=bearer(scene.mother.token)).json["rows"]
    mine = {row["action"]: row["who"] for row in rows if row.get("grant_id") == str(grant_id)}
    assert mine == {"consent.grant.opened": "监护人", "consent.grant.revoked": "监护人"}
