"""A report as a document: what stands on it, and what anybody can have proven about it."""

import io
import re
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from werkzeug.test import TestResponse

from core import db, keys
from core.audit import AuditEntry
from health_card import service as health_card
from records.documents import proof, routes, service
from records.documents.drawing import draw_report
from records.documents.models import ReportDocument
from records.documents.service import PrintedReport
from records.reports import service as reports
from tests.support.browsing import Browser
from tests.support.city import City, Hospital, Machine, Patient, Staff, bearer
from tests.support.fhir import bundle, card, observation, report, report_id_of, send
from tests.support.papers import read_codes, read_pdf

# A proof says when: its seconds may read like any result.
TIME_OF_DAY = re.compile(r"\d\d:\d\d:\d\d(\.\d+)?")


@dataclass
class Office:
    """A report of one patient, and those who ask about it."""

    city: City
    hospital: Hospital
    laboratory: Machine
    patient: Patient
    report_id: str
    body: dict[str, Any]

    def fetch(self, who: Patient | Staff | None = None) -> TestResponse:
        path = f"/api/v1/reports/{self.report_id}/report.pdf"
        return self.city.client.get(path, headers=bearer((who or self.patient).token))

    def print(self, who: Patient | Staff | None = None) -> tuple[bytes, str]:
        """The file, and the number that is read from its code."""
        reply = self.fetch(who)
        assert (reply.status_code, reply.mimetype) == (200, "application/pdf"), reply.text
        (code,) = read_codes(read_pdf(reply.get_data())[0][1])
        base, number = code.rsplit("/", 1)
        assert base == f"{self.city.config.base_url}/verify"
        return reply.get_data(), number

    def ask(self, number: str) -> dict[str, Any]:
        reply = self.city.client.get(f"/api/v1/documents/{number}")
        assert reply.status_code == 200, reply.text
        return dict(reply.json or {})

    def page(self, number: str) -> str:
        return self.city.client.get(f"/verify/{number}").text

    def show_file(self, document: bytes) -> str:
        sent = {"document": (io.BytesIO(document), "report.pdf")}
        return self.city.client.post("/verify", data=sent, content_type="multipart/form-data").text

    def correct(self, status: str = "corrected") -> None:
        result = observation(valueQuantity={"value": 5.1, "unit": "mmol/L"})
        assert send(self.city, self.laboratory, bundle(self.body | {"status": status}, result)).status_code == 200


@pytest.fixture
def office(city: City, monkeypatch: pytest.MonkeyPatch) -> Office:
    monkeypatch.setattr(routes, "PROOFS_PER_MINUTE", 10_000)
    hospital, patient = city.hospital("市第一测试医院"), city.patient()
    laboratory, body = city.machine(hospital), report(card(patient.card_number), conclusion="建议复查。")
    results = observation(), observation("2823-3", "钾", interpretation=None, dataAbsentReason={"text": "溶血"}) | {}
    results[1].pop("valueQuantity")
    report_id = report_id_of(send(city, laboratory, bundle(body, *results)))
    return Office(city, hospital, laboratory, patient, report_id, body)


def test_it_says_whose_it_is_and_every_line_and_its_code_leads_to_its_proof(office: Office) -> None:
    document, number = office.print()
    ((shown, _),) = read_pdf(document)
    for word in ("市第一测试医院", "生化全套", office.patient.name, "40 岁", "2026-03-20 08:30", "正式报告，第 1 版"):
        assert word in shown
    for word in ("葡萄糖", "7.2", "↑ 偏高", "mmol/L", "3.9 – 6.1", "溶血", "建议复查。", "第 1 页 / 共 1 页"):
        assert word in shown
    assert proof.show_number(number) in shown
    assert office.patient.certificate_number not in shown
    proven = office.ask(number)
    assert (proven["finding"], proven["hospital_name"], proven["person_name"]) == ("genuine", "市第一测试医院", "张*试")
    assert (proven["category"], proven["version"], proven["number"]) == ("laboratory", 1, number)
    page = office.page(proof.show_number(number).lower())
    assert "真实有效" in page
    for word in (office.patient.name, "生化全套", "葡萄糖", "7.2", "建议复查"):
        assert word not in TIME_OF_DAY.sub("", page + str(proven))


def test_printed_again_it_has_the_same_number_and_each_file_is_known(office: Office) -> None:
    doctor = office.city.staff(office.city.hospital())
    hidden = office.fetch(doctor)
    assert (hidden.status_code, hidden.json["code"]) == (404, "records.report_not_found")
    office.city.visit(doctor, office.patient, Hospital(doctor.actor.house_id, "", "W01"))
    (first, number), (second, again) = office.print(), office.print(doctor)
    assert number == again
    assert first != second
    for document in (first, second):
        assert "真实有效" in office.show_file(document)
    assert "无法证明" in office.show_file(second + b"\n")
    with db.transaction() as session:
        acts = select(AuditEntry.actor_kind).filter_by(
            action="records.report.printed", object_id=UUID(office.report_id)
        )
        assert list(session.scalars(acts.order_by(AuditEntry.id))) == ["patient", "staff"]


def test_a_doctor_prints_from_the_chart(office: Office) -> None:
    hospital = office.city.hospital()
    doctor, browser = office.city.staff(hospital), Browser(office.city.app)
    visit_id = office.city.visit(doctor, office.patient, hospital)
    browser.sign_in(doctor)
    (path,) = re.findall(
        r'href="(/api/v1/[^"]+\.pdf)"', browser.get(f"/visits/{visit_id}?open={office.report_id}").text
    )
    assert browser.client.get(path).mimetype == "application/pdf"


def test_a_newer_version_supersedes_what_was_printed(office: Office) -> None:
    document, number = office.print()
    office.correct()
    proven = office.ask(number)
    assert (proven["finding"], proven["version"], proven["current_version"]) == ("superseded", 1, 2)
    assert "报告已有新版本" in office.page(number)
    assert "报告已有新版本" in office.show_file(document)
    newer, new_number = office.print()
    assert new_number != number
    assert office.ask(new_number)["finding"] == "genuine"
    shown = read_pdf(newer)[0][0]
    assert "此报告曾经修改，当前显示最新的第 2 版。" in shown
    office.correct("cancelled")
    assert "已作废" in office.page(new_number)
    assert "不可作为诊疗依据" in read_pdf(office.print()[0])[0][0]


CHANGES = (
    "UPDATE observations SET value = 5.2",
    "UPDATE observations SET unit = 'g'",
    "UPDATE observations SET position = position + 5",
    "UPDATE observations SET status = 'amended'",
    "UPDATE reports SET conclusion = 'x'",
    "UPDATE reports SET effective_at = effective_at + interval '1 second'",
    "UPDATE report_documents SET issued_at = issued_at + interval '1 second'",
    "UPDATE report_documents SET signature = sha512('x')",
)


def test_what_was_changed_behind_our_back_is_seen(office: Office) -> None:
    with db.transaction() as session:
        number = service.print_report(session, office.patient.actor, report_id=UUID(office.report_id)).number
    for change in CHANGES:
        with db.transaction() as session:
            # Whoever owns the database is not stopped by its triggers.
            session.execute(text(f"ALTER TABLE {change.split()[1]} DISABLE TRIGGER USER"))
            changed = session.begin_nested()
            session.execute(text(change))
            proven = service.prove_number(session, number=number)
            assert (proven.finding, proven.person_name) == (service.Finding.CHANGED, None), change
            changed.rollback()
    assert office.ask(number)["finding"] == "genuine"


def test_a_document_of_a_killed_key_is_not_vouched_for_and_a_new_one_is(office: Office) -> None:
    _, number = office.print()
    with db.transaction() as session:
        kid = session.scalars(select(ReportDocument.kid).filter_by(number=number)).one()
        keys.kill_key(session, kid)
    keys.forget_rings()
    assert office.ask(number) == {"finding": "unknown"}
    _, again = office.print()
    assert (again != number, office.ask(again)["finding"]) == (True, "genuine")


@pytest.mark.parametrize("number", ["0" * 12, "x", "~" * 12, "0A1B-2C3D-4E5F-6", "\u0661" * 12])
def test_what_was_never_given_out_is_unknown(office: Office, number: str) -> None:
    assert office.ask(number) == {"finding": "unknown"}
    assert "无法证明" in office.page(number)


def test_who_asks_too_often_waits(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "PROOFS_PER_MINUTE", 1)
    _, number = office.print()
    office.city.client.get(f"/verify/{number}", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    late = office.city.client.get(f"/verify/{number}", environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert (late.status_code, "查询过于频繁" in late.text) == (429, True)
    other = office.city.client.get(f"/verify/{number}", environ_base={"REMOTE_ADDR": "192.0.2.8"})
    assert other.status_code == 200


def test_the_patient_reads_that_it_was_asked(office: Office) -> None:
    _, number = office.print()
    office.page(number)
    rows = office.city.client.get("/api/v1/access-log", headers=bearer(office.patient.token)).json["rows"]
    assert [(row["action"], row["who"]) for row in rows[:2]] == [
        ("records.document.proven", "平台"),
        ("records.report.printed", "本人"),
    ]


def test_the_form_leads_to_the_answer(office: Office) -> None:
    assert "核验编号" in office.city.client.get("/verify").text
    led = office.city.client.get("/verify?number=0a1b-2c3d-4e5f")
    assert (led.status_code, led.location) == (302, "/verify/0A1B2C3D4E5F")
    assert office.city.client.post("/verify").location == "/verify"


def test_what_was_given_out_stays(office: Office) -> None:
    office.print()
    for change in ("UPDATE report_documents SET number = 'x'", "DELETE FROM report_document_files"):
        with pytest.raises(IntegrityError, match="append-only"), db.transaction() as session:
            session.execute(text(change))


def test_a_report_of_very_many_and_very_long_lines_has_them_all_on_its_pages(office: Office) -> None:
    with db.transaction() as session:
        of = reports.get_report(session, office.patient.actor, UUID(office.report_id))
        person = health_card.get_demographics(session, office.patient.person_id, masked=False)
    long = "检出大肠埃希菌。" * 400
    lines = [replace(of.observations[0], name=f"项目{n}号", position=n) for n in range(70)]
    lines.append(replace(lines[0], name="培养", value=None, text=f"甲{long}乙", unit=None, unit_code=None))
    lines[-1] = replace(lines[-1], reference_low=None, reference_high=None, reference_text=None, note="备注" * 300)
    printed = PrintedReport(of.id, "0A1B2C3D4E5F", replace(of, observations=lines), person, of.performed_at)
    pages = read_pdf(draw_report(printed, base_url="https://card.example.cn", issuer_name="示范市"))
    shown = "".join("".join(page.split()) for page, _ in pages)
    assert [n for n in range(70) if f"项目{n}号" not in shown] == []
    assert shown.count("大肠埃") >= 390, "page ends cut a few in two"
    assert shown.count("备注") >= 290
    assert len(re.findall(r"第\d+页", shown)) == len(pages) > 3
    assert all("参考范围" in page for page, _ in pages)


@settings(max_examples=30)
@given(st.text(max_size=30) | st.text("0123456789abcdefO-IL ", min_size=12, max_size=14))
def test_any_text_is_a_number_or_none(written: str) -> None:
    number = proof.read_number(written)
    assert number is None or proof.read_number(proof.show_number(number).lower()) == number
