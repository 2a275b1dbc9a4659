"""A grant shows what it says: through every door, to whom it names, as often as it allows; it never becomes wider."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import literal_column, select, update
from sqlalchemy.exc import IntegrityError
from werkzeug.test import TestResponse

from consent import service as consent
from consent.models import Grant, GrantVersion
from core import clock, db
from core.audit import AuditEntry
from core.ids import new_id
from records.timeline import service as timeline
from records.timeline.choosing import list_choices
from tests.conftest import SteppingClock
from tests.support import dicom, entries, fhir
from tests.support.city import City, Machine, Patient, Staff, bearer

HIV = ("7917-8", "HIV抗体")
SPRING, SUMMER = "2026-03-01T08:00:00+08:00", "2026-07-01T08:00:00+08:00"


class Ward:
    """Hospital A has filed reports, a diagnosis and images; hospital B has the patient before it and no grant yet."""

    def __init__(self, city: City) -> None:
        self.city, self.patient = city, city.patient()
        self.home, self.away = city.hospital(), city.hospital("市第二测试医院")
        self.doctor, self.colleague = city.staff(self.away), city.staff(self.away, name="测试医生乙")
        self.reader = city.machine(self.away, name="集成平台")
        sender = city.machine(self.home)
        self.home_visit = city.visit(city.staff(self.home), self.patient, self.home)
        self.spring, self.summer = (self._send(sender, day) for day in (SPRING, SUMMER))
        self.secret = self._send(sender, SPRING, HIV)
        whose = entries.named(self.patient.card_number)
        self.diagnosis = entries.file(city, sender.token, entries.condition(whose))
        city.bind_number(self.home, self.patient, "P-1")
        self.image = dicom.make_image(PatientID="P-1")
        assert city.store(sender, self.image).status_code == 200
        code = city.code(self.patient, "static")
        scanned = city.scan(self.doctor, code, self.away, certificate_number=self.patient.certificate_number)
        self.visit_id = scanned.json["visit_id"]

    def _send(self, sender: Machine, at: str, item: tuple[str, str] = ("2345-7", "葡萄糖")) -> str:
        report = fhir.report(fhir.card(self.patient.card_number), effectiveDateTime=at)
        report["encounter"] = {"reference": f"Encounter/{self.home_visit}"}
        return fhir.report_id_of(fhir.send(self.city, sender, fhir.bundle(report, fhir.observation(*item))))

    def post(self, path: str, body: Any, by: Patient | None = None) -> Any:
        return self.city.client.post(f"/api/v1{path}", json=body, headers=bearer((by or self.patient).token))

    def ask(self, **changes: Any) -> dict[str, Any]:
        until = (clock.now() + timedelta(days=30)).isoformat()
        body = {"person_id": str(self.patient.person_id), "recipient": {"hospital_id": str(self.away.id)}}
        return body | {"purpose": "consultation", "expires_at": until} | changes

    def give(self, scope: dict[str, Any] | None = None, **recipient: Any) -> dict[str, Any]:
        whom = {"hospital_id": str(self.away.id), **recipient}
        reply = self.post("/grants", self.ask(recipient=whom, scope=scope or {}))
        assert reply.status_code == 201, reply.text
        given: dict[str, Any] = reply.json
        return given

    def get(self, path: str, by: Staff | Machine | Patient | None = None) -> Any:
        return self.city.client.get(path, headers=bearer((by or self.doctor).token))

    def timeline(self, by: Staff | None = None) -> Any:
        return self.get(f"/api/v1/visits/{self.visit_id}/timeline", by)

    def found(self, by: Staff | None = None) -> set[str]:
        reply = self.timeline(by)
        return {line["object_id"] for line in reply.json["items"]} if reply.status_code == 200 else set()

    def lines(self) -> list[tuple[UUID, UUID | None]]:
        """Each item that the doctor finds on the timeline, and the visit that is shown with it."""
        with db.transaction() as session:
            items = timeline.list_shared_timeline(session, self.doctor.actor, person_id=self.patient.person_id)
        return [(item.object_id, item.visit.id if item.visit else None) for item in items]

    def rows(self, grant: dict[str, Any]) -> list[tuple[str, int | None]]:
        """What stands in the log under a grant beside its own changes."""
        with db.transaction() as session:
            asked = select(AuditEntry.action, AuditEntry.basis_version).where(AuditEntry.basis_id == UUID(grant["id"]))
            return [(act, version) for act, version in session.execute(asked).tuples() if ".grant." not in act]


def refusal_of(reply: TestResponse) -> tuple[int, str]:
    return reply.status_code, reply.json["code"]


@pytest.fixture(scope="module")
def ward_of_module(module_city: City) -> Ward:
    return Ward(module_city)


@pytest.fixture
def ward(ward_of_module: Ward, city: City) -> Ward:
    return ward_of_module


def test_a_narrow_grant_shows_its_part_and_neither_visit_nor_name_beside_it(ward: Ward) -> None:
    ward.give({"kinds": ["laboratory"], "since_on": "2026-03-01", "until_on": "2026-06-30"})
    assert ward.lines() == [(UUID(ward.spring), None)]
    with db.transaction() as session:
        offered = list_choices(session, ward.doctor.actor, person_id=ward.patient.person_id)
    assert [kind.category for kind in offered.kinds] == ["laboratory"]
    assert ward.get(f"/api/v1/reports/{ward.spring}").status_code == 200
    for hidden in (ward.summer, ward.secret):
        assert refusal_of(ward.get(f"/api/v1/reports/{hidden}")) == (404, "records.report_not_found")
    images = f"/dicomweb/studies/{ward.image.StudyInstanceUID}/metadata"
    assert ward.get(images).status_code == 404
    found = {
        name: entries.matches(entries.get(ward.city, ward.reader.token, f"{name}?patient={ward.patient.person_id}"))
        for name in ("DiagnosticReport", "Observation", "Condition", "Encounter")
    }
    assert [one["id"] for one in found["DiagnosticReport"]] == [ward.spring]
    assert [len(found[name]) for name in ("Observation", "Condition", "Encounter")] == [1, 0, 0]
    person = entries.get(ward.city, ward.reader.token, f"Patient/{ward.patient.person_id}")
    assert person["name"] == [{"text": "张*试"}]
    summary = ward.get(f"/fhir/Patient/{ward.patient.person_id}/$summary", ward.reader)
    assert (summary.status_code, ward.diagnosis in summary.text, ward.summer in summary.text) == (200, False, False)


def test_a_visit_is_shown_by_its_kind_and_with_what_was_filed_for_it(ward: Ward) -> None:
    grant = ward.give({"visit_ids": [str(ward.home_visit)]})
    assert ward.found() == {ward.spring, ward.summer}
    assert {visit for _, visit in ward.lines()} == {ward.home_visit}
    search = f"Encounter?patient={ward.patient.person_id}"
    (encounter,) = entries.matches(entries.get(ward.city, ward.reader.token, search))
    assert encounter["id"] == str(ward.home_visit)
    assert ("records.timeline.read", 1) in ward.rows(grant)


def test_what_is_sensitive_is_shown_by_a_grant_that_names_its_kind(ward: Ward) -> None:
    ward.give()
    assert ward.secret not in ward.found()
    named = ward.give({"item_ids": [ward.secret], "sensitivities": ["hiv"]})
    assert ward.secret in ward.found()
    assert ward.get(f"/api/v1/reports/{ward.secret}").status_code == 200
    assert ("records.report.read", 1) in ward.rows(named)


def test_each_grant_that_shows_a_part_of_a_list_has_its_row(ward: Ward) -> None:
    first, second = (ward.give({"item_ids": [one]}) for one in (ward.spring, ward.summer))
    idle = ward.give({"kinds": ["immunization"]})
    assert ward.found() == {ward.spring, ward.summer}
    read = [("records.timeline.read", 1)]
    assert [ward.rows(grant) for grant in (first, second, idle)] == [read, read, []]


def test_a_department_or_a_person_is_let_in_alone(ward: Ward) -> None:
    ward.give(staff_id=str(ward.doctor.id))
    assert ward.spring in ward.found()
    assert ward.found(ward.colleague) == set()
    search = f"DiagnosticReport?patient={ward.patient.person_id}"
    assert entries.matches(entries.get(ward.city, ward.reader.token, search)) == []
    ward.give(department="0300")
    assert ward.found(ward.colleague) == set(), "nobody has said in which department he works"


def test_what_may_only_be_looked_at_gives_no_file_away(ward: Ward) -> None:
    grant = ward.give({"may_download": False})
    study = f"/dicomweb/studies/{ward.image.StudyInstanceUID}"
    instance = f"{study}/series/{ward.image.SeriesInstanceUID}/instances/{ward.image.SOPInstanceUID}"
    for looked_at in (f"{instance}/rendered", f"{study}/metadata", f"/api/v1/reports/{ward.spring}"):
        assert ward.get(looked_at).status_code == 200
    series = f"{study}/series/{ward.image.SeriesInstanceUID}"
    for taken in (study, series, instance, f"/api/v1/reports/{ward.spring}/report.pdf"):
        assert refusal_of(ward.get(taken)) == (403, "consent.view_only")
    search = f"DiagnosticReport?patient={ward.patient.person_id}"
    assert entries.matches(entries.get(ward.city, ward.reader.token, search)) == []
    assert "records.report.printed" not in {act for act, _ in ward.rows(grant)}
    ward.give({"kinds": ["imaging"]})
    assert ward.get(instance).status_code == 200


def test_a_use_is_a_row_of_the_log(ward: Ward) -> None:
    grant = ward.give({"uses": 3})
    images = f"/dicomweb/studies/{ward.image.StudyInstanceUID}/metadata"
    assert [ward.get(images).status_code for _ in range(4)] == [200] * 4, "repeated looks are one row, and one use"
    assert refusal_of(ward.get(f"/api/v1/reports/{new_id()}"))[0] == 404
    assert ward.found()
    assert ward.found()
    assert ward.found() == set()
    assert len(ward.rows(grant)) == 3
    (shown,) = ward.get("/api/v1/grants?status=used_up", by=ward.patient).json["grants"]
    assert (shown["id"], shown["scope"]["uses_left"], shown["version"]) == (grant["id"], 0, 1)


def test_a_grant_without_a_count_is_relied_on_first(ward: Ward) -> None:
    counted = ward.give({"uses": 1})
    unlimited = ward.give({"kinds": ["laboratory"]})
    assert ward.get(f"/api/v1/reports/{ward.spring}").status_code == 200
    assert (len(ward.rows(counted)), len(ward.rows(unlimited))) == (0, 1)


def test_grants_are_found_by_what_they_say(ward: Ward, stepping_clock: SteppingClock) -> None:
    narrow, other = ward.give({"kinds": ["imaging"]}), ward.give(staff_id=str(ward.doctor.id))
    assert narrow["scope"]["words"] == "影像与影像报告,不含敏感内容,可下载"
    ward.post(f"/grants/{other['id']}/revoke", None)

    def ids(asked: str) -> list[str]:
        grants = ward.get(f"/api/v1/grants?{asked}", by=ward.patient).json["grants"]
        return [one["id"] for one in grants if one["id"] in {narrow["id"], other["id"]}]

    assert ids("status=revoked") == [other["id"]], "the one person's, and not the hospital's"
    assert ids("purpose=consultation&status=in_force") == [narrow["id"]]
    assert ids("purpose=treatment") == []
    assert ids(f"staff_id={ward.doctor.id}") == [other["id"]]
    assert ids(f"hospital_id={ward.away.id}&before={other['id']}") == [narrow["id"]]
    assert ids(f"person_id={new_id()}") == []
    assert refusal_of(ward.get("/api/v1/grants?status=lost", by=ward.patient))[0] == 422


def test_a_patient_gives_only_what_is_his(ward: Ward) -> None:
    stranger = ward.city.patient(name="李测试")
    elsewhere = ward.city.staff(ward.home)
    away = {"hospital_id": str(ward.away.id)}
    late = (clock.now() + timedelta(days=400)).isoformat()
    refused: dict[str, dict[str, Any]] = {
        "consent.grant_person_not_found": {"person_id": str(stranger.person_id)},
        "consent.recipient_not_found": {"recipient": away | {"staff_id": str(elsewhere.id)}},
        "consent.item_not_shareable": {"scope": {"item_ids": [str(new_id())]}},
        "consent.grant_too_long": {"expires_at": late},
        "consent.nothing_to_share": {"expires_at": clock.now().isoformat()},
    }
    for code, changes in refused.items():
        assert ward.post("/grants", ward.ask(**changes)).json["code"] == code
    for recipient in ({"hospital_id": str(new_id())}, away | {"department": "9999"}):
        assert ward.post("/grants", ward.ask(recipient=recipient)).json["code"] == "consent.recipient_not_found"
    assert ward.post("/grants", ward.ask(scope={"kinds": []})).status_code == 422
    assert ward.get("/api/v1/grants?purpose=consultation", by=ward.patient).json["grants"] == []


def test_a_grant_in_force_is_made_narrower_and_never_wider(ward: Ward) -> None:
    grant = ward.give({"since_on": "2026-03-01", "may_download": False, "uses": 9})
    path = f"/grants/{grant['id']}/narrow"
    narrowed = ward.post(path, {"version": 1, "kinds": ["laboratory"], "until_on": "2026-03-01", "uses": 5})
    assert (narrowed.status_code, narrowed.json["version"], narrowed.json["scope"]["uses_left"]) == (200, 2, 5)
    assert ward.found() == {ward.spring}
    later = (clock.now() + timedelta(days=60)).isoformat()
    for wider in ({"kinds": ["imaging"]}, {"since_on": "2026-02-01"}, {"uses": 6}, {"expires_at": later},
                  {"sensitivities": ["hiv"]}, {"until_on": "2026-03-02"}):  # fmt: skip
        assert refusal_of(ward.post(path, {"version": 2, **wider})) == (409, "consent.grant_wider")
    stale = ward.post(path, {"version": 1, "kinds": ["laboratory"]})
    assert (stale.status_code, stale.json["code"], stale.json["version"]) == (409, "consent.grant_changed", 2)
    empty = ward.post(path, {"version": 2, "since_on": "2026-03-02"})
    assert empty.json["code"] == "consent.nothing_to_share"
    other = ward.city.patient(name="李测试")
    assert ward.post(path, {"version": 2}, by=other).json["code"] == "consent.grant_not_found"
    assert ward.post(f"/grants/{grant['id']}/revoke", None).json["version"] == 3
    ended = ward.post(path, {"version": 3, "uses": 1})
    assert (ended.status_code, ended.json["code"]) == (409, "consent.grant_ended")
    with db.transaction() as session:
        said = session.scalars(select(GrantVersion).where(GrantVersion.grant_id == UUID(grant["id"])))
        kinds = {one.version: one.said["kinds"] for one in said}
    assert kinds == {1: None, 2: ["laboratory"], 3: ["laboratory"]}


_WIDER = {
    "kinds": ["NULL", "'{laboratory,imaging}'"],
    "sensitivities": ["'{hiv}'"],
    "item_ids": ["NULL"],
    "visit_ids": ["NULL"],
    "since_on": ["since_on - 1"],
    "until_on": ["NULL", "until_on + 1"],
    "may_download": ["true"],
    "uses_left": ["uses_left + 1", "NULL"],
    "expires_at": ["expires_at + interval '1 second'"],
    "staff_id": ["NULL"],
    "department": ["'0400'"],
    "person_id": ["gen_random_uuid()"],
    "purpose": ["'treatment'"],
}


@pytest.mark.parametrize(("column", "value"), [(column, value) for column in _WIDER for value in _WIDER[column]])
def test_the_database_itself_lets_no_grant_grow(ward: Ward, column: str, value: str) -> None:
    narrow = {"kinds": ["laboratory"], "visit_ids": [str(ward.home_visit)], "item_ids": [ward.spring], "uses": 2}
    days = {"since_on": "2026-03-01", "until_on": "2026-03-01", "may_download": False}
    grant = ward.give(narrow | days, staff_id=str(ward.doctor.id), department="0300")
    wider = {column: literal_column(value), "version": 2}
    with pytest.raises(IntegrityError, match="never made wider"), db.transaction() as session:
        session.execute(update(Grant).where(Grant.id == UUID(grant["id"])).values(wider))


def test_what_has_ended_is_not_brought_back(ward: Ward) -> None:
    grant = ward.give()
    ward.post(f"/grants/{grant['id']}/revoke", None)
    with pytest.raises(IntegrityError, match="never made wider"), db.transaction() as session:
        session.execute(update(Grant).where(Grant.id == UUID(grant["id"])).values(revoked_at=None, version=3))


def test_a_scope_is_within_another_as_it_says() -> None:
    whole = consent.Scope()
    labs = consent.Scope(kinds=frozenset({consent.ItemKind.LABORATORY}), uses=3)
    assert labs.is_within(whole)
    assert not whole.is_within(labs)
    for field, value in {"sensitivities": frozenset({consent.Sensitivity.HIV}), "kinds": None, "uses": 4}.items():
        assert not consent.Scope(**{**vars(labs), field: value}).is_within(labs)
    one = consent.Recipient(hospital_id=new_id(), department="0300")
    assert one.is_within(consent.Recipient(hospital_id=one.hospital_id))
    assert not consent.Recipient(hospital_id=one.hospital_id).is_within(one)
    assert not one.is_within(consent.Recipient(hospital_id=one.hospital_id, department="0400"))
