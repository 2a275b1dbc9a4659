"""A scan opens a visit or continues one; a visit ends when the hospital says so, or when it has run out."""

from datetime import UTC, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update
from werkzeug.test import TestResponse

from accounts.models import Role
from consent.models import Grant
from core import clock, db
from core.audit import AuditEntry
from core.dispatch import Dispatcher
from core.ids import new_id
from core.outbox import OutboxMessage
from records.visits import jobs
from records.visits.closing import EXPIRING_TOPIC
from records.visits.models import Visit, VisitStep
from tests.conftest import SteppingClock
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Patient, Staff, bearer

REGISTER, DIAGNOSE, EXAMINE = "010101", "010102", "010104"


class Ward:
    """A hospital, its registrar and its doctor, and a patient."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.hospital: Hospital = city.hospital()
        self.registrar: Staff
        self.doctor: Staff
        self.sign_in()
        self.patient: Patient = city.patient()

    def sign_in(self) -> None:
        """Somebody who sits at the desk, and a doctor: sessions end when nothing is done for half an hour."""
        self.registrar = self.city.staff(self.hospital, Role.REGISTRAR)
        self.doctor = self.city.staff(self.hospital)

    def scan(self, kind: str = "dynamic", **changes: Any) -> Any:
        """What the desk is shown."""
        if kind == "static":
            changes["certificate_number"] = self.patient.certificate_number
        reply = self.city.scan(self.registrar, self.city.code(self.patient, kind), self.hospital, **changes)
        assert reply.status_code == 201, reply.text
        return reply.json

    def close(self, visit_id: object, by: Staff | None = None) -> TestResponse:
        return self.city.client.post(f"/api/v1/visits/{visit_id}/close", headers=bearer((by or self.registrar).token))

    def read(self, visit_id: object) -> TestResponse:
        return self.city.client.get(f"/api/v1/visits/{visit_id}/timeline", headers=bearer(self.doctor.token))

    def grants(self) -> list[dict[str, Any]]:
        grants: list[dict[str, Any]] = self.city.client.get("/api/v1/grants", headers=self.phone).json["grants"]
        return grants

    def revoke(self, grant_id: object) -> TestResponse:
        return self.city.client.post(f"/api/v1/grants/{grant_id}/revoke", headers=self.phone)

    def acts(self) -> list[str]:
        rows = self.city.client.get("/api/v1/access-log", headers=self.phone).json["rows"]
        return [row["action"] for row in rows]

    def listed(self, query: str = "", by: Staff | None = None) -> list[dict[str, Any]]:
        reply = self.city.client.get(f"/api/v1/visits{query}", headers=bearer((by or self.registrar).token))
        assert reply.status_code == 200, reply.text
        visits: list[dict[str, Any]] = reply.json["visits"]
        return visits

    def work(self) -> int:
        return Dispatcher(self.city.app, jobs.HANDLERS).run_due()

    @property
    def phone(self) -> dict[str, str]:
        return bearer(self.patient.token)


@pytest.fixture
def ward(city: City, stepping_clock: SteppingClock) -> Ward:
    """At ten in the morning, so that a day is not over in between."""
    ten = clock.in_city(stepping_clock.time).replace(hour=10, minute=0, second=0, microsecond=0)
    stepping_clock.time = ten.astimezone(UTC)
    with db.transaction() as session:
        session.execute(text("DELETE FROM outbox_messages"))
    return Ward(city)


def count(kind: type[Visit] | type[VisitStep] | type[Grant] | type[AuditEntry]) -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count()).select_from(kind)) or 0


# Continued or new


def test_a_scan_continues_the_open_visit_and_every_scan_is_kept(ward: Ward, stepping_clock: SteppingClock) -> None:
    first = ward.scan()
    stepping_clock.forward(minutes=4)
    second = ward.scan(medical_step=EXAMINE, department="3200")
    stepping_clock.forward(minutes=4)
    third = ward.scan("static", medical_step=DIAGNOSE)
    assert {scan["visit_id"] for scan in (first, second, third)} == {first["visit_id"]}
    assert [scan["is_new"] for scan in (first, second, third)] == [True, False, False]
    assert (second["department"], second["medical_step"]) == ("3200", EXAMINE)
    assert second["opened_at"] == first["opened_at"]
    kept = [(step["department"], step["medical_step"], step["code_class"]) for step in third["steps"]]
    assert kept == [("0300", REGISTER, "D"), ("3200", EXAMINE, "D"), ("0300", DIAGNOSE, "S")]
    assert ward.acts().count("records.visit.continued") == 2
    notices = ward.city.client.get("/api/v1/notices", headers=ward.phone).json["notices"]
    assert [(notice["kind"], notice["object_id"]) for notice in notices] == [("identified", first["visit_id"])] * 3


def test_a_registration_elsewhere_in_the_house_opens_another_visit(ward: Ward) -> None:
    inner = ward.scan(department="0300")["visit_id"]
    skin = ward.scan(department="1300")["visit_id"]
    assert inner != skin
    assert ward.scan(department="0300")["visit_id"] == inner
    assert ward.scan(department="0300", medical_step=DIAGNOSE)["visit_id"] == inner
    assert ward.scan(department="1300", medical_step=DIAGNOSE)["visit_id"] == skin
    assert ward.scan(department="3200", medical_step=EXAMINE)["visit_id"] == skin, "the newest when none is its own"


def test_a_new_visit_is_opened_when_the_desk_says_so(ward: Ward) -> None:
    assert ward.scan()["visit_id"] != ward.scan(new_visit=True)["visit_id"]


def test_another_kind_another_hospital_and_another_patient_have_their_own(ward: Ward) -> None:
    first = ward.scan()["visit_id"]
    assert ward.scan(visit_kind="E")["visit_id"] != first
    other = Ward(ward.city)
    other.patient = ward.patient
    assert other.scan()["visit_id"] != first
    ward.patient = ward.city.patient()
    assert ward.scan()["visit_id"] != first


def test_a_registration_counts_for_its_day_and_other_steps_for_24_hours(
    ward: Ward, stepping_clock: SteppingClock
) -> None:
    first = ward.scan()["visit_id"]
    stepping_clock.forward(hours=13, minutes=59)
    ward.sign_in()
    assert ward.scan()["visit_id"] == first, "23:59"
    stepping_clock.forward(minutes=1)
    assert ward.scan(medical_step=EXAMINE)["visit_id"] == first, "midnight"
    assert ward.scan()["visit_id"] != first, "registered on another day"


def test_no_scan_continues_what_has_run_out(ward: Ward, stepping_clock: SteppingClock) -> None:
    first = ward.scan(medical_step=DIAGNOSE)["visit_id"]
    stepping_clock.forward(hours=24)
    ward.sign_in()
    assert ward.scan(medical_step=DIAGNOSE)["visit_id"] != first


def test_where_a_registration_counts_three_days_it_does(
    ward: Ward, stepping_clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    three = vars(ward.city.config) | {"visit_days": 3}
    monkeypatch.setitem(ward.city.app.extensions, "yimatong.config", type(ward.city.config)(**three))
    first = ward.scan()["visit_id"]
    stepping_clock.forward(days=2)
    ward.sign_in()
    assert ward.scan()["visit_id"] == first
    stepping_clock.forward(hours=14)
    ward.sign_in()
    assert ward.scan()["visit_id"] != first


def test_an_inpatient_visit_lasts_until_it_is_closed(ward: Ward, stepping_clock: SteppingClock) -> None:
    stay = ward.scan(visit_kind="I")["visit_id"]
    stepping_clock.forward(days=30)
    ward.sign_in()
    ward.work()
    assert ward.scan(visit_kind="I")["visit_id"] == stay
    ward.close(stay)
    assert ward.scan(visit_kind="I")["visit_id"] != stay


@pytest.mark.parametrize("department", ["300", "0399", "9900", "内科", "0300 1"])
def test_a_department_that_is_not_in_the_list_is_refused(ward: Ward, department: str) -> None:
    code = ward.city.code(ward.patient)
    before = count(Visit), count(VisitStep)
    reply = ward.city.scan(ward.registrar, code, ward.hospital, department=department)
    assert (reply.status_code, reply.json["code"]) == (422, "records.department_unknown")
    assert "leading zero" in reply.text
    assert (count(Visit), count(VisitStep)) == before
    assert ward.city.scan(ward.registrar, code, ward.hospital).status_code == 201, "the code is still good"


# What is shared


def test_a_visit_has_one_grant_which_every_showing_extends(ward: Ward, stepping_clock: SteppingClock) -> None:
    first = ward.scan()
    stepping_clock.forward(minutes=4)
    again = ward.scan(medical_step=EXAMINE)
    (grant,) = ward.grants()
    assert (grant["version"], grant["expires_at"]) == (2, again["access_until"])
    assert again["access_until"] > first["access_until"]
    assert ward.acts().count("consent.grant.extended") == 1
    stepping_clock.forward(minutes=4)
    static = ward.scan("static", medical_step=DIAGNOSE)
    assert static["access_until"] == again["access_until"], "a static code shares nothing"
    ward.revoke(grant["id"])
    assert ward.read(first["visit_id"]).json["code"] == "consent.nothing_shared"


def test_a_revoked_visit_is_shared_again_only_by_another_dynamic_code(
    ward: Ward, stepping_clock: SteppingClock
) -> None:
    code = ward.city.code(ward.patient)
    visit_id = ward.city.scan(ward.registrar, code, ward.hospital).json["visit_id"]
    ward.revoke(ward.grants()[0]["id"])
    stepping_clock.forward(seconds=5)
    assert ward.city.scan(ward.registrar, code, ward.hospital).json["visit_id"] == visit_id, "the same showing"
    ward.scan("static")
    assert ward.read(visit_id).json["code"] == "consent.nothing_shared"
    assert ward.scan()["visit_id"] == visit_id
    assert ward.read(visit_id).status_code == 200
    assert sorted((grant["status"], grant["version"]) for grant in ward.grants()) == [("in_force", 1), ("revoked", 2)]


def test_a_revoke_ends_all_that_the_same_hospital_may_see_of_the_person(ward: Ward) -> None:
    visits = [ward.scan()["visit_id"], ward.scan(department="1300")["visit_id"]]
    elsewhere, other = Ward(ward.city), Ward(ward.city)
    elsewhere.patient = ward.patient
    other.hospital, other.registrar, other.doctor = ward.hospital, ward.registrar, ward.doctor
    untouched = [(elsewhere, elsewhere.scan()["visit_id"]), (other, other.scan()["visit_id"])]
    here = [grant for grant in ward.grants() if grant["visit_id"] in visits]
    assert ward.revoke(here[0]["id"]).json["status"] == "revoked"
    for visit_id in visits:
        assert ward.read(visit_id).json["code"] == "consent.nothing_shared"
    for place, visit_id in untouched:
        assert place.read(visit_id).status_code == 200


# Closing


def test_closing_ends_the_visit_and_what_was_shared_for_it(ward: Ward, stepping_clock: SteppingClock) -> None:
    visit_id = ward.scan()["visit_id"]
    stepping_clock.forward(minutes=4)
    closed = ward.close(visit_id, by=ward.doctor)
    assert (closed.status_code, closed.json["visit_id"]) == (200, visit_id)
    assert closed.json["closed_at"]
    assert closed.get_json().get("access_until") is None
    assert ward.read(visit_id).json["code"] == "consent.nothing_shared"
    assert [(grant["status"], grant["version"]) for grant in ward.grants()] == [("expired", 2)]
    assert {"records.visit.closed", "consent.grant.ended"} <= set(ward.acts())
    assert ward.scan()["visit_id"] != visit_id


def test_closing_again_changes_nothing(ward: Ward, stepping_clock: SteppingClock) -> None:
    visit_id = ward.scan()["visit_id"]
    stepping_clock.forward(minutes=1)
    first = ward.close(visit_id).json
    stepping_clock.forward(minutes=4)
    assert ward.close(visit_id).json == first
    acts = ward.acts()
    assert (acts.count("records.visit.closed"), acts.count("consent.grant.ended")) == (1, 1)


def test_closing_one_visit_leaves_the_other_shared(ward: Ward, stepping_clock: SteppingClock) -> None:
    first, second = ward.scan()["visit_id"], ward.scan(department="1300")["visit_id"]
    stepping_clock.forward(minutes=4)
    ward.close(first)
    assert ward.read(second).status_code == 200


def test_only_the_house_itself_closes_a_visit(ward: Ward) -> None:
    visit_id = ward.scan()["visit_id"]
    stranger = ward.city.staff(ward.city.hospital(), Role.REGISTRAR)
    for wanted, by in ((visit_id, stranger), (new_id(), ward.registrar)):
        reply = ward.close(wanted, by=by)
        assert (reply.status_code, reply.json["code"]) == (404, "records.visit_not_found")
    assert ward.city.client.post(f"/api/v1/visits/{visit_id}/close", headers=ward.phone).status_code == 403
    assert "closed_at" not in ward.scan()


def test_a_visit_that_was_disowned_is_not_continued(ward: Ward) -> None:
    visit_id = ward.scan()["visit_id"]
    ward.city.client.post(f"/api/v1/visits/{visit_id}/not-me", headers=ward.phone)
    assert ward.scan()["visit_id"] != visit_id


def test_the_worker_closes_what_has_run_out_and_leaves_the_grant_its_time(
    ward: Ward, stepping_clock: SteppingClock
) -> None:
    visit_id = ward.scan()["visit_id"]
    stepping_clock.forward(hours=23)
    ward.sign_in()
    ward.scan(medical_step=DIAGNOSE)
    assert ward.work() == 0
    stepping_clock.forward(hours=1)
    ward.sign_in()
    assert ward.work() == 1
    assert [line["visit_id"] for line in ward.listed("?state=closed")] == [visit_id]
    assert ward.read(visit_id).status_code == 200, "the patient was told: until tomorrow"
    with db.transaction() as session:
        message = session.scalars(select(OutboxMessage).filter_by(topic=EXPIRING_TOPIC)).one()
        closed_at = session.get_one(Visit, UUID(visit_id)).closed_at
        payload = dict(message.payload)
    stepping_clock.forward(hours=1)
    jobs.close_run_out(payload)
    with db.transaction() as session:
        assert session.get_one(Visit, UUID(visit_id)).closed_at == closed_at, "done again, nothing is changed"


def test_a_visit_that_lasts_longer_by_now_is_closed_later(
    ward: Ward, stepping_clock: SteppingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ward.scan()
    two = vars(ward.city.config) | {"visit_days": 2}
    monkeypatch.setitem(ward.city.app.extensions, "yimatong.config", type(ward.city.config)(**two))
    stepping_clock.forward(days=1)
    ward.sign_in()
    assert ward.work() == 1
    assert len(ward.listed()) == 1
    stepping_clock.forward(days=1)
    ward.sign_in()
    assert ward.work() == 1
    assert ward.listed() == []


# The list


def test_the_list_shows_open_and_closed_visits_of_the_house_in_pages(ward: Ward, stepping_clock: SteppingClock) -> None:
    ids = []
    for department in ("0300", "1300", "1000"):
        ids.append(ward.scan(department=department)["visit_id"])
        stepping_clock.forward(minutes=1)
    ward.scan(department="3200", medical_step=EXAMINE)
    newest, middle = ward.listed("?limit=2")
    (oldest,) = ward.listed(f"?limit=2&before={middle['visit_id']}")
    assert [line["visit_id"] for line in (oldest, middle, newest)] == ids
    assert (newest["name"], newest["kind"]) == ("张*试", "O")
    assert (newest["department"], newest["medical_step"]) == ("3200", EXAMINE), "of the last scan"
    ward.close(ids[0])
    assert [line["visit_id"] for line in ward.listed("?state=closed")] == [ids[0]]
    assert [line["visit_id"] for line in ward.listed()] == [ids[2], ids[1]]
    assert ward.listed(by=ward.city.staff(ward.city.hospital())) == []
    with db.transaction() as session:
        mine = select(AuditEntry).filter_by(action="records.visit.listed", actor_id=ward.registrar.id)
        assert [act.facts["lines"] for act in session.scalars(mine.order_by(AuditEntry.id))] == [2, 1, 1, 2]


def test_patients_and_machines_have_no_list(ward: Ward) -> None:
    for token in (ward.patient.token, ward.city.machine(ward.hospital).token):
        reply = ward.city.client.get("/api/v1/visits", headers=bearer(token))
        assert (reply.status_code, reply.json["code"]) == (403, "core.permission_missing")


# Pages


def test_the_desk_closes_a_visit_and_shows_that_it_has_ended(ward: Ward) -> None:
    desk = Browser(ward.city.app)
    desk.sign_in(ward.registrar)
    visit_id = ward.scan()["visit_id"]
    assert "结束就诊" in desk.get(f"/desk?visit={visit_id}").text
    reply = desk.post(f"/desk/visits/{visit_id}/close", {})
    assert (reply.status_code, reply.location) == (303, f"/desk?visit={visit_id}")
    page = desk.get(reply.location).text
    assert "本次就诊已于" in page
    assert "结束就诊" not in page
    again = desk.post(f"/desk/visits/{visit_id}/close", {"csrf_token": "0" * 64})
    assert again.status_code == 403


def test_the_desk_sees_that_a_scan_continued_a_visit_or_asks_for_a_new_one(ward: Ward) -> None:
    desk = Browser(ward.city.app)
    desk.sign_in(ward.registrar)
    form = {"terminal": "W01", "department": "0300", "medical_step": REGISTER, "visit_kind": "O"}
    desk.get("/desk")
    shown = [desk.post("/desk", form | {"code": ward.city.code(ward.patient)}).location for _ in range(2)]
    assert shown[0] == shown[1]
    assert "第 2 次扫码" in desk.get(shown[1]).text
    another = desk.post("/desk", form | {"code": ward.city.code(ward.patient), "new_visit": "true"}).location
    assert another != shown[0]
    assert "次扫码" not in desk.get(another).text


def test_the_chart_offers_to_close_the_visit(ward: Ward) -> None:
    doctor = Browser(ward.city.app)
    doctor.sign_in(ward.doctor)
    visit_id = ward.scan()["visit_id"]
    assert f'action="/desk/visits/{visit_id}/close"' in doctor.get(f"/visits/{visit_id}").text


def test_a_scan_that_was_kept_is_never_changed(ward: Ward) -> None:
    ward.scan()
    with pytest.raises(Exception, match="append-only"), db.transaction() as session:
        session.execute(update(VisitStep).values(at=clock.now() - timedelta(days=1)))
