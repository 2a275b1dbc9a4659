"""Everything about a person, to take away: whole, of this person alone, and for who asked alone."""

import hashlib
import io
import json
import re
import zipfile
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from fhir.resources.R4B import get_fhir_model_class
from flask import current_app
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from core import clock, db, storage
from core.audit import AuditEntry
from core.dispatch import TryLater
from core.ids import new_id
from health_card.models import Holder
from records.exports import collecting, jobs, service
from records.exports.models import RecordExport, RecordExportPart
from records.exports.refusals import ExportExpired
from records.reports.models import ReportAttachment
from tests.conftest import SteppingClock
from tests.health_card.family.household import Household
from tests.support import documents, entries
from tests.support.charts import Case, open_case, send_report
from tests.support.city import City, Patient, bearer

VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"


@dataclass
class Counter:
    """Where exports are asked for, and the worker that makes them."""

    city: City
    case: Case

    @property
    def patient(self) -> Patient:
        return self.case.patient

    def ask(self, who: Patient | None = None, **body: str) -> TestResponse:
        return self.city.client.post("/api/v1/exports", json=body, headers=bearer((who or self.patient).token))

    def order(self, who: Patient | None = None, **body: str) -> str:
        reply = self.ask(who, **body)
        assert (reply.status_code, reply.json["state"]) == (202, "running"), reply.text
        return str(reply.json["id"])

    def state(self, export_id: str, who: Patient | None = None) -> dict[str, Any]:
        reply = self.city.client.get("/api/v1/exports", headers=bearer((who or self.patient).token))
        return next(each for each in reply.json["exports"] if each["id"] == export_id)

    def download(self, export_id: str, who: Patient | None = None) -> TestResponse:
        path = f"/api/v1/exports/{export_id}/archive.zip"
        return self.city.client.get(path, headers=bearer((who or self.patient).token))

    def files(self, export_id: str, who: Patient | None = None) -> dict[str, bytes]:
        reply = self.download(export_id, who)
        assert (reply.status_code, reply.mimetype) == (200, "application/zip"), reply.text
        with zipfile.ZipFile(io.BytesIO(reply.get_data())) as opened:
            assert opened.testzip() is None
            return {name: opened.read(name) for name in opened.namelist()}

    def archive(self, export_id: str, who: Patient | None = None) -> dict[str, str]:
        """The texts of all files that are texts."""
        files = self.files(export_id, who)
        return {name: content.decode() for name, content in files.items() if not name.endswith(".pdf")}


@pytest.fixture
def counter(city: City) -> Counter:
    return Counter(city, open_case(city))


def make(export_id: str) -> None:
    """As the worker does: with no request, and nothing left of one."""
    with current_app.app_context():
        jobs.make_export({"export_id": export_id})


def resources(files: dict[str, str], kind: str) -> list[dict[str, Any]]:
    lines = [text for name, text in files.items() if re.fullmatch(rf"fhir/{kind}(-\d+)?\.ndjson", name)]
    return [json.loads(line) for text in lines for line in text.splitlines()]


def refused(reply: TestResponse) -> tuple[int, str]:
    return reply.status_code, reply.json["code"]


def test_it_holds_everything_as_fhir_and_to_be_read(counter: Counter) -> None:
    city, patient = counter.city, counter.patient
    city.client.get(f"/api/v1/reports/{counter.case.report_id}", headers=bearer(counter.case.doctor.token))
    send_report(city, counter.case.home, city.patient("李测试"))
    export_id = counter.order()
    make(export_id)
    files = counter.archive(export_id)
    assert {kind: len(resources(files, kind)) for kind in ("Patient", "DiagnosticReport", "Observation")} == {
        "Patient": 1,
        "DiagnosticReport": 1,
        "Observation": 3,
    }
    for kind in ("Patient", "Encounter", "DiagnosticReport", "Observation", "ImagingStudy"):
        assert resources(files, kind)
        for resource in resources(files, kind):
            get_fhir_model_class(kind).model_validate(resource)
    said = json.dumps([resources(files, kind) for kind in ("Patient", "DiagnosticReport")], ensure_ascii=False)
    assert patient.name in said
    assert patient.certificate_number in said
    assert '"value":7.2,' in "".join(files.values()), "numbers are numbers"
    index, page = files["index.html"], files[f"reports/{counter.case.report_id}.html"]
    for word in (
        patient.name,
        "生化全套",
        "胸部CT平扫",
        "市第二测试医院",
        "门诊",
        f"reports/{counter.case.report_id}.html",
    ):
        assert word in index
    study = resources(files, "ImagingStudy")[0]["identifier"][0]["value"].removeprefix("urn:oid:")
    assert f"{city.config.base_url}/dicomweb/studies/{study}/series" in index
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "葡萄糖 7.2 ↑ 偏高 mmol/L 3.9 – 6.1" in text
    assert [name for name in files if name.startswith("access-log") and "王测试" in files[name]]
    everything = counter.files(export_id)
    listed = json.loads(everything.pop("manifest.json"))["sha256"]
    assert listed == {name: hashlib.sha256(content).hexdigest() for name, content in everything.items()}
    shown = counter.state(export_id)
    assert (shown["state"], shown["reports"], shown["studies"], shown["visits"]) == ("ready", 1, 1, 1)
    (notice,) = [
        each
        for each in city.client.get("/api/v1/notices", headers=bearer(patient.token)).json["notices"]
        if each["kind"] == "export_ready"
    ]
    assert notice["object_id"] == export_id


def test_entries_documents_and_reports_on_paper_are_in_it(counter: Counter) -> None:
    city, patient, home = counter.city, counter.patient, counter.case.home
    registry = city.machine(home, name="公共卫生系统")
    sent = [
        entries.immunization(
            entries.named(patient.card_number),
            lotNumber="A2026-7",
            protocolApplied=[{"doseNumberPositiveInt": 2}],
            manufacturer={"display": "示例生物"},
        ),
        *entries.every_kind(entries.named(patient.card_number)),
    ]
    ids = [entries.file(city, registry.token, resource) for resource in sent]
    letter = next(filed for filed, one in zip(ids, sent, strict=True) if one["resourceType"] == "DocumentReference")
    wrong = entries.condition(entries.named(patient.card_number))
    wrong_id = entries.file(city, registry.token, wrong)
    wrong.pop("clinicalStatus")
    withdrawn = wrong | {"verificationStatus": {"coding": [{"system": VERIFICATION, "code": "entered-in-error"}]}}
    entries.file(city, registry.token, withdrawn)
    paper = documents.send_document(city, home, patient)

    export_id = counter.order()
    make(export_id)
    raw = counter.files(export_id)
    files = counter.archive(export_id)
    for resource in sent:
        kind = resource["resourceType"]
        assert resources(files, kind)
        for found in resources(files, kind):
            get_fhir_model_class(kind).model_validate(found)
    vaccination = next(one for one in resources(files, "Immunization") if one["id"] == ids[0])
    assert vaccination["patient"] == {"reference": f"Patient/{patient.person_id}"}
    assert '"value":0.50}' in "".join(text for name, text in files.items() if "Immunization" in name)
    ((name, page),) = ((name, text) for name, text in files.items() if re.fullmatch(r"entries-\d+\.html", name))
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for words in ("剂次 2", "剂量 0.50 mL", "批号 A2026-7", "生产企业 示例生物", "声明为录入有误"):
        assert words in said
    assert f'{name}#{wrong_id}">2型糖尿病</a>' in files["index.html"]
    assert counter.state(export_id)["entries"] == len(sent) + 1

    assert raw[f"entries/{letter}/1.txt"] == "出院".encode()
    assert f'href="entries/{letter}/1.txt"' in page

    on_paper, inside = f"reports/{paper}.pdf", f"reports/{paper}/1.pdf"
    assert raw[inside] == documents.DOCUMENT
    assert f"../{inside}" in files[f"reports/{paper}.html"]
    (report,) = (one for one in resources(files, "DiagnosticReport") if one["id"] == str(paper))
    assert [form["url"] for form in report["presentedForm"]] == [on_paper, inside]
    proven = city.client.post("/verify", data={"document": (io.BytesIO(raw[on_paper]), "report.pdf")})
    assert "真实有效" in proven.text
    with db.transaction() as session:
        (address,) = session.scalars(select(ReportAttachment.storage_key).filter_by(report_id=paper))
    storage.discard(address)
    second = counter.order()
    make(second)
    without = counter.archive(second)
    assert "另有 1 份随报告上传的文件导出时无法读取" in without[f"reports/{paper}.html"]


def test_it_goes_on_where_a_killed_worker_stopped_and_shows_one_moment(
    counter: Counter, monkeypatch: pytest.MonkeyPatch, stepping_clock: SteppingClock
) -> None:
    monkeypatch.setattr(collecting, "SLICE", 1)
    more = [send_report(counter.city, counter.case.home, counter.patient) for _ in range(2)]
    city, subject = counter.city, entries.named(counter.patient.card_number)
    system, entry = city.machine(counter.case.home).token, entries.condition(subject)
    entry_id = entries.file(city, system, entry)
    export_id = counter.order()
    stepping_clock.forward(seconds=1)
    later = send_report(counter.city, counter.case.home, counter.patient)
    later_entry = entries.file(city, system, entries.condition(subject))
    entries.file(city, system, entry | {"code": {"text": "后来改的名称"}})
    monkeypatch.setattr(jobs, "SLICE", jobs.SLICE * 0)
    for _ in range(3):
        with pytest.raises(TryLater):
            make(export_id)
    step = jobs._find_step(UUID(export_id))
    assert step is not None
    assert counter.state(export_id)["reports"] == 1
    # Two workers with one slice: the one who comes second keeps nothing.
    for _ in range(2):
        jobs._take_step(step)
    assert counter.state(export_id)["reports"] == 2
    monkeypatch.undo()
    monkeypatch.setattr(collecting, "SLICE", 1)
    make(export_id)
    make(export_id)
    files = counter.archive(export_id)
    found = [resource["id"] for resource in resources(files, "DiagnosticReport")]
    assert found == [str(counter.case.report_id), *map(str, more)]
    assert str(later) not in "".join(files)
    (told,) = resources(files, "Condition")
    assert (told["id"], told["meta"]["versionId"], told["code"]["text"]) == (entry_id, "1", "2型糖尿病")
    assert later_entry not in "".join(files.values())


def test_it_lies_sealed_for_seven_days_and_its_slices_go_at_once(
    counter: Counter, stepping_clock: SteppingClock
) -> None:
    export_id = counter.order()
    assert refused(counter.download(export_id)) == (409, "records.export_not_ready")
    make(export_id)
    with db.transaction() as session:
        export = session.get_one(RecordExport, UUID(export_id))
        parts = list(session.scalars(select(RecordExportPart).filter_by(export_id=export.id)))
        session.expunge_all()
    folder = counter.city.config.storage_dir / "objects"
    assert export.storage_key is not None
    lying = folder / export.storage_key[:2] / export.storage_key
    assert not lying.read_bytes().startswith(b"PK\x03\x04")
    jobs.destroy_parts({"export_id": export_id})
    assert parts
    for part in parts:
        assert not (folder / part.storage_key[:2] / part.storage_key).exists()
    jobs.expire_export({"export_id": export_id})
    assert lying.exists()
    stepping_clock.forward(days=7)
    with db.transaction() as session:
        with pytest.raises(ExportExpired) as expired:
            service.open_export(session, counter.patient.actor, export_id=UUID(export_id))
    assert (expired.value.status, expired.value.code) == (410, "records.export_expired")
    for _ in range(2):
        jobs.expire_export({"export_id": export_id})
    assert not lying.exists()
    with db.transaction() as session:
        assert session.get_one(RecordExport, UUID(export_id)).data_key is None
        with pytest.raises(ExportExpired):
            service.open_export(session, counter.patient.actor, export_id=UUID(export_id))


def test_one_at_a_time_and_a_cancelled_one_leaves_nothing(counter: Counter) -> None:
    export_id = counter.order()
    assert refused(counter.ask()) == (409, "records.export_under_way")
    step = jobs._find_step(UUID(export_id))
    assert step is not None
    jobs._take_step(step)
    headers = bearer(counter.patient.token)
    path = f"/api/v1/exports/{export_id}/cancel"
    assert [counter.city.client.post(path, headers=headers).json["state"] for _ in range(2)] == ["cancelled"] * 2
    jobs._take_step(step)
    make(export_id)
    assert counter.state(export_id)["state"] == "cancelled"
    jobs.destroy_parts({"export_id": export_id})
    with db.transaction() as session:
        (part,) = session.scalars(select(RecordExportPart).filter_by(export_id=UUID(export_id)))
        assert part.data_key is None
        assert not (counter.city.config.storage_dir / "objects" / part.storage_key[:2] / part.storage_key).exists()
    second = counter.order()
    make(second)
    ended = counter.city.client.post(f"/api/v1/exports/{second}/cancel", headers=headers)
    assert refused(ended) == (409, "records.export_has_ended")


def test_five_a_day(counter: Counter) -> None:
    with db.transaction() as session:
        now = clock.now()
        for _ in range(service.MOST_A_DAY):
            about = {"person_id": counter.patient.person_id, "asked_by": counter.patient.actor.id}
            session.add(RecordExport(**about, asked_at=now, state="cancelled", ended_at=now))
    reply = counter.ask()
    assert refused(reply) == (429, "core.rate_exceeded")
    assert int(reply.headers["Retry-After"]) > 80_000


def test_nobody_exports_or_downloads_what_is_somebody_elses(counter: Counter) -> None:
    stranger = counter.city.patient("李测试")
    about = {"person_id": str(counter.patient.person_id)}
    assert refused(counter.ask(stranger, **about)) == (404, "records.export_person_not_found")
    assert refused(counter.ask(person_id=str(new_id()))) == (404, "records.export_person_not_found")
    export_id = counter.order()
    make(export_id)
    assert refused(counter.download(export_id, stranger)) == (404, "records.export_not_found")
    cancel = f"/api/v1/exports/{export_id}/cancel"
    reply = counter.city.client.post(cancel, headers=bearer(stranger.token))
    assert refused(reply) == (404, "records.export_not_found")
    assert counter.city.client.get("/api/v1/exports", headers=bearer(stranger.token)).json == {"exports": []}
    doctor = counter.city.client.post("/api/v1/exports", json={}, headers=bearer(counter.case.doctor.token))
    assert refused(doctor) == (403, "core.permission_missing")


def test_a_guardian_exports_what_is_not_hidden_from_him_while_he_is_one(counter: Counter) -> None:
    household = Household.open(counter.city)
    minor, mother = household.minor(), household.mother
    code = household.invite(mother, kind="consent", relation="child").json["code"]
    assert household.accept(minor, code).status_code == 200
    hidden, shown = (send_report(counter.city, household.hospital, minor) for _ in range(2))
    hers = send_report(counter.city, household.hospital, mother)
    system, subject = counter.city.machine(household.hospital).token, entries.named(minor.card_number)
    kept, told = (entries.file(counter.city, system, entries.condition(subject)) for _ in range(2))
    for each in (hidden, kept):
        assert household.post(minor, f"/timeline/{each}/hide", {}).status_code == 200
    export_id = counter.order(mother, person_id=str(minor.person_id))
    assert refused(counter.ask(minor)) == (409, "records.export_under_way")
    make(export_id)
    everything = "".join(f"{name}{text}" for name, text in counter.archive(export_id, mother).items())
    assert [str(each) in everything for each in (shown, told, hidden, kept, hers)] == [True, True, False, False, False]
    assert refused(counter.download(export_id, minor)) == (404, "records.export_not_found")
    own = counter.order(minor)
    make(own)
    assert str(hidden) in "".join(counter.archive(own, minor))
    with db.transaction() as session:
        acts = select(AuditEntry.action, AuditEntry.purpose).where(AuditEntry.object_id == UUID(export_id))
        done = session.execute(acts.order_by(AuditEntry.id)).tuples().all()
    assert done == [
        ("records.export.asked", None),
        ("records.export.made", "guardian"),
        ("records.export.read", "guardian"),
    ]
    second = counter.order(mother, person_id=str(minor.person_id))
    with db.transaction() as session:
        ended = update(Holder).where(Holder.login_id == mother.actor.id)
        session.execute(ended.values(ended_at=clock.now(), end_reason="left"))
    make(second)
    with db.transaction() as session:
        assert session.get_one(RecordExport, UUID(second)).state == "ended"
    assert refused(counter.download(export_id, mother)) == (404, "records.export_not_found")
