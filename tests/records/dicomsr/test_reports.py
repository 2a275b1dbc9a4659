"""Structured reports and PDF among the images become reports of the record, by the rules of every report."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydicom import Dataset, uid
from sqlalchemy import select

from accounts.models import Role
from core import db
from core.dispatch import Dispatcher
from records.dicomsr import jobs, service
from records.dicomsr.refusals import DocumentNotUnderstood
from records.images.models import Instance
from records.intake.models import InboundMessage
from tests.support import dicom, sr, studies
from tests.support.city import City, bearer
from tests.support.studies import Seen

NOTHING: sr.Codes = ("111001", "99TEST", "无")
PDF = b"%PDF-1.4\n%%EOF\n"


@dataclass(frozen=True)
class Scene:
    seen: Seen
    image: Dataset

    @property
    def city(self) -> City:
        return self.seen.city

    def of_study(self, made: Dataset, **attributes: Any) -> Dataset:
        """Among the images of the examination."""
        made.PatientID = f"MZ{self.seen.patient.card_number[:8]}"
        made.StudyInstanceUID = self.image.StudyInstanceUID
        for keyword, value in attributes.items():
            setattr(made, keyword, value)
        return made

    def report(self, *content: Dataset, **attributes: Any) -> Dataset:
        return self.of_study(sr.make_report(*content, **attributes))

    def send(self, *objects: Dataset) -> None:
        reply = self.city.store(self.city.machine(self.seen.home, name="影像系统"), *objects)
        assert reply.status_code == 200, reply.text
        Dispatcher(self.city.app, jobs.HANDLERS).run_due()

    def get(self, path: str) -> Any:
        return self.city.client.get(path, headers=bearer(self.seen.patient.token)).json

    def reports(self) -> list[dict[str, Any]]:
        """The patient's reports, the newest first, whole."""
        lines = self.get("/api/v1/timeline")["items"]
        ids = [line["object_id"] for line in lines if line["object_kind"] == "report"]
        return [self.get(f"/api/v1/reports/{one}") for one in ids]

    def waiting(self) -> list[tuple[str, str | None]]:
        with db.snapshot() as session:
            asked = select(InboundMessage.message_key, InboundMessage.reason).filter_by(
                channel="dicom", state="quarantined", hospital_id=self.seen.home.id
            )
            return [(key or "", reason) for key, reason in session.execute(asked).tuples()]


@pytest.fixture(scope="module")
def module_scene(module_city: City) -> Scene:
    seen = studies.open_scene(module_city)
    image = studies.picture("CT_small.dcm")
    seen.send("胸部CT平扫", image)
    return Scene(seen, image)


@pytest.fixture
def scene(module_scene: Scene, city: City) -> Scene:
    return module_scene


def findings(text: str = "右肺上叶见磨玻璃结节") -> Dataset:
    return sr.item("CONTAINER", sr.FINDINGS, sr.text(sr.FINDING, text))


def impressions(text: str = "建议三个月后复查") -> Dataset:
    return sr.item("CONTAINER", sr.IMPRESSIONS, sr.text(("121073", "DCM", "诊断意见"), text))


def test_a_structured_report_is_read_as_a_report(scene: Scene) -> None:
    measured = sr.item(
        "CONTAINER",
        ("125007", "DCM", "测量组"),
        sr.text(("112039", "DCM", "跟踪标识"), "结节 1", relation="HAS OBS CONTEXT"),
        sr.coded(("363698007", "SCT", "部位"), ("45653009", "SCT", "右肺上叶"), relation="HAS CONCEPT MOD"),
        sr.number(("410668003", "SCT", "长径"), "8.10", ("mm", "UCUM", "毫米")),
    )
    language = sr.coded(("121049", "DCM", "语言"), ("zh", "RFC5646", "中文"), relation="HAS CONCEPT MOD")
    history = sr.text(("121060", "DCM", "病史"), "咳嗽\r\n两周")
    scene.send(scene.report(language, history, findings(), measured, impressions()))
    (report,) = scene.reports()
    assert (report["name"], report["status"], report["category"]) == ("CT检查报告", "final", "imaging")
    assert report["conclusion"] == "建议三个月后复查"
    told, found, size = report["observations"]
    assert (told["name"], told["text"]) == ("病史", "咳嗽\n两周")
    assert (found["name"], found["text"]) == ("影像所见", "右肺上叶见磨玻璃结节")
    assert (size["name"], size["value"], size["unit"], size["code_system"]) == (
        "长径", "8.10", "mm", "http://snomed.info/sct",
    )  # fmt: skip
    assert size["note"] == "跟踪标识：结节 1\n部位：右肺上叶"
    assert report["authors"] == [{"role": "interpreter", "name": "审测试"}]
    assert report["issued_at"] == "2026-07-12T03:30:00Z"
    assert [one["title"] for one in report["studies"]] == ["胸部CT平扫"]
    page = scene.city.client.get(f"/view/{report['studies'][0]['id']}", headers=bearer(scene.seen.patient.token)).text
    assert "建议三个月后复查" in page
    assert "不能显示为图像：结构化报告 1 个" in page


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        ({}, "final"),
        ({"VerificationFlag": "UNVERIFIED", "VerifyingObserverSequence": []}, "preliminary"),
        ({"CompletionFlag": "PARTIAL"}, "preliminary"),
        ({"PreliminaryFlag": "PRELIMINARY"}, "preliminary"),
        ({"PreliminaryFlag": "FINAL", "VerificationFlag": "UNVERIFIED"}, "final"),
    ],
    ids=["verified", "unverified", "partial", "preliminary", "final without verification"],
)
def test_what_is_not_verified_is_preliminary(scene: Scene, flags: dict[str, Any], status: str) -> None:
    observer = sr.item("PNAME", ("121008", "DCM", "观察者"), relation="HAS OBS CONTEXT", PersonName="写^测试")
    scene.send(scene.report(observer, findings(), **flags))
    (report,) = scene.reports()
    assert (report["status"], report["observations"][0]["status"]) == (status, status)
    assert report["authors"][0]["name"] == ("写测试" if "VerifyingObserverSequence" in flags else "审测试")


def test_what_takes_the_place_of_a_document_is_its_next_version(scene: Scene) -> None:
    draft = scene.report(findings("待审"), VerificationFlag="UNVERIFIED", VerifyingObserverSequence=[])
    final = scene.report(findings(), PredecessorDocumentsSequence=sr.replacing(draft))
    corrected = scene.report(findings("左肺上叶见磨玻璃结节"), PredecessorDocumentsSequence=sr.replacing(final))
    for document in (draft, final, corrected, final):
        scene.send(document)
    (report,) = scene.reports()
    assert (report["status"], report["observations"][0]["text"]) == ("corrected", "左肺上叶见磨玻璃结节")
    assert [version["status"] for version in report["versions"]] == ["preliminary", "final", "corrected"]
    assert scene.waiting() == []


def test_the_document_that_was_replaced_may_come_last(scene: Scene) -> None:
    first = scene.report(findings("旧"))
    second = scene.report(findings("新"), PredecessorDocumentsSequence=sr.replacing(first))
    scene.send(second)
    scene.send(first)
    (report,) = scene.reports()
    assert report["observations"][0]["text"] == "新"
    assert scene.waiting() == [(first.SOPInstanceUID, "records.report_outdated")]


def test_a_pdf_among_the_images_is_a_report_with_a_document(scene: Scene) -> None:
    made = sr.make_object(
        uid.EncapsulatedPDFStorage,
        Modality="DOC",
        DocumentTitle="超声报告",
        MIMETypeOfEncapsulatedDocument="application/pdf",
    )
    made.EncapsulatedDocument = PDF + b"\0" * (len(PDF) % 2)
    scene.send(scene.of_study(made))
    (report,) = scene.reports()
    assert (report["name"], report["status"], report["attachments"][0]["size_bytes"]) == ("超声报告", "final", len(PDF))
    address = f"/api/v1/reports/{report['id']}/attachments/1"
    assert scene.city.client.get(address, headers=bearer(scene.seen.patient.token)).data == PDF


def test_what_is_not_understood_waits_and_its_object_stays(scene: Scene) -> None:
    empty = scene.report()
    fake = scene.of_study(sr.make_object(uid.EncapsulatedPDFStorage, EncapsulatedDocument=b"MZ not a PDF"))
    pointless = scene.of_study(sr.make_selection(NOTHING, evidence={}))
    scene.send(empty, fake, pointless)
    assert scene.reports() == []
    code = "records.document_not_understood"
    uids = [one.SOPInstanceUID for one in (empty, fake, pointless)]
    assert sorted(scene.waiting()) == sorted((one, code) for one in uids)
    with db.snapshot() as session:
        filed = session.scalars(select(Instance.sop_instance_uid).where(Instance.sop_instance_uid.in_(uids)))
        assert sorted(filed) == sorted(uids)


def test_a_document_leaves_quarantine_as_any_message(scene: Scene) -> None:
    first = scene.report(findings("旧"))
    second = scene.report(findings("新"), PredecessorDocumentsSequence=sr.replacing(first))
    scene.send(second)
    scene.send(first)
    staff = scene.city.staff(scene.seen.home, Role.REGISTRAR)
    (line,) = scene.city.client.get("/api/v1/quarantine?channel=dicom", headers=bearer(staff.token)).json["messages"]
    base = f"/api/v1/quarantine/{line['id']}"
    content = scene.city.client.get(f"{base}/content", headers=bearer(staff.token)).json["text"]
    assert "CompletionFlag: COMPLETE" in content
    again = scene.city.client.post(f"{base}/replay", headers=bearer(staff.token))
    assert (again.status_code, again.json["state"], again.json["reason"]) == (
        200, "quarantined", "records.report_outdated",
    )  # fmt: skip
    other = scene.city.patient("李测试")
    wrong = {"card_number": other.card_number, "why": "number_wrong", "is_confirmed": True}
    assigned = scene.city.client.post(f"{base}/assign", json=wrong, headers=bearer(staff.token))
    assert (assigned.json["state"], assigned.json["reason"]) == ("quarantined", "records.study_of_another_person")


def broken(made: Dataset, number: int) -> bytes:
    """The file with one byte of its content turned over."""
    content = bytearray(dicom.to_bytes(made))
    place = 400 + number * 37 % (len(content) - 400)
    content[place] ^= 0x5A
    return bytes(content)


def test_broken_documents_never_break_the_worker(scene: Scene) -> None:
    """Each is filed, or set aside, or says something else; none is left over as work that fails."""
    deep = findings()
    for _ in range(60):
        deep = sr.item("CONTAINER", sr.FINDINGS, deep)
    wrong = scene.report(findings(), CompletionFlag=["COMPLETE", "PARTIAL"])
    wrong.ContentSequence[0].ContentSequence[0].TextValue = "甲\0乙"
    whole = [scene.report(deep), wrong, scene.report(sr.number(sr.FINDING, "NaN", NOTHING))]
    files = [dicom.to_bytes(one) for one in whole]
    files += [broken(scene.report(findings(), impressions()), number) for number in range(12)]
    body = dicom.multipart(files)
    machine = bearer(scene.city.machine(scene.seen.home, name="影像系统").token)
    reply = scene.city.client.post("/dicomweb/studies", data=body, content_type=dicom.CONTENT_TYPE, headers=machine)
    assert reply.status_code in {200, 202}
    arrived: list[dict[str, Any]] = []
    with db.snapshot() as session:
        classes = select(Instance.id).filter_by(hospital_id=scene.seen.home.id)
        arrived += [{"instance_id": str(one)} for one in session.scalars(classes)]
    for payload in arrived:
        jobs.read_document(payload)
    for report in scene.reports():
        assert "\0" not in str(report)


def test_what_the_parser_stumbles_over_is_set_aside(scene: Scene) -> None:
    empty = scene.report()
    scene.send(empty)
    with db.snapshot() as session:
        instance_id = session.scalars(select(Instance.id).filter_by(sop_instance_uid=empty.SOPInstanceUID)).one()
        arrived = service.find_arrived(session, instance_id)
    assert arrived is not None
    with pytest.raises(DocumentNotUnderstood) as refused, db.transaction() as session:
        service.file_document(session, arrived, body=b"no DICOM any more")
    assert refused.value.members == {"reason": "it is broken"}
    assert len(scene.waiting()) == 2


@pytest.mark.system("dsrdump")
@pytest.mark.parametrize("name", ["test-SR.dcm", None], ids=["of others", "own"])
def test_dcmtk_reads_the_same(scene: Scene, tmp_path: Path, name: str | None) -> None:
    """Every text and number that dcmtk finds in a document stands in the report that we have made of it."""
    number = sr.number(("410668003", "SCT", "长径"), "8.10", ("mm", "UCUM", "毫米"))
    own = sr.item("CONTAINER", sr.FINDINGS, sr.text(sr.FINDING, "右肺上叶"), number, sr.coded(sr.FINDING, NOTHING))
    made = scene.of_study(dicom.make_image(name)) if name else scene.report(own, impressions())
    (tmp_path / "sr.dcm").write_bytes(dicom.to_bytes(made))
    command = ["dsrdump", "+Pl", "+U8", str(tmp_path / "sr.dcm")]
    dumped = subprocess.run(command, capture_output=True, timeout=60, check=True).stdout.decode()
    told = re.findall(r'<(?:contains|inferred from) (?:TEXT|NUM):\(.*?\)="(.*?)"(?: \(|>)', dumped)
    assert len(told) >= 3
    scene.send(made)
    (report,) = scene.reports()
    lines = [f"{line.get('text')} {line.get('value')}" for line in report["observations"]]
    ours = re.sub(r"\s", "", "\n".join([*lines, report.get("conclusion") or ""]))
    missing = [one for one in told if re.sub(r"\\[rn]|\s", "", one) not in ours]
    assert missing == []
    if name:
        assert "A mass of 3 Length Unit was detected." in [line.get("text") for line in report["observations"]]
