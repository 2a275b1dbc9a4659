"""A trend: one item across hospitals and units, for whom it is shared with, by index alone."""

from typing import Any

import pytest
from sqlalchemy import select, text

from core import db
from core.audit import AuditEntry
from core.ids import new_id
from records.items.models import Item
from records.reports.incoming import LOINC
from records.trends import service as trends
from tests.records.items.dictionary import file_report, map_code, own_result
from tests.support import fhir
from tests.support.browsing import Browser
from tests.support.city import City, Patient, bearer


def day(number: int) -> dict[str, str]:
    return {
        "effectiveDateTime": f"2026-03-{number:02d}T08:30:00+08:00",
        "issued": f"2026-03-{number:02d}T10:00:00+08:00",
    }


def read(city: City, token: str, patient: Patient, query: str = "", item: str = "LAB-GLU") -> Any:
    return city.client.get(f"/api/v1/persons/{patient.person_id}/trends/{item}{query}", headers=bearer(token))


@pytest.fixture(scope="module")
def patient_of_module(module_city: City) -> Patient:
    """Glucose from two hospitals: in three units, one a bound, one withdrawn, one corrected, one cancelled."""
    city = module_city
    patient, here, there = city.patient(), city.hospital("甲医院"), city.hospital("乙医院")
    first, second = city.machine(here), city.machine(there)
    map_code(city, second.token, code="G01", item="LAB-GLU")
    file_report(city, first, patient, fhir.observation(), fhir.observation("2823-3", "钾"), **day(1))
    file_report(city, second, patient, own_result(90, "mg/dL"), **day(2))
    file_report(city, second, patient, own_result(3, "S/CO"), own_result(5, "mmol/L", "OTHER"), **day(3))
    identifier = [{"system": "urn:example:lis", "value": "R4"}]
    file_report(city, first, patient, fhir.observation(), identifier=identifier, **day(4))
    corrected = fhir.observation(valueQuantity={"value": 5.10, "unit": "mmol/L"}, interpretation=None)
    file_report(city, first, patient, corrected, identifier=identifier, status="corrected", **day(4))
    file_report(city, first, patient, fhir.observation(), **day(5), status="cancelled")
    file_report(city, first, patient, fhir.observation(status="cancelled"), **day(6))
    return patient


@pytest.fixture
def patient(patient_of_module: Patient, city: City) -> Patient:
    return patient_of_module


def test_it_is_one_line_across_hospitals_and_units(city: City, patient: Patient) -> None:
    shown = read(city, patient.token, patient).json
    points = [(each["performed_at"][8:10], each["value"], each.get("flag")) for each in shown["points"]]
    assert points == [("04", "5.1", "N"), ("02", "5.00", "N"), ("01", "7.2", "H")]
    (_, converted, _) = shown["points"]
    assert (converted["original_value"], converted["original_unit"]) == ("90", "mg/dL")
    assert (converted["hospital_name"], converted["flag_source"]) == ("乙医院", "city_range")
    assert [(each["original_value"], each["original_unit"]) for each in shown["apart"]] == [("3", "S/CO")]
    assert (shown["item"]["unit"], shown.get("older")) == ("mmol/L", None)
    assert read(city, patient.token, patient, item="LAB-XX").json["code"] == "records.dictionary_item_not_found"


def test_a_hospitals_own_word_goes_before_everybodys(city: City, patient: Patient) -> None:
    """Its glucose is that of fasting people, in one unit of another item; everybody's LOINC code says otherwise."""
    machine = city.machine(city.hospital("丙医院"))
    for item, unit in (("LAB-HBA1C", "%"), ("LAB-FPG", None)):
        map_code(city, machine.token, code_system=LOINC, code="2345-7", item=item, unit=unit)
    percent = fhir.observation(valueQuantity={"value": 6, "unit": "%"})
    file_report(city, machine, patient, fhir.observation(), percent, **day(9))
    for item, days in (("LAB-GLU", ["04", "02", "01"]), ("LAB-FPG", ["09"]), ("LAB-HBA1C", ["09"])):
        points = read(city, patient.token, patient, item=item).json["points"]
        assert [each["performed_at"][8:10] for each in points] == days


def test_its_pages_join_without_a_gap(city: City, patient: Patient) -> None:
    whole = read(city, patient.token, patient).json
    seen, query = [], "?limit=1"
    while query:
        page = read(city, patient.token, patient, query).json
        seen += [each["id"] for each in page["points"] + page["apart"]]
        query = f"?limit=1&before={page['older']}" if "older" in page else ""
    assert len(seen) == 4
    assert set(seen) == {each["id"] for each in whole["points"] + whole["apart"]}
    assert read(city, patient.token, patient, f"?before={new_id()}.1").json["points"] == []
    assert read(city, patient.token, patient, "?before=x").status_code == 422


def test_it_is_released_and_recorded_as_reports_are(city: City, patient: Patient) -> None:
    treating = city.hospital()
    doctor, stranger = city.staff(treating), city.patient("李测试")
    for token in (doctor.token, stranger.token):
        refused = read(city, token, patient)
        assert (refused.status_code, refused.json["code"]) == (403, "consent.nothing_shared")
    city.visit(doctor, patient, treating)
    assert len(read(city, doctor.token, patient).json["points"]) == 3
    with db.transaction() as session:
        (act,) = session.scalars(select(AuditEntry).filter_by(action="records.trend.read"))
        assert (act.actor_id, act.subject_id, act.purpose) == (doctor.id, patient.person_id, "treatment")
        assert act.facts == {"item": "LAB-GLU", "lines": 4}
        assert act.basis_id is not None
    (grant,) = city.client.get("/api/v1/grants", headers=bearer(patient.token)).json["grants"]
    city.client.post(f"/api/v1/grants/{grant['id']}/revoke", headers=bearer(patient.token))
    assert read(city, doctor.token, patient).status_code == 403


def test_it_is_read_by_indexes_alone(city: City, patient: Patient) -> None:
    """The person's reports newest first, then their lines by key: its cost grows with a life, not with the table."""
    with db.transaction() as session:
        item_id = session.scalars(select(Item.id).filter_by(code="LAB-GLU")).one()
        query = trends.select_results(patient.actor, patient.person_id, item_id, None).limit(100)
        written = str(query.compile(session.get_bind(), compile_kwargs={"literal_binds": True}))
        # So few rows as here are read faster as a whole; the plan without that way is the one of many.
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_bitmapscan = off"))
        plan = "\n".join(session.scalars(text("EXPLAIN " + written.replace(":", "\\:"))))
    assert "Seq Scan" not in plan
    # Which of its indexes depends on how many rows other tests have left.
    assert " on reports" in plan
    assert "Index Scan using pk_observations on observations" in plan
    assert "ix_code_mappings_item on code_mappings" in plan
    assert "uq_code_mappings_current on code_mappings" in plan


def test_the_chart_draws_it(city: City, patient: Patient) -> None:
    treating = city.hospital()
    doctor = city.staff(treating)
    chart, browser = f"/visits/{city.visit(doctor, patient, treating)}", Browser(city.app)
    browser.sign_in(doctor)
    page = browser.get(f"{chart}?trend=LAB-GLU").text
    assert page.count("<circle") == 3
    for shown in ("统一换算为 mmol/L", "乙医院", "90 mg/dL", "无法换算为 mmol/L 的结果", "全市参考范围 3.9–6.1"):
        assert shown in page
    report_id = read(city, patient.token, patient).json["points"][2]["report_id"]
    report = browser.get(f"{chart}?open={report_id}").text
    assert "?trend=LAB-GLU" in report
    assert "高于参考范围（医院判定）" in report
    nothing = browser.get(f"{chart}?trend=LAB-NA").text
    assert "没有这个项目的结果" in nothing
    assert "<circle" not in nothing
    assert browser.get(f"{chart}?trend=LAB-XX").status_code == 404
