"""Images and their report meet by the accession number; nobody learns of one by the other."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from accounts import service as accounts
from consent import service as consent
from consent.models import Sensitivity
from core import db
from core.actor import SYSTEM
from records.fhir import systems
from records.hl7v2 import jobs
from records.images.models import Study
from records.reports.models import Report
from tests.support import fhir, studies
from tests.support.browsing import Browser
from tests.support.city import City, Patient, Staff, bearer
from tests.support.hl7v2 import fields_of, oru
from tests.support.studies import Seen

PORT = 2577
NUMBER = "A20260712"
FOUND = "右肺上叶见磨玻璃结节"
# Four fields for anybody's use, then the time of the report and the section.
OBR = "36643-5^胸部CT报告^LN|||20260712093000|||||||||||{}||20260712110000||RAD|F"


@dataclass(frozen=True)
class Scene:
    seen: Seen
    study_id: UUID
    study_uid: str

    @property
    def city(self) -> City:
        return self.seen.city

    def get(self, path: str, who: Patient | Staff) -> Any:
        return self.city.client.get(path, headers=bearer(who.token))

    def of_study(self, who: Patient | Staff) -> list[dict[str, Any]]:
        return list(self.get(f"/api/v1/studies/{self.study_id}", who).json["reports"])

    def of_report(self, report_id: object, who: Patient | Staff) -> list[dict[str, Any]]:
        return list(self.get(f"/api/v1/reports/{report_id}", who).json["studies"])

    def send(self, **said: Any) -> UUID:
        """A report by FHIR, of the patient and the hospital of the images."""
        imaging = {"category": [{"coding": [{"system": systems.DIAGNOSTIC_SERVICE, "code": "RAD"}]}]}
        code = {"coding": [{"system": "urn:example:code", "code": "CT1"}], "text": "胸部CT报告"}
        subject = systems.CARD, self.seen.patient.card_number
        report = fhir.report(subject, **(imaging | {"conclusion": FOUND, "code": code} | said))
        return UUID(fhir.report_id_of(fhir.send(self.city, self.city.machine(self.seen.home), fhir.bundle(report))))

    def tell(self, fields: str, *results: str, order: str | None = None, section: str = "RAD") -> str:
        """A report by HL7 v2; returns MSA-1. ``results``: what follows OBR."""
        obr = OBR.format(fields).replace("RAD", section)
        number = f"MZ{self.seen.patient.card_number[:8]}"
        message = oru(self.seen.home.code, number, *results, obr=obr, order=order)
        (answers,) = jobs.receive_frames(PORT, [message.encode()])
        assert answers is not None
        return fields_of(answers[-1].decode())["MSA"][1]


def named(uid: str) -> dict[str, Any]:
    """A study by its UID, as FHIR names one."""
    return {"identifier": {"system": "urn:dicom:uid", "value": f"urn:oid:{uid}"}}


def accession(value: str = NUMBER, kind: str = "ACSN") -> dict[str, Any]:
    coding = {"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": kind}
    return {"type": {"coding": [coding]}, "value": value}


@pytest.fixture(scope="module")
def module_scene(module_city: City) -> Scene:
    seen, image = studies.open_scene(module_city), studies.picture("CT_small.dcm")
    with db.transaction() as session:
        accounts.open_mllp_port(session, SYSTEM, hospital_id=seen.home.id, port=PORT)
    return Scene(seen, seen.send("胸部CT平扫", image), str(image.StudyInstanceUID))


@pytest.fixture
def scene(module_scene: Scene, city: City) -> Scene:
    return module_scene


@pytest.mark.parametrize(
    "said",
    [
        {"imagingStudy": [{"identifier": accession()}]},
        {"basedOn": [{"identifier": accession()}]},
        {"identifier": [{"system": "urn:example:ris", "value": "R1"}, accession()]},
        {"identifier": [{"system": "urn:example:ris", "value": NUMBER}]},
    ],
    ids=["study", "order", "identifier", "own number"],
)
def test_both_name_each_other(scene: Scene, said: dict[str, Any]) -> None:
    report_id = scene.send(**said)
    for who in (scene.seen.patient, scene.seen.doctor):
        assert scene.of_study(who) == [{"id": str(report_id), "name": "胸部CT报告", "status": "final"}]
        assert scene.of_report(report_id, who) == [{"id": str(scene.study_id), "title": "胸部CT平扫"}]


@pytest.mark.parametrize("fields", [f"{NUMBER}|P1|S1", f"||{NUMBER}", f"|{NUMBER}|"], ids=["18", "20", "19"])
def test_hl7_says_it_in_one_of_three_fields(scene: Scene, fields: str) -> None:
    assert scene.tell(fields) == "AA"
    assert [one["name"] for one in scene.of_study(scene.seen.patient)] == ["胸部CT报告"]


def test_the_uid_of_the_study_is_enough(scene: Scene) -> None:
    report_id = scene.send(imagingStudy=[named(scene.study_uid)])
    for who in (scene.seen.patient, scene.seen.doctor):
        assert [one["id"] for one in scene.of_study(who)] == [str(report_id)]
        assert [one["id"] for one in scene.of_report(report_id, who)] == [str(scene.study_id)]
    # Given back as it can be sent again.
    read = scene.get(f"/fhir/DiagnosticReport/{report_id}", scene.seen.patient).json
    assert read["imagingStudy"] == [{"type": "ImagingStudy", **named(scene.study_uid)}]
    both = [{"identifier": accession("OTHER")}, {"reference": f"urn:oid:{scene.study_uid}"}]
    scene.send(imagingStudy=both)
    assert len(scene.of_study(scene.seen.patient)) == 2
    # Another study is named; that its own number is like the accession number of this one says nothing then.
    number = [{"system": "urn:example:ris", "value": NUMBER}]
    other_id = scene.send(imagingStudy=[named("1.2.3")], identifier=number)
    assert scene.of_report(other_id, scene.seen.patient) == []
    assert len(scene.of_study(scene.seen.patient)) == 2


@pytest.mark.parametrize(
    "segment",
    ["ZDS|{}^^Application^DICOM", "OBX|1|ST|113014^DICOM Study^DCM||{}||||||F"],
    ids=["ZDS", "OBX"],
)
def test_hl7_says_the_uid_in_a_segment(scene: Scene, segment: str) -> None:
    result = "OBX|2|TX|36643-5^影像所见^LN||未见异常||||||F"
    assert scene.tell("X1|P1|S1", segment.format(scene.study_uid), result) == "AA"
    (report,) = scene.of_study(scene.seen.patient)
    lines = scene.get(f"/api/v1/reports/{report['id']}", scene.seen.patient).json["observations"]
    assert [line["text"] for line in lines] == ["未见异常"]
    # What is no UID says nothing, and costs the report nothing.
    assert scene.tell("X2|P2|S2", segment.format("no uid"), result) == "AA"
    assert len(scene.of_study(scene.seen.patient)) == 1


def test_what_is_not_known_of_both_joins_nothing(scene: Scene) -> None:
    image = studies.picture("CT_small.dcm")
    bare_id = scene.seen.send("无检查号", image)
    with db.transaction() as session:
        session.execute(update(Study).where(Study.id == bare_id).values(accession_number=None))
    report_id = scene.send(imagingStudy=[named(scene.study_uid)])
    assert [one["id"] for one in scene.of_report(report_id, scene.seen.patient)] == [str(scene.study_id)]
    assert scene.get(f"/api/v1/studies/{bare_id}", scene.seen.patient).json["reports"] == []


def test_what_only_looks_alike_is_not_joined(scene: Scene) -> None:
    home, patient = scene.seen.home, scene.seen.patient
    other_person, elsewhere = scene.city.patient("李测试"), scene.city.hospital("市第三测试医院")
    # Who may see everything there is.
    doctor = scene.city.staff(home)
    for person in (patient, other_person):
        scene.city.visit(doctor, person, home)
    number = {"system": "urn:example:ris", "value": NUMBER}
    for hospital, person in [(home, other_person), (elsewhere, patient)]:
        report = fhir.report((systems.CARD, person.card_number), identifier=[number], category=None)
        report_id = fhir.report_id_of(fhir.send(scene.city, scene.city.machine(hospital), fhir.bundle(report)))
        assert scene.of_report(report_id, doctor) == []
    # Another number is said; specimens have this one; and what stands in the field is no number.
    scene.send(imagingStudy=[{"identifier": accession("A1")}], identifier=[number | {"system": "urn:example:2"}])
    laboratory = [{"coding": [{"system": systems.DIAGNOSTIC_SERVICE, "code": "LAB"}]}]
    specimen_id = scene.send(imagingStudy=[{"identifier": accession()}], category=laboratory)
    assert scene.of_report(specimen_id, doctor) == []
    assert scene.tell(f"{NUMBER}||", section="LAB") == "AA"
    assert scene.tell(f"{'9' * 65}||") == "AA"
    assert scene.of_study(doctor) == []


def restrict(scene: Scene, kind: str, object_id: UUID, sensitivity: Sensitivity | None, *, is_held: bool) -> None:
    """Sensitive: unknown to other hospitals; held: unknown to the patient."""
    with db.transaction() as session:
        person_id = session.scalars(select(Study.person_id).filter_by(id=scene.study_id)).one()
        hospital_id, of = scene.seen.home.id, (kind, object_id)
        consent.restrict_item(
            session, person_id=person_id, hospital_id=hospital_id, of=of, sensitivity=sensitivity, is_held=is_held
        )


def test_neither_is_told_of_to_whom_may_not_see_it(scene: Scene) -> None:
    report_id = scene.send(imagingStudy=[{"identifier": accession()}])
    held_id = scene.send(imagingStudy=[{"identifier": accession()}], conclusion="尚未公开")
    patient, doctor, page = scene.seen.patient, scene.seen.doctor, f"/view/{scene.study_id}"
    restrict(scene, "report", report_id, Sensitivity.HIV, is_held=False)
    restrict(scene, "report", held_id, None, is_held=True)
    assert [one["id"] for one in scene.of_study(doctor)] == [str(held_id)]
    assert [one["id"] for one in scene.of_study(patient)] == [str(report_id)]
    for who, seen, unseen in ((doctor, "尚未公开", FOUND), (patient, FOUND, "尚未公开")):
        shown = scene.get(page, who)
        assert (shown.status_code, seen in shown.text, unseen in shown.text) == (200, True, False)
    assert scene.of_report(held_id, doctor) != []
    restrict(scene, "study", scene.study_id, Sensitivity.HIV, is_held=False)
    assert scene.of_report(held_id, doctor) == []
    assert scene.of_report(report_id, patient) != []


def test_the_report_stands_beside_the_images_and_is_recorded_as_read(scene: Scene) -> None:
    report_id = scene.send(imagingStudy=[{"identifier": accession()}], status="preliminary")
    phone = scene.city.app.test_client()
    address = phone.get(scene.seen.address(scene.study_id)).location
    page = phone.get(address).text
    for said in (FOUND, "胸部CT报告", "这是初步报告", "市第一测试医院"):
        assert said in page
    log = scene.get("/api/v1/access-log", scene.seen.patient).json["rows"]
    assert "records.report.read" in {row["action"] for row in log if row.get("object_id") == str(report_id)}
    # The cookie of the view opens the page and nothing of the record beside it.
    assert phone.get(f"/api/v1/reports/{report_id}").status_code == 401


def test_the_chart_leads_from_one_to_the_other(scene: Scene) -> None:
    report_id = scene.send(imagingStudy=[{"identifier": accession()}])
    desk, chart = Browser(scene.city.app), f"/visits/{scene.seen.visit_id}"
    desk.sign_in(scene.seen.doctor)
    for opened, other in ((scene.study_id, report_id), (report_id, scene.study_id)):
        page = desk.get(f"{chart}?open={opened}").text
        (joined,) = [line for line in page.splitlines() if 'class="joined"' in line]
        assert f"open={other}#opened" in joined


def test_fhir_gives_the_number_back_and_refuses_what_is_none(scene: Scene) -> None:
    report_id = scene.send(imagingStudy=[{"identifier": accession()}])
    read = scene.get(f"/fhir/DiagnosticReport/{report_id}", scene.seen.patient).json
    assert read["imagingStudy"] == [{"type": "ImagingStudy", "identifier": accession()}]
    subject = systems.CARD, scene.seen.patient.card_number
    machine = scene.city.machine(scene.seen.home)
    for studied, code in [
        ([{"reference": "ImagingStudy/1"}], "records.fhir_content_unsupported"),
        ([{"identifier": accession(kind="PLAC")}], "records.fhir_content_unsupported"),
        ([{"identifier": accession("A1")}, {"identifier": accession("A2")}], "records.fhir_content_unsupported"),
        ([{"identifier": accession("9" * 65)}], "records.fhir_invalid"),
        ([named("1.2"), named("1.3")], "records.fhir_content_unsupported"),
        ([named("1.2") | {"reference": "urn:oid:1.3"}], "records.fhir_content_unsupported"),
        ([named("one")], "records.fhir_content_unsupported"),
    ]:
        reply = fhir.send(scene.city, machine, fhir.bundle(fhir.report(subject, imagingStudy=studied)))
        assert fhir.refusal_of(reply)[1] == code


def test_a_version_keeps_its_number(scene: Scene) -> None:
    report_id = scene.send(imagingStudy=[{"identifier": accession()}, named(scene.study_uid)])
    for column in (Report.accession_number, Report.study_instance_uid, Report.authors):
        with pytest.raises(IntegrityError, match="append-only"), db.transaction() as session:
            session.execute(update(Report).where(Report.id == report_id).values({column: None}))
