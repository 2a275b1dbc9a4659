"""Who is told of a report: of a new one the patient, of a changed one whoever had read what it said before."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select

from accounts.models import Role
from consent import service as consent
from core import db
from core.dispatch import Dispatcher
from health_card import service as health_card
from health_card.notices import reading
from health_card.notices.models import Notice
from health_card.notices.reading import NoticeView
from records.news import jobs, service
from records.releasing import service as releasing
from records.releasing.models import Mode
from records.releasing.service import Matter
from tests.conftest import SteppingClock
from tests.health_card.family.household import Household
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Machine, Patient, Staff, bearer
from tests.support.documents import DOCUMENT, send_document
from tests.support.fhir import bundle, card, observation, report, report_id_of, send


@dataclass
class Ward:
    """A laboratory that sends reports about one patient, and a worker that tells of them."""

    city: City
    clock: SteppingClock
    home: Hospital
    patient: Patient
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)

    def laboratory(self) -> Machine:
        """Its tokens live five minutes, and the clock is moved further than that."""
        return self.city.machine(self.home)

    def file(self, **changes: Any) -> UUID:
        """A new report; nobody is told before ``tell``."""
        body = report(card(self.patient.card_number), **changes)
        report_id = report_id_of(send(self.city, self.laboratory(), bundle(body, observation())))
        self.sent[report_id] = body
        return UUID(report_id)

    def change(self, report_id: UUID, status: str = "corrected", value: float = 5.1) -> None:
        body = self.sent[str(report_id)] | {"status": status}
        result = observation(valueQuantity={"value": value, "unit": "mmol/L"})
        assert send(self.city, self.laboratory(), bundle(body, result)).status_code == 200

    def tell(self) -> None:
        """The worker tells what is to be told, after the pause that changes keep."""
        for _ in range(2):
            Dispatcher(self.city.app, jobs.HANDLERS).run_due()
            self.clock.forward(seconds=service.SETTLED_AFTER.total_seconds())

    def read(self, who: Patient | Staff, report_id: UUID) -> None:
        reply = self.city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(who.token))
        assert reply.status_code == 200, reply.text

    def treat(self, hospital: Hospital) -> Staff:
        doctor = self.city.staff(hospital, name="王测试")
        self.city.visit(doctor, self.patient, hospital)
        return doctor

    def told(self, who: Patient | None = None) -> list[NoticeView]:
        """What stands in the app about reports, oldest first."""
        with db.snapshot() as session:
            notices = reading.list_notices(session, (who or self.patient).actor)
        return [each for each in reversed(notices) if each.kind.startswith("report")]

    def kinds(self, who: Patient | None = None) -> list[str]:
        return [each.kind for each in self.told(who)]

    def corrections(self, who: Staff, **query: str) -> list[dict[str, Any]]:
        reply = self.city.client.get("/api/v1/corrections", query_string=query, headers=bearer(who.token))
        assert reply.status_code == 200, reply.text
        return list(reply.json["corrections"])


@pytest.fixture
def ward(city: City, app: Flask, stepping_clock: SteppingClock) -> Ward:
    home = city.hospital("市第一测试医院")
    ward = Ward(city, stepping_clock, home, city.patient())
    Dispatcher(app, jobs.HANDLERS).run_due()
    return ward


def test_groups_that_were_filed_are_told_of_together_and_few_persons_are_locked_at_once(ward: Ward) -> None:
    first, second, third = ([str(ward.file())] for _ in range(3))
    filed = [first, second, third * (jobs.MANY_REPORTS - 1), second]
    with db.transaction() as session:
        left = jobs.tell_of_many_new(session, [{"report_ids": ids} for ids in filed])
    assert left == {2: 0, 3: 0}
    assert ward.kinds() == ["report_new"]


def test_a_new_report_is_told_without_a_word_of_it(ward: Ward) -> None:
    report_id = ward.file()
    ward.tell()
    ward.tell()
    (notice,) = ward.told()
    assert (notice.kind, notice.title) == ("report_new", "您有新的检查检验报告")
    assert (notice.object_kind, notice.object_id, notice.facts) == ("report", report_id, {"version": 1})
    assert [word for word in ("生化", "葡萄糖", "mmol") if word in str(notice)] == []


def test_reports_of_one_hospital_within_minutes_are_one_notice_until_it_is_seen(ward: Ward) -> None:
    for _ in range(3):
        ward.file()
    ward.tell()
    assert ward.kinds() == ["report_new"]
    ward.home = ward.city.hospital("市第二测试医院")
    ward.file()
    ward.tell()
    assert [each.hospital_name for each in ward.told()] == ["市第一测试医院", "市第二测试医院"]
    seen = ward.told()[-1].id
    with db.transaction() as session:
        reading.see_notice(session, ward.patient.actor, notice_id=seen)
    ward.file()
    ward.tell()
    ward.clock.forward(minutes=11)
    ward.file()
    ward.tell()
    assert ward.kinds() == ["report_new"] * 4


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        (["partial", "final"], ["report_new", "report_new"]),
        (["final", "corrected"], ["report_new"]),
        (["partial", "cancelled"], ["report_new"]),
        (["cancelled"], []),
    ],
)
def test_what_nobody_has_read_is_told_only_when_it_is_new(ward: Ward, statuses: list[str], told: list[str]) -> None:
    first, *others = statuses
    report_id = ward.file(status=first)
    ward.tell()
    for status in others:
        ward.clock.forward(minutes=11)
        ward.change(report_id, status)
        ward.tell()
    assert ward.kinds() == told


@pytest.mark.parametrize("status", ["amended", "corrected", "cancelled", "final"])
def test_a_change_is_told_to_the_patient_and_to_the_hospitals_that_had_read_it(ward: Ward, status: str) -> None:
    here, there, report_id = ward.city.hospital("市第二测试医院"), ward.city.hospital(), ward.file()
    reader, other = ward.treat(here), ward.treat(there)
    ward.read(reader, report_id)
    ward.change(report_id, status)
    ward.tell()
    assert ward.kinds()[-1] == "report_amended"
    (noted,) = ward.corrections(reader)
    assert ward.corrections(other) == []
    assert (noted["report_id"], noted["person_name"], noted["hospital_name"]) == (
        str(report_id),
        "张*试",
        "市第一测试医院",
    )
    assert (noted["read_version"], noted["report_version"], noted["status"]) == (1, 2, status)
    assert [word for word in ("生化", "葡萄糖", "mmol", ward.patient.name) if word in str(noted)] == []
    ward.tell()
    assert len(ward.corrections(reader)) == 1


def test_who_opened_only_what_came_inside_is_told_too(ward: Ward) -> None:
    reader = ward.treat(ward.city.hospital("市第二测试医院"))
    report_id = send_document(ward.city, ward.home, ward.patient, order="D1")
    address = f"/api/v1/reports/{report_id}/attachments/1"
    assert ward.city.client.get(address, headers=bearer(reader.token)).status_code == 200
    send_document(ward.city, ward.home, ward.patient, DOCUMENT + b"%2", order="D1")
    ward.tell()
    (noted,) = ward.corrections(reader)
    assert (noted["report_id"], noted["read_version"]) == (str(report_id), 1)


@pytest.mark.parametrize("is_doctor", [True, False])
def test_who_read_the_new_version_already_is_not_told_of_it(ward: Ward, is_doctor: bool) -> None:
    report_id, doctor = ward.file(), ward.treat(ward.city.hospital())
    ward.change(report_id)
    ward.read(doctor if is_doctor else ward.patient, report_id)
    ward.tell()
    assert (ward.kinds(), ward.corrections(doctor)) == (["report_new"], [])


def test_a_look_that_was_under_way_counts_too(ward: Ward, app: Flask) -> None:
    report_id, reader = ward.file(), ward.treat(ward.city.hospital())
    ward.tell()
    ward.change(report_id)
    Dispatcher(app, jobs.HANDLERS).run_due()
    with db.transaction() as session:
        look: dict[str, Any] = {
            "person_id": ward.patient.person_id,
            "action": "records.report.read",
            "facts": {"version": 1},
        }
        consent.release(session, reader.actor, of=("report", report_id), **look)
    ward.tell()
    assert len(ward.corrections(reader)) == 1


def test_a_correction_is_seen_once_and_by_its_hospital_only(ward: Ward) -> None:
    report_id, reader = ward.file(), ward.treat(ward.city.hospital())
    ward.read(reader, report_id)
    ward.change(report_id)
    ward.tell()
    (noted,) = ward.corrections(reader, is_seen="false")
    path = f"/api/v1/corrections/{noted['id']}/seen"
    stranger = ward.city.staff(ward.city.hospital())
    refused = ward.city.client.post(path, headers=bearer(stranger.token))
    assert (refused.status_code, refused.json["code"]) == (404, "records.correction_not_found")
    first, again = (ward.city.client.post(path, headers=bearer(reader.token)).json for _ in range(2))
    assert first["seen_at"] == again["seen_at"]
    assert (ward.corrections(reader, is_seen="false"), len(ward.corrections(reader, is_seen="true"))) == ([], 1)
    assert ward.corrections(reader, before=noted["id"]) == []
    registrar = ward.city.staff(ward.home, Role.REGISTRAR)
    assert ward.city.client.get("/api/v1/corrections", headers=bearer(registrar.token)).status_code == 403


def test_the_chart_says_so_until_the_report_is_read_again(ward: Ward) -> None:
    hospital, report_id = ward.city.hospital("市第二测试医院"), ward.file()
    doctor = ward.city.staff(hospital)
    visit_id = ward.city.visit(doctor, ward.patient, hospital)
    browser = Browser(ward.city.app)
    browser.sign_in(doctor)
    browser.get(f"/visits/{visit_id}?open={report_id}")
    assert "已有更改" not in browser.get(f"/visits/{visit_id}").text
    ward.change(report_id)
    ward.tell()
    shown = browser.get(f"/visits/{visit_id}").text
    assert "本院查看过的报告已有更改" in shown
    assert "查看的是第 1 版，现为第 2 版" in shown
    browser.get(f"/visits/{visit_id}?open={report_id}")
    assert "已有更改" not in browser.get(f"/visits/{visit_id}").text
    assert [each["seen_at"] is not None for each in ward.corrections(doctor)] == [True]


def test_a_hidden_report_is_news_to_the_minor_alone(ward: Ward) -> None:
    household = Household.open(ward.city)
    minor, mother = household.minor(), household.mother
    code = household.invite(mother, kind="consent", relation="child").json["code"]
    assert household.accept(minor, code).status_code == 200
    ward.patient = minor
    report_id = ward.file()
    ward.read(minor, report_id)
    ward.tell()
    assert (ward.kinds(minor), ward.kinds(mother)) == (["report_new"], ["report_new"])
    assert household.post(minor, f"/timeline/{report_id}/hide", {}).status_code == 200
    ward.change(report_id)
    ward.tell()
    assert (ward.kinds(minor), ward.kinds(mother)) == (["report_new", "report_amended"], [])
    with db.transaction() as session:
        health_card.tell_person(session, person_id=minor.person_id, kind="report_new", own_only=True)
    assert "report_new" not in ward.kinds(mother)
    assert household.post(minor, f"/timeline/{report_id}/show", {}).status_code == 200
    assert ward.kinds(mother) == ["report_new", "report_amended"]


HIV = ("7917-8", "HIV抗体")


def hold(ward: Ward, **rule: Any) -> None:
    operator = ward.city.staff(None, Role.OPERATOR).actor
    with db.transaction() as session:
        releasing.set_rule(session, operator, matter=Matter(category="laboratory"), mode=Mode.AFTER_REVIEW, **rule)


def test_what_is_held_back_is_told_when_a_doctor_releases_it(ward: Ward) -> None:
    hold(ward)
    report_id = ward.file()
    ward.tell()
    assert ward.kinds() == []
    doctor = ward.city.staff(ward.home)
    path = f"/api/v1/reports/{report_id}/release"
    assert ward.city.client.post(path, headers=bearer(doctor.token)).status_code == 204
    ward.tell()
    ward.tell()
    assert ward.kinds() == ["report_new"]


def test_what_opens_by_itself_is_told_on_its_day(ward: Ward) -> None:
    hold(ward, review_days=2)
    ward.file()
    for hours, kinds in ((47, []), (1, ["report_new"])):
        ward.clock.forward(hours=hours)
        ward.tell()
        assert ward.kinds() == kinds


def test_of_what_is_sensitive_only_the_person_himself_is_told(ward: Ward) -> None:
    ward.treat(ward.home)
    now = ward.clock.time.isoformat()
    body = report(card(ward.patient.card_number), effectiveDateTime=now, issued=now)
    reply = send(ward.city, ward.laboratory(), bundle(body, observation(*HIV)))
    ward.tell()
    with db.transaction() as session:
        (notice,) = session.scalars(select(Notice).filter_by(object_id=UUID(report_id_of(reply)), kind="report_new"))
    assert notice.own_only
