"""Codes without a meaning: noted, counted, suggested, mapped by the hospital or the operator."""

from typing import Any

import pytest
from sqlalchemy import delete

from accounts.models import Role
from core import db
from core.ids import new_id
from records.items.models import CodeSighting, UnmappedCode
from tests.conftest import SteppingClock
from tests.records.items.dictionary import file_report, fold, map_code, own_result
from tests.support import fhir
from tests.support.browsing import Browser
from tests.support.city import City, Staff, bearer


@pytest.fixture(autouse=True)
def _nobody_elses(city: City) -> None:
    """The operator's list is everybody's: what tests that commit have left on it is not there in these."""
    with db.transaction() as session:
        session.execute(delete(CodeSighting))
        session.execute(delete(UnmappedCode))


@pytest.fixture
def operator(city: City) -> Staff:
    return city.staff(None, Role.OPERATOR)


def unmapped(city: City, token: str, query: str = "") -> list[dict[str, Any]]:
    codes: list[dict[str, Any]] = city.client.get(f"/api/v1/unmapped-codes{query}", headers=bearer(token)).json["codes"]
    return codes


def test_what_has_no_meaning_is_counted_and_suggested(
    city: City, operator: Staff, stepping_clock: SteppingClock
) -> None:
    here, there, patient = city.machine(city.hospital()), city.machine(city.hospital()), city.patient()
    file_report(city, here, patient, own_result(5.1, "mmol/L", "G01", "血清葡萄糖测定"), fhir.observation())
    file_report(city, here, patient, own_result(5.2, "mmol/L", "G01", "葡萄糖(GLU)"))
    file_report(city, there, patient, own_result(99, "mg/L", "Z9", "某院自定指标"))
    fold(city)
    file_report(city, here, patient, own_result(5.3, "mmol/L", "G01", "葡萄糖(GLU)"))
    stepping_clock.forward(seconds=61)
    fold(city)
    (line,) = unmapped(city, here.token)
    assert (line["code"], line["unit"], line["seen_count"]) == ("G01", "mmol/L", 3)
    assert line["names"] == ["血清葡萄糖测定", "葡萄糖(GLU)"]
    assert line["suggestions"][0] == {"item": "LAB-GLU", "name": "葡萄糖", "likeness": 1.0}
    assert "LAB-U-GLU" not in {each["item"] for each in line["suggestions"] if each["likeness"] == 1.0}
    everything = unmapped(city, operator.token)
    assert [each["code"] for each in everything] == ["G01", "Z9"]
    assert [each["code"] for each in unmapped(city, operator.token, f"?before={everything[0]['id']}")] == ["Z9"]


def test_mapped_it_leaves_the_list_and_unmapped_it_returns(city: City) -> None:
    machine, patient = city.machine(city.hospital()), city.patient()
    report_id = file_report(city, machine, patient, own_result(5.1, "mmol/L"))
    fold(city)
    reply = map_code(city, machine.token, code="G01", item="LAB-GLU")
    assert (reply.status_code, reply.json["item"]) == (201, "LAB-GLU")
    assert unmapped(city, machine.token) == []
    shown = city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(patient.token)).json
    assert shown["observations"][0]["judgement"]["item"] == "LAB-GLU"
    assert shown["observations"][0]["code"] == "G01"
    ended = city.client.delete(f"/api/v1/code-mappings/{reply.json['id']}", headers=bearer(machine.token))
    assert ended.status_code == 204
    assert len(unmapped(city, machine.token)) == 1
    again = city.client.delete(f"/api/v1/code-mappings/{reply.json['id']}", headers=bearer(machine.token))
    assert (again.status_code, again.json["code"]) == (404, "records.code_mapping_not_found")


def test_a_unit_goes_before_any_unit_and_nothing_is_a_meaning_too(city: City) -> None:
    machine, patient = city.machine(city.hospital()), city.patient()
    map_code(city, machine.token, code="G01", item="LAB-GLU")
    map_code(city, machine.token, code="G01", unit="%", item="LAB-HBA1C")
    map_code(city, machine.token, code="X1")
    lines = own_result(5, "mmol/L"), own_result(6, "%"), own_result(7, "mmol/L", "X1")
    report_id = file_report(city, machine, patient, *lines)
    shown = city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(patient.token)).json
    items = [line["judgement"].get("item") for line in shown["observations"]]
    assert items == ["LAB-GLU", "LAB-HBA1C", None]
    fold(city)
    assert unmapped(city, machine.token) == []


def test_one_hospital_never_speaks_for_another(city: City, operator: Staff) -> None:
    here, other_hospital = city.hospital(), city.hospital()
    machine, other = city.machine(here), city.machine(other_hospital)
    refused = map_code(city, machine.token, code="G01", item="LAB-GLU", hospital_id=str(other_hospital.id))
    assert (refused.status_code, refused.json["code"]) == (404, "records.code_hospital_not_found")
    unknown = map_code(city, operator.token, code="G01", item="LAB-GLU", hospital_id=str(new_id()))
    assert unknown.json["code"] == "records.code_hospital_not_found"
    assert map_code(city, machine.token, code="G01", item="NO-SUCH").json["code"] == "records.dictionary_item_not_found"
    mine = map_code(city, machine.token, code="G01", item="LAB-GLU").json
    ended = city.client.delete(f"/api/v1/code-mappings/{mine['id']}", headers=bearer(other.token))
    assert ended.status_code == 404
    for_all = city.client.get("/api/v1/code-mappings?item=LAB-GLU", headers=bearer(other.token)).json["mappings"]
    assert mine["id"] not in {each["id"] for each in for_all}
    # LOINC holds for all, so no hospital takes it away from the others.
    ended = city.client.delete(f"/api/v1/code-mappings/{for_all[0]['id']}", headers=bearer(other.token))
    assert ended.status_code == 404


def test_the_operator_works_the_list_off_on_the_page(city: City, operator: Staff) -> None:
    browser, hospital, patient = Browser(city.app), city.hospital(), city.patient()
    browser.sign_in(operator)
    assert "没有待对照的项目" in browser.get("/operator/items").text
    file_report(city, city.machine(hospital), patient, own_result(5.1, "mmol/L"), own_result(1, "g/L", "Z9", "某指标"))
    fold(city)
    page = browser.get("/operator/items").text
    assert "血糖" in page
    sent = {"hospital_id": str(hospital.id), "code_system": "urn:yimatong:code:local"}
    assert browser.post("/operator/items/mappings", sent | {"code": "G01", "item": ""}).status_code == 422
    assert browser.post("/operator/items/mappings", sent | {"code": "G01", "item": "LAB-GLU"}).status_code == 303
    assert browser.post("/operator/items/mappings", sent | {"code": "Z9", "is_none": "true"}).status_code == 303
    assert "没有待对照的项目" in browser.get("/operator/items").text
    item = "/operator/items/dictionary/LAB-GLU"
    assert "取消对照" in browser.get(item).text
    (mapping,) = [
        each
        for each in city.client.get("/api/v1/code-mappings?item=LAB-GLU", headers=bearer(operator.token)).json[
            "mappings"
        ]
        if each["code"] == "G01"
    ]
    assert browser.post(f"{item}/mappings/{mapping['id']}/end", {}).status_code == 303
    assert browser.post(f"{item}/mappings/{mapping['id']}/end", {}).status_code == 404
