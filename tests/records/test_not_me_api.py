"""A patient says: that was not me. The hospital sees nothing any more, and nobody uses an old code again."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text, update
from werkzeug.test import TestResponse

from accounts.models import Role, TerminalFlag
from consent import service as consent
from consent.models import Grant
from core import db
from core.audit import AuditEntry
from health_card.models import Card, Person
from health_card.notices.models import Notice
from records.visits.models import Visit
from tests.conftest import SteppingClock
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Patient, Staff, bearer


class Scene:
    """Somebody was checked in under the patient's name."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.hospital: Hospital = city.hospital()
        self.doctor: Staff = city.staff(self.hospital)
        self.patient: Patient = city.patient()
        self.visit_id = city.visit(self.doctor, self.patient, self.hospital)

    def disown(self, patient: Patient | None = None, visit_id: UUID | None = None) -> TestResponse:
        path = f"/api/v1/visits/{visit_id or self.visit_id}/not-me"
        return self.city.client.post(path, headers=bearer((patient or self.patient).token))

    def read(self, visit_id: UUID | None = None) -> TestResponse:
        path = f"/api/v1/visits/{visit_id or self.visit_id}/timeline"
        return self.city.client.get(path, headers=bearer(self.doctor.token))

    def state(self) -> dict[str, Any]:
        """What disowning changes."""
        mine = self.patient.person_id
        with db.transaction() as session:
            visit = session.get_one(Visit, self.visit_id)
            actions = session.scalars(select(AuditEntry.action).filter_by(subject_id=mine)).all()
            kinds = session.scalars(select(Notice.kind).filter_by(person_id=mine)).all()
            flags = session.scalars(select(TerminalFlag.reason).filter_by(terminal_id=visit.terminal_id)).all()
            return {
                "is_closed": (visit.closed_at is not None, visit.disowned_at is not None),
                "grants": session.scalars(select(Grant.version).filter_by(person_id=mine)).all(),
                "epoch": session.get_one(Card, self.patient.card_id).epoch,
                "disowned": actions.count("records.visit.disowned"),
                "told": kinds.count("visit_disowned"),
                "flags": flags,
                "terminal": str(visit.terminal_id),
            }


@pytest.fixture
def scene(city: City) -> Scene:
    return Scene(city)


def test_the_next_read_of_that_hospital_is_refused(scene: Scene) -> None:
    assert scene.read().status_code == 200
    reply = scene.disown()
    assert reply.status_code == 200
    assert reply.json["visit_id"] == str(scene.visit_id)
    assert reply.json["hospital_name"] == "市第一测试医院"
    refused = scene.read()
    assert (refused.status_code, refused.json["code"]) == (403, "consent.nothing_shared")
    state = scene.state()
    assert (state["is_closed"], state["grants"]) == ((True, True), [2])
    assert state["flags"] == ["not_me"]


def test_every_code_shown_before_is_dead_and_the_next_one_is_good(scene: Scene) -> None:
    code = scene.city.code(scene.patient)
    scene.disown()
    refused = scene.city.scan(scene.doctor, code, scene.hospital)
    assert (refused.status_code, refused.json["code"]) == (410, "health_card.code_revoked")
    scene.city.visit(scene.doctor, scene.patient, scene.hospital)
    assert scene.read().status_code == 200


def test_codes_of_every_record_that_was_merged_are_dead(scene: Scene) -> None:
    other = scene.city.patient()
    code = scene.city.code(other)
    with db.transaction() as session:
        session.execute(update(Person).where(Person.id == other.person_id).values(root_id=scene.patient.person_id))
    assert scene.disown(patient=other).status_code == 200
    assert scene.city.scan(scene.doctor, code, scene.hospital).json["code"] == "health_card.code_revoked"
    assert scene.state()["epoch"] == 1


def test_saying_it_again_changes_nothing(scene: Scene, stepping_clock: SteppingClock) -> None:
    first = scene.disown()
    before = scene.state()
    stepping_clock.forward(minutes=1)
    again = scene.disown()
    assert (again.status_code, again.json) == (200, first.json)
    assert scene.state() == before
    assert (before["epoch"], before["disowned"], before["told"]) == (1, 1, 1)


def test_only_what_was_opened_for_that_visit_ends(scene: Scene) -> None:
    other = scene.city.visit(scene.doctor, scene.patient, scene.hospital, new_visit=True)
    scene.disown(visit_id=other)
    assert scene.read().status_code == 200, "the first visit was the patient's own"
    scene.disown()
    assert scene.read().json["code"] == "consent.nothing_shared"


def test_a_visit_of_somebody_else_does_not_exist(scene: Scene) -> None:
    before = scene.state()
    (waiting, _) = scene.city.login()
    body = {
        "certificate_type": "01",
        "certificate_number": scene.patient.certificate_number,
        "name": scene.patient.name,
        "phone": scene.patient.phone,
    }
    scene.city.client.post("/api/v1/registrations", json=body, headers=bearer(waiting))
    path = f"/api/v1/visits/{scene.visit_id}/not-me"
    for token in (scene.city.patient().token, waiting):
        reply = scene.city.client.post(path, headers=bearer(token))
        assert (reply.status_code, reply.json["code"]) == (404, "records.visit_not_found")
    staff = scene.city.client.post(path, headers=bearer(scene.doctor.token))
    assert (staff.status_code, staff.json["code"]) == (403, "core.permission_missing")
    assert scene.state() == before


def test_the_patient_and_the_desk_are_told(scene: Scene) -> None:
    scene.disown()
    notices = scene.city.client.get("/api/v1/notices", headers=bearer(scene.patient.token)).json["notices"]
    assert [notice["kind"] for notice in notices] == ["visit_disowned", "identified"]
    log = scene.city.client.get("/api/v1/access-log", headers=bearer(scene.patient.token)).json["rows"]
    assert {"records.visit.disowned", "consent.grant.revoked", "health_card.codes.revoked"} <= {
        row["action"] for row in log
    }
    desk = Browser(scene.city.app)
    desk.sign_in(scene.city.staff(scene.hospital, Role.REGISTRAR))
    page = desk.get(f"/desk?visit={scene.visit_id}").text
    assert "声明来者不是本人" in page
    assert "未共享" in page
    assert f"visit={scene.visit_id}" not in desk.get("/desk").text, "it is not among the open visits any more"


def test_said_on_two_phones_at_the_same_moment_it_is_done_once(committing_city: City) -> None:
    for _ in range(3):
        scene, together = Scene(committing_city), threading.Barrier(4)

        def disown(_: int, scene: Scene = scene, together: threading.Barrier = together) -> tuple[int, str]:
            together.wait()
            reply = scene.disown()
            return reply.status_code, reply.json["disowned_at"]

        with ThreadPoolExecutor(4) as pool:
            answers = set(pool.map(disown, range(4)))
        assert len(answers) == 1
        state = scene.state()
        assert (state["epoch"], state["disowned"], state["told"], len(state["flags"])) == (1, 1, 1, 1)
        assert state["grants"] == [2]


def test_it_is_acknowledged_only_when_the_reads_under_the_visit_have_ended(committing_city: City) -> None:
    scene = Scene(committing_city)
    with ThreadPoolExecutor(2) as pool:
        with db.transaction() as session:
            person_id = scene.patient.person_id
            consent.release(session, scene.doctor.actor, person_id=person_id, action="tests.read")
            acknowledged = pool.submit(scene.disown)
            while not pool.submit(somebody_waits, scene.city).result():
                assert not acknowledged.done(), "acknowledged while a read was still going on"
        assert acknowledged.result(timeout=60).status_code == 200
    assert scene.read().json["code"] == "consent.nothing_shared"


def somebody_waits(city: City) -> bool:
    with city.app.app_context(), db.transaction() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
