"""What a rule holds back is to the patient as if it were not there, until its time, or until the house releases it."""

from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import select, text

from accounts.models import Role
from consent import service as consent
from consent.models import RestrictedItem
from core import clock, db
from core.audit import AuditEntry
from core.ids import new_id
from records.fhir import systems
from records.releasing.models import ReleaseRule
from records.reports.incoming import LOINC
from records.timeline import service as timeline
from tests.conftest import SteppingClock
from tests.support import dicom, fhir
from tests.support.administration import Desk, code_of, count
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Machine, Patient, Staff, bearer

RULES = "/release-rules"
HIV, GLUCOSE = ("7917-8", "HIV抗体"), ("2345-7", "葡萄糖")


@dataclass
class Ward:
    """A hospital whose laboratory sends reports of one patient."""

    city: City
    home: Hospital = field(init=False)
    laboratory: Machine = field(init=False)
    doctor: Staff = field(init=False)
    patient: Patient = field(init=False)
    operator: Desk = field(init=False)

    def __post_init__(self) -> None:
        self.home = self.city.hospital()
        self.laboratory, self.doctor = self.city.machine(self.home), self.city.staff(self.home)
        self.patient, self.operator = self.city.patient(), Desk(self.city, Role.OPERATOR)

    def send(self, item: tuple[str, str] = GLUCOSE, **changes: Any) -> str:
        now = clock.in_city(clock.now()).isoformat()
        report = fhir.report((systems.CARD, self.patient.card_number), effectiveDateTime=now, issued=now)
        body = fhir.bundle(report | changes, fhir.observation(*item))
        return fhir.report_id_of(fhir.send(self.city, self.laboratory, body))

    def get(self, path: str, who: Patient | Staff | None = None) -> Any:
        return self.city.client.get(f"/api/v1{path}", headers=bearer((who or self.patient).token))

    def release(self, report_id: object, who: Patient | Staff | None = None, kind: str = "reports") -> Any:
        headers = bearer((who or self.doctor).token)
        return self.city.client.post(f"/api/v1/{kind}/{report_id}/release", headers=headers)

    def listed(self) -> list[str]:
        return [line["object_id"] for line in self.get("/timeline").json["items"]]

    def sees(self, report_id: str) -> bool:
        """Whether the patient finds it, in every place alike."""
        log = {row.get("object_id") for row in self.get("/access-log").json["rows"]}
        found: set[bool] = {
            self.get(f"/reports/{report_id}").status_code == 200,
            report_id in self.listed(),
            report_id in log,
        }
        assert len(found) == 1, "here it is and there it is not"
        return found.pop()


@pytest.fixture(scope="module")
def ward_of_module(module_city: City) -> Ward:
    return Ward(module_city)


@pytest.fixture
def ward(ward_of_module: Ward, city: City) -> Ward:
    return ward_of_module


def test_a_held_report_waits_for_the_doctor_of_its_house(ward: Ward) -> None:
    ward.operator.make(RULES, category="laboratory", mode="after_review")
    report_id = ward.send()
    assert not ward.sees(report_id)
    assert code_of(ward.get(f"/reports/{report_id}")) == (404, "records.report_not_found")
    assert ward.get("/life").json["stages"][-1]["count"] == 0

    elsewhere = ward.city.hospital("市第二测试医院")
    treating = ward.city.staff(elsewhere)
    visit_id = ward.city.visit(treating, ward.patient, elsewhere)
    shown = ward.get(f"/reports/{report_id}", treating)
    assert (shown.status_code, shown.json["is_held"]) == (200, True)
    assert [line["is_held"] for line in ward.get(f"/visits/{visit_id}/timeline", treating).json["items"]] == [True]

    (held,) = ward.get("/held-items", ward.doctor).json["items"]
    assert (held["object_id"], held["object_kind"], held.get("opens_at")) == (report_id, "report", None)
    assert ward.get(f"/held-items?before={report_id}", ward.doctor).json["items"] == []
    assert ward.get("/held-items", treating).json["items"] == []
    assert code_of(ward.release(report_id, treating)) == (404, "records.held_item_not_found")
    assert ward.release(report_id, ward.patient).status_code == 403
    assert code_of(ward.release(new_id(), kind="studies")) == (404, "records.held_item_not_found")
    assert not ward.sees(report_id)

    assert [ward.release(report_id).status_code for _ in range(2)] == [204, 204]
    assert ward.sees(report_id)
    assert ward.get("/held-items", ward.doctor).json["items"] == []
    assert count(AuditEntry, action="records.item.released", subject_id=ward.patient.person_id) == 1
    assert code_of(ward.release(ward.city.place_report(ward.patient, ward.home)))[0] == 404


def test_the_chart_has_the_button_for_the_house_s_own_doctor_alone(ward: Ward) -> None:
    ward.operator.make(RULES, category="laboratory", mode="after_review")
    report_id = ward.send()
    elsewhere = ward.city.hospital("市第二测试医院")
    for hospital, doctor, may in ((elsewhere, ward.city.staff(elsewhere), False), (ward.home, ward.doctor, True)):
        page, visit_id = Browser(ward.city.app), ward.city.visit(doctor, ward.patient, hospital)
        page.sign_in(doctor)
        address = f"/visits/{visit_id}"
        assert ("向患者公开</button>" in page.get(f"{address}?open={report_id}").text) is may
        done = page.post(f"{address}/release", {"object_id": report_id})
        assert (done.status_code, ward.sees(report_id)) == ((303, True) if may else (404, False))
        assert ("患者尚不可见" in page.get(f"{address}?open={report_id}").text) is not may


def test_after_so_many_days_it_opens_by_itself(ward: Ward, stepping_clock: SteppingClock) -> None:
    ward.operator.make(RULES, mode="after_review", review_days=3)
    report_id = ward.send()
    for days, is_open in ((2.9, False), (0.2, True)):
        stepping_clock.forward(days=days)
        with db.transaction() as session:
            lines = timeline.list_own_timeline(session, ward.patient.actor)
            (item,) = session.scalars(select(RestrictedItem).filter_by(person_id=ward.patient.person_id))
            assert consent.is_released(session, item.object_id) is is_open
        assert [str(line.object_id) for line in lines] == ([report_id] if is_open else [])


def test_a_sensitive_report_without_a_visit_is_not_shown_unless_a_doctor_releases_it(ward: Ward) -> None:
    alone = ward.send(HIV)
    assert not ward.sees(alone)
    ward.city.visit(ward.doctor, ward.patient, ward.home)
    with_visit = ward.send(HIV)
    assert ward.sees(with_visit)
    (line,) = ward.get("/timeline").json["items"]
    assert (line["sensitivity"], line["is_held"], line["visit"]["department"]) == ("hiv", False, "0300")
    assert ward.release(alone).status_code == 204
    assert ward.sees(alone)


def test_a_later_series_labels_its_study(city: City) -> None:
    home, patient = city.hospital(), city.patient()
    city.bind_number(home, patient, "MZ1")
    plain = dicom.make_image(PatientID="MZ1", SpecificCharacterSet="ISO_IR 192", SeriesDescription="平扫")
    second = dicom.make_image(
        PatientID="MZ1",
        SpecificCharacterSet="ISO_IR 192",
        SeriesDescription="人工流产术后",
        StudyInstanceUID=plain.StudyInstanceUID,
    )
    shown = []
    for image in (plain, second):
        assert city.store(city.machine(home), image).status_code == 200
        lines = city.client.get("/api/v1/timeline", headers=bearer(patient.token)).json["items"]
        shown.append([line.get("sensitivity") for line in lines])
    # Without a visit what newly became sensitive waits for a doctor of the house.
    assert shown == [[None], []]
    with db.snapshot() as session:
        assert [*session.scalars(text("SELECT sensitivity FROM restricted_items"))] == ["reproductive"]


def test_a_correction_hides_nothing_that_was_read_and_takes_no_label_away(ward: Ward) -> None:
    named: dict[str, Any] = {"identifier": [{"system": "urn:example:lis", "value": "R1"}]}
    report_id = ward.send(**named)
    ward.operator.make(RULES, mode="after_review")
    assert ward.send(**named, status="corrected", conclusion="复核") == report_id
    assert ward.sees(report_id)
    ward.send(HIV, **named, status="corrected", conclusion="补充")
    assert not ward.sees(report_id)
    ward.release(report_id)
    ward.send(**named, status="corrected", conclusion="删除")
    assert ward.sees(report_id)
    assert ward.get(f"/reports/{report_id}").json["sensitivity"] == "hiv"


def test_the_narrowest_rule_counts_and_the_house_s_own_before_the_city_s(ward: Ward) -> None:
    ward.city.visit(ward.doctor, ward.patient, ward.home)
    named = {"coding": [{"system": LOINC, "code": "24323-8"}], "text": "生化全套"}
    steps: list[tuple[dict[str, Any], tuple[str, str], bool]] = [
        ({"mode": "after_review"}, GLUCOSE, False),
        ({"mode": "at_once", "hospital_code": ward.home.code}, GLUCOSE, True),
        ({"mode": "after_review", "category": "laboratory"}, GLUCOSE, False),
        ({"mode": "at_once", "sensitivity": "hiv"}, HIV, True),
        ({"mode": "after_review", "sensitivity": "hiv", "hospital_code": ward.home.code}, HIV, False),
        ({"mode": "at_once", "code_system": LOINC, "code": "24323-8"}, HIV, True),
        ({"mode": "at_once", "category": "imaging"}, GLUCOSE, True),
    ]
    for rule, item, is_open in steps:
        ward.operator.make(RULES, **rule)
        report_id = ward.send(item, code=named)
        assert (report_id in ward.listed()) is is_open, rule


def test_rules_are_set_replaced_and_ended_by_the_operator_alone(ward: Ward) -> None:
    first = ward.operator.make(RULES, sensitivity="genetic", mode="after_review", review_days=7)
    assert "hospital_name" not in first
    second = ward.operator.make(RULES, sensitivity="genetic", mode="at_once", hospital_code=ward.home.code)
    third = ward.operator.make(RULES, sensitivity="genetic", mode="with_visit")
    rules = ward.operator.ask("GET", RULES).json["rules"]
    assert [rule["id"] for rule in rules] == [third["id"], second["id"]]
    assert code_of(ward.operator.ask("POST", f"{RULES}/{first['id']}/end")) == (404, "records.release_rule_not_found")
    assert ward.operator.ask("POST", f"{RULES}/{third['id']}/end").status_code == 204
    assert count(ReleaseRule, ended_at=None) == 1
    refused: list[dict[str, Any]] = [
        {"mode": "never"},
        {"mode": "at_once", "review_days": 3},
        {"mode": "at_once", "code": "1-8"},
        {"mode": "at_once", "sensitivity": "hiv", "category": "laboratory"},
        {"mode": "after_review", "review_days": 0},
    ]
    for body in refused:
        assert code_of(ward.operator.ask("POST", RULES, **body)) == (422, "core.malformed_request"), body
    unknown = ward.operator.ask("POST", RULES, mode="at_once", hospital_code="NOWHERE")
    assert code_of(unknown) == (404, "accounts.hospital_not_found")
    assert ward.get("/operator/release-rules", ward.doctor).status_code == 403
    assert count(ReleaseRule) == 3
    assert count(AuditEntry, action="records.release_rule.set") == 3
    assert count(AuditEntry, action="records.release_rule.ended") == 1


def test_the_operator_s_page_sets_and_ends_a_rule_and_says_what_is_wrong(ward: Ward) -> None:
    page = Browser(ward.city.app)
    page.sign_in(ward.operator.staff)
    address = "/operator/release-rules"
    assert "敏感" in page.get(address).text
    form = {"matter": "sensitivity:hiv", "mode": "after_review", "review_days": "5", "hospital_code": ward.home.code}
    assert page.post(address, form).status_code == 303
    shown = page.get(address).text
    assert "市第一测试医院" in shown
    assert ">5</span> 天后自动可见" in shown
    for broken in ({"review_days": "900"}, {"matter": "category:none"}, {"hospital_code": "NOWHERE"}):
        reply = page.post(address, form | broken)
        assert reply.status_code in {404, 422}
        assert 'id="refusal"' in reply.text
    with db.snapshot() as session:
        (rule,) = session.scalars(select(ReleaseRule)).all()
    assert page.post(f"{address}/{rule.id}/end", {}).status_code == 303
    assert page.post(f"{address}/{rule.id}/end", {}).status_code == 404
