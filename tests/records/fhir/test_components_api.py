"""Components of a result: kept with it, shown within it, found by their codes."""

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from records.reports.incoming import LOINC
from tests.support.city import City, Machine, Patient, bearer
from tests.support.entries import call, get, identified, matches, named
from tests.support.fhir import observation, refusal_of, report, send

NEW = "urn:uuid:0b7e0e8e-0f52-4c0f-8a2e-2f6d7f0f4f11"


@pytest.fixture(scope="module")
def machine(module_city: City) -> Machine:
    return module_city.machine(module_city.hospital())


@pytest.fixture(scope="module")
def patient(module_city: City) -> Patient:
    return module_city.patient()


def pressure(systolic: int, diastolic: int, **changes: Any) -> dict[str, Any]:
    """A blood pressure: no value of its own, two components."""
    parts = [
        {"code": {"coding": [{"system": LOINC, "code": code}], "text": name}, "valueQuantity": {"value": value}}
        for code, name, value in (("8480-6", "收缩压", systolic), ("8462-4", "舒张压", diastolic))
    ]
    plain = {"valueQuantity": None, "referenceRange": None, "interpretation": None, "component": parts}
    return observation("85354-9", "血压", **plain | changes)


def whole(patient: Patient, *results: dict[str, Any]) -> dict[str, Any]:
    """A report with its results inside."""
    inside = [one | {"id": f"line-{number}"} for number, one in enumerate(results)]
    result = [{"reference": f"#{one['id']}"} for one in inside]
    return report(("urn:yimatong:id:health-card", patient.card_number)) | {"contained": inside, "result": result}


def filed(reply: TestResponse, status: int = 201) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    return dict(json.loads(reply.text))


def values(shown: dict[str, Any]) -> list[tuple[str, float]]:
    return [(one["code"]["text"], one["valueQuantity"]["value"]) for one in shown["component"]]


def lines(city: City, patient: Patient, report_id: str) -> list[tuple[Any, ...]]:
    shown = city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(patient.token)).json["observations"]
    return [(one["name"], one.get("value"), one.get("component_count")) for one in shown]


def test_they_stay_with_their_result_and_are_found_by_code(city: City, machine: Machine, patient: Patient) -> None:
    sent = whole(patient, pressure(121, 79), observation("718-7", "血红蛋白"))
    shown = filed(call(city, machine.token, "POST", "DiagnosticReport", sent))
    results = [one["reference"] for one in shown["result"]]
    assert results == [f"Observation/{shown['id']}.{number}" for number in (1, 4)]
    assert lines(city, patient, shown["id"]) == [
        ("血压", None, 2), ("收缩压", "121", 0), ("舒张压", "79", 0), ("血红蛋白", "7.2", None)]  # fmt: skip
    assert values(get(city, patient.token, results[0])) == [("收缩压", 121), ("舒张压", 79)]
    assert call(city, patient.token, "GET", f"Observation/{shown['id']}.2").status_code == 404
    found = matches(get(city, patient.token, f"Observation?patient={patient.person_id}"))
    assert [one["code"]["text"] for one in found] == ["血压", "血红蛋白"]
    for name, count in (("combo-code", 1), ("code", 0)):
        assert len(matches(get(city, patient.token, f"Observation?{name}={LOINC}|8480-6"))) == count
    summary = get(city, patient.token, f"Patient/{patient.person_id}/$summary")
    assert "血压: 收缩压: 121; 舒张压: 79" in json.dumps(summary, ensure_ascii=False)
    # Said again, it is the same.
    assert filed(call(city, machine.token, "POST", "DiagnosticReport", sent), 200)["meta"]["versionId"] == "1"


def test_a_component_is_a_point_of_its_trend(city: City, machine: Machine, patient: Patient) -> None:
    glucose = observation()
    part = {name: glucose[name] for name in ("code", "valueQuantity", "referenceRange", "interpretation")}
    panel = pressure(0, 0, component=[part])
    filed(call(city, machine.token, "POST", "DiagnosticReport", whole(patient, panel)))
    address = f"/api/v1/persons/{patient.person_id}/trends/LAB-GLU"
    (point,) = city.client.get(address, headers=bearer(patient.token)).json["points"]
    assert (point["value"], point["flag"]) == ("7.2", "H")


def test_taken_over_beside_new_results_they_come_along(city: City, machine: Machine, patient: Patient) -> None:
    sent = whole(patient, pressure(121, 79), observation("718-7", "血红蛋白"))
    shown = filed(call(city, machine.token, "POST", "DiagnosticReport", sent))
    first, last = shown["result"]
    changed = shown | {"status": "amended", "result": [first, {"reference": NEW}, last]}
    update = {"method": "PUT", "url": f"DiagnosticReport/{shown['id']}", "ifMatch": 'W/"1"'}
    create = {"method": "POST", "url": "Observation"}
    entries = [
        {"resource": changed | {"subject": named(patient.card_number)}, "request": update},
        {"fullUrl": NEW, "resource": observation("1742-6", "丙氨酸氨基转移酶"), "request": create},
    ]
    reply = send(city, machine, {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    # Behind the components is where the new one is found.
    location = filed(reply, 200)["entry"][1]["response"]["location"]
    assert location == f"Observation/{shown['id']}.4/_history/2"
    names = [name for name, _, _ in lines(city, patient, shown["id"])]
    assert names == ["血压", "收缩压", "舒张压", "丙氨酸氨基转移酶", "血红蛋白"]
    assert values(get(city, patient.token, first["reference"])) == [("收缩压", 121), ("舒张压", 79)]


def test_changed_alone_a_result_keeps_as_many(city: City, machine: Machine, patient: Patient) -> None:
    sent = whole(patient, pressure(121, 79), observation("718-7", "血红蛋白"))
    shown = filed(call(city, machine.token, "POST", "DiagnosticReport", sent))
    address, match = shown["result"][0]["reference"], {"If-Match": 'W/"1"'}
    about = {"subject": named(patient.card_number), "issued": "2026-03-20T10:00:00+08:00"}
    changed = pressure(122, 79, status="corrected", id=address.split("/")[1], **about)
    fewer = changed | {"component": changed["component"][:1]}
    refused = call(city, machine.token, "PUT", address, fewer, **match)
    assert refusal_of(refused) == (422, "records.fhir_content_unsupported")
    part = f"Observation/{shown['id']}.2"
    one = observation("8480-6", "收缩压", id=part.split("/")[1], **about)
    assert refusal_of(call(city, machine.token, "PUT", part, one, **match))[0] == 404
    assert values(filed(call(city, machine.token, "PUT", address, changed, **match), 200)) == [
        ("收缩压", 122), ("舒张压", 79)]  # fmt: skip
    assert [value for _, value, _ in lines(city, patient, shown["id"])] == [None, "122", "79", "7.2"]


def test_those_of_a_result_alone_are_all_replaced(city: City, machine: Machine, patient: Patient) -> None:
    about = {"subject": named(patient.card_number), "issued": "2026-03-20T10:00:00+08:00", "identifier": identified()}
    shown = filed(call(city, machine.token, "POST", "Observation", pressure(121, 79, **about)))
    report_id = shown["id"].removesuffix(".1")
    changed = pressure(121, 80, id=shown["id"], status="amended", **about)
    changed["component"].append({"code": {"coding": [{"code": "x"}], "text": "平均压"}, "valueInteger": 93})
    reply = call(city, machine.token, "PUT", f"Observation/{shown['id']}", changed, **{"If-Match": 'W/"1"'})
    assert values(filed(reply, 200)) == [("收缩压", 121), ("舒张压", 80), ("平均压", 93)]
    assert [count for _, _, count in lines(city, patient, report_id)] == [3, 0, 0, 0]
    gone = pressure(0, 0, id=shown["id"], **about | {"status": "entered-in-error"})
    reply = call(city, machine.token, "PUT", f"Observation/{shown['id']}", gone, **{"If-Match": 'W/"2"'})
    assert all("valueQuantity" not in one for one in filed(reply, 200)["component"])
