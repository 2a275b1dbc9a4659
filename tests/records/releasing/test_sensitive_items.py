"""What is sensitive is known to the patient, to the house that made it, and to nobody else before he says so."""

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, text
from werkzeug.routing import Rule

from accounts.models import Role
from accounts.roles import PATIENT_PERMISSIONS, ROLE_PERMISSIONS
from consent import service as consent
from consent.models import Sensitivity
from core import db
from core.outbox import OutboxMessage
from core.web import guard_of
from records.fhir import systems
from records.releasing import jobs, relabelling
from records.releasing.classification import classify, list_entries
from records.reports.incoming import LOINC
from tests.health_card.family.household import Household, born_years_ago
from tests.support import dicom, entries, fhir
from tests.support.administration import Desk
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Patient, Staff, bearer

HIV = "7917-8"


@dataclass(frozen=True)
class Scene:
    """A minor of 15 with an HIV result and a sensitive study from ``home``; his mother acts for him."""

    household: Household
    minor: Patient
    treating: Hospital
    doctor: Staff
    visit_id: UUID
    home_doctor: Staff
    report_id: str
    study: dict[str, Any]
    canary: str

    @property
    def city(self) -> City:
        return self.household.city

    @property
    def mother(self) -> Patient:
        return self.household.mother

    def get(self, path: str, who: Patient | Staff) -> Any:
        return self.city.client.get(path, headers=bearer(who.token))

    def status(self, who: Patient | Staff) -> tuple[int, int]:
        paths = f"/api/v1/reports/{self.report_id}", f"/api/v1/studies/{self.study['id']}"
        first, second = (self.get(path, who).status_code for path in paths)
        return first, second

    def listed(self, who: Patient | Staff) -> list[str]:
        own = "/api/v1/timeline" if isinstance(who, Patient) else f"/api/v1/visits/{self.visit_id}/timeline"
        return [line["object_id"] for line in self.get(own, who).json["items"]]


def open_everything(city: City) -> None:
    """As if no sensitive kind had to wait for a visit: what is tested here is who sees it at all."""
    operator = Desk(city, Role.OPERATOR)
    for kind in Sensitivity:
        operator.make("/release-rules", sensitivity=kind.value, mode="at_once")


def send_sensitive(city: City, home: Hospital, patient: Patient, canary: str) -> str:
    result = fhir.observation(HIV, canary, valueQuantity=None, valueString="阳性", referenceRange=None)
    named = {"coding": [{"system": LOINC, "code": "24323-8"}], "text": canary}
    report = fhir.report((systems.CARD, patient.card_number), code=named, conclusion=canary)
    reply = fhir.send(city, city.machine(home), fhir.bundle(report, result))
    return fhir.report_id_of(reply)


@pytest.fixture(scope="module")
def scene_of_module(module_city: City) -> Scene:
    city = module_city
    household = Household.open(city)
    open_everything(city)
    minor = household.minor()
    code = household.invite(household.mother, kind="consent", relation="child").json["code"]
    assert household.accept(minor, code).status_code == 200
    canary = f"金丝雀{secrets.token_hex(6)}"
    home, treating = household.hospital, city.hospital("市第二测试医院")
    report_id = send_sensitive(city, home, minor, canary)
    city.bind_number(home, minor, "MZ1")
    described = {"SpecificCharacterSet": "ISO_IR 192", "StudyDescription": f"人工流产 {canary}"}
    assert city.store(city.machine(home), dicom.make_image(PatientID="MZ1", **described)).status_code == 200
    phone = bearer(minor.token)
    lines = city.client.get("/api/v1/timeline?kind=study", headers=phone).json["items"]
    study = dict(city.client.get(f"/api/v1/studies/{lines[0]['object_id']}", headers=phone).get_json())
    doctor, home_doctor = city.staff(treating), city.staff(home)
    visit_id = city.visit(doctor, minor, treating)
    city.visit(home_doctor, minor, home)
    return Scene(household, minor, treating, doctor, visit_id, home_doctor, report_id, study, canary)


@pytest.fixture
def scene(scene_of_module: Scene, city: City) -> Scene:
    return scene_of_module


def fill(rule: Rule, scene: Scene) -> str | None:
    """The address of a reading route about the canary; None: it takes something else."""
    series = scene.study["series"][0]
    known = {
        "report_id": scene.report_id,
        "study_id": scene.study["id"],
        "object_id": scene.report_id,
        "visit_id": scene.visit_id,
        "person_id": scene.minor.person_id,
        "study_uid": scene.study["study_instance_uid"],
        "study": scene.study["study_instance_uid"],
        "series_uid": series["series_instance_uid"],
        "series": series["series_instance_uid"],
        "sop_uid": series["instances"][0]["sop_instance_uid"],
        "instance": series["instances"][0]["sop_instance_uid"],
        "version": 1,
        "frame": 1,
        "code": HIV,
    }
    path = rule.rule
    for name in rule.arguments:
        if name not in known:
            return None
        path = path.replace(next(part for part in path.split("/") if f"{name}>" in part), str(known[name]))
    return path


def test_no_reading_route_tells_a_guardian_or_another_hospital(scene: Scene) -> None:
    rules = [rule for rule in scene.city.app.url_map.iter_rules() if "GET" in (rule.methods or ())]
    held = PATIENT_PERMISSIONS | ROLE_PERMISSIONS[Role.DOCTOR]
    asked = []
    for rule in rules:
        guard = guard_of(scene.city.app, rule.endpoint)
        if guard and guard.permission in held and (path := fill(rule, scene)):
            asked.append(path)
    asked += [f"/visits/{scene.visit_id}?open={id_}" for id_ in (scene.report_id, scene.study["id"])]
    page = Browser(scene.city.app)
    page.sign_in(scene.doctor)
    ids = {scene.canary[3:], scene.report_id, scene.study["id"], scene.study["study_instance_uid"]}
    told: dict[str, set[str]] = {"minor": set(), "mother": set(), "doctor": set(), "home": set()}
    for path in asked:
        answers = {name: scene.get(path, who) for name, who in readers(scene).items()}
        if not path.startswith(("/api", "/dicomweb", "/fhir")):
            answers["doctor"] = page.get(path)
        for name, answer in answers.items():
            said = answer.data.decode(errors="replace")
            is_picture = answer.status_code == 200 and answer.mimetype in {"image/jpeg", "multipart/related"}
            # What was asked stands in the address of a refusal too.
            is_told = answer.status_code == 200 and any(id_ in said.replace(path, "") for id_ in ids)
            if is_picture or is_told:
                told[name].add(path)
    assert told["mother"] == set()
    assert told["doctor"] == set()
    assert len(told["minor"]) >= 9
    assert len(told["home"]) >= 7


def test_an_entry_of_a_sensitive_kind_is_labelled_too(scene: Scene) -> None:
    subject = {"identifier": {"system": systems.CARD, "value": scene.minor.card_number}}
    said = {"coding": [{"system": entries.ICD_10, "code": "B20.1"}], "text": "某病"}
    laboratory = scene.city.machine(scene.city.hospital())
    resource = entries.condition(subject, code=said)
    filed = entries.call(scene.city, laboratory.token, "POST", "Condition", resource)
    with db.transaction() as session:
        known = consent.list_restrictions(session, object_ids={UUID(filed.json["id"])})
    assert [each.sensitivity for each in known.values()] == ["hiv"]


def readers(scene: Scene) -> dict[str, Patient | Staff]:
    return {"minor": scene.minor, "mother": scene.mother, "doctor": scene.doctor, "home": scene.home_doctor}


def test_the_patient_discloses_an_item_and_takes_it_back(scene: Scene) -> None:
    assert scene.status(scene.doctor) == (404, 404)
    assert scene.status(scene.home_doctor) == (200, 200)
    for verb, seen, is_disclosed in (("disclose", [scene.report_id], True), ("withhold", [], False)):
        reply = scene.household.post(scene.minor, f"/timeline/{scene.report_id}/{verb}", {})
        assert (reply.status_code, reply.json["sensitivity"], reply.json["is_disclosed"]) == (200, "hiv", is_disclosed)
        assert scene.listed(scene.doctor) == seen
    refused = scene.household.post(scene.mother, f"/timeline/{scene.report_id}/disclose", {})
    assert (refused.status_code, refused.json["code"]) == (404, "records.item_not_found")
    log = scene.get("/api/v1/access-log", scene.minor).json["rows"]
    assert {"consent.item.disclosed", "consent.item.withheld"} <= {row["action"] for row in log}
    assert "consent.item.disclosed" not in {
        row["action"] for row in scene.get("/api/v1/access-log", scene.mother).json["rows"]
    }


def test_who_acts_for_somebody_sees_it_of_children_and_adult_wards(scene: Scene) -> None:
    cases = ((13, "child", True), (14, "child", False), (17, "ward", False), (18, "ward", True), (40, "spouse", False))
    for years, relation, sees in cases:
        with db.transaction() as session:
            person = {"id": scene.minor.person_id, "born": born_years_ago(years), "relation": relation}
            session.execute(text("UPDATE persons SET birth_date = :born WHERE id = :id"), person)
            changed = "UPDATE holders SET relation = :relation, valid_until = NULL WHERE person_id = :id"
            session.execute(text(f"{changed} AND relation <> 'self'"), person)
        assert scene.status(scene.mother) == ((200, 200) if sees else (404, 404)), (years, relation)
    assert scene.status(scene.minor) == (200, 200)


def test_what_was_filed_before_the_list_knew_it_is_labelled_slice_by_slice(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relabelling, "SLICE", 1)
    for number in range(2):
        send_sensitive(scene.city, scene.household.hospital, scene.minor, f"{scene.canary}{number}")
    subject = entries.named(scene.minor.card_number)
    harmless = entries.file(scene.city, scene.city.machine(scene.household.hospital).token, entries.condition(subject))
    coded = {"coding": [{"system": entries.ICD_10, "code": "F32.9"}], "text": scene.canary}
    depression = entries.condition(subject, code=coded)
    entries.file(scene.city, scene.city.machine(scene.household.hospital).token, depression)
    with db.transaction() as session:
        session.execute(text("DELETE FROM restricted_items"))
    assert len(scene.listed(scene.mother)) == 6
    done: set[tuple[str, str]] = set()
    while waiting := announced() - done:
        done |= waiting
        for kind, after in waiting:
            jobs.label_filed({"after": after} | ({"kind": kind} if kind != "report" else {}))
    assert len(done) >= 4 + 2 + 3
    assert scene.listed(scene.mother) == [harmless]
    assert len(scene.listed(scene.minor)) == 6


def announced() -> set[tuple[str, str]]:
    with db.snapshot() as session:
        by_topic = select(OutboxMessage.payload).where(OutboxMessage.topic == relabelling.LIST_CHANGED_TOPIC)
        return {(payload["kind"], payload["after"]) for payload in session.scalars(by_topic)}


@pytest.mark.parametrize(
    ("system", "code", "name", "department", "kind"),
    [
        (LOINC, HIV, "抗体", None, "hiv"),
        ("http://hl7.org/fhir/sid/icd-10", "B20.1", "感染", None, "hiv"),
        ("http://hl7.org/fhir/sid/icd-10-cm", "f32.9", "发作", None, "psychiatric"),
        ("http://hl7.org/fhir/sid/icd-10", "B19", "肝炎", None, None),
        ("urn:yimatong:code:local", "X1", "抗hiv(1+2)抗体", None, "hiv"),
        ("urn:yimatong:code:local", "X1", "梅毒螺旋体抗体", None, "reproductive"),
        ("urn:yimatong:code:local", HIV, "抗体", None, None),
        (LOINC, "2345-7", "葡萄糖", "1502", "psychiatric"),
        (LOINC, "2345-7", "葡萄糖", "0505", "reproductive"),
        (LOINC, "29770-5", "核型", "0300", "genetic"),
        (LOINC, "2345-7", "葡萄糖", "0300", None),
    ],
)
def test_the_list_tells_the_kind(system: str, code: str, name: str, department: str | None, kind: str | None) -> None:
    assert classify(codes=[(LOINC, "2823-3"), (system, code)], names=["生化", name], department=department) == kind


def test_every_kind_has_codes_and_words_and_no_line_means_everything() -> None:
    entries = list_entries()
    assert {entry.sensitivity for entry in entries} == set(Sensitivity)
    assert all(len(entry.code.rstrip("*")) >= 1 for entry in entries)
    assert all(len(entry.code) >= 2 for entry in entries if entry.system == "word")
