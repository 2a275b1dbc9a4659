"""Hospital systems file single DiagnosticReports and Observations, and change them version by version."""

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from records.fhir import systems
from tests.support.city import City, Hospital, Machine, Patient, bearer
from tests.support.entries import call, get, identified, named
from tests.support.fhir import bundle, card, observation, refusal_of, report, report_id_of, send


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital()


@pytest.fixture(scope="module")
def machine(module_city: City, hospital: Hospital) -> Machine:
    return module_city.machine(hospital)


@pytest.fixture(scope="module")
def patient(module_city: City) -> Patient:
    return module_city.patient()


def whole(patient: Patient, *observations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A report with its results inside."""
    inside = [one | {"id": f"line-{number}"} for number, one in enumerate(observations)]
    results = [{"reference": f"#{one['id']}"} for one in inside]
    return report(card(patient.card_number)) | {"contained": inside, "result": results} | changes


def alone(patient: Patient, **changes: Any) -> dict[str, Any]:
    """A result of no report."""
    plain = {"identifier": identified(), "subject": named(patient.card_number), "issued": "2026-03-20T10:00:00+08:00"}
    return observation(**plain | changes)


def filed(reply: TestResponse, status: int = 201) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    return dict(json.loads(reply.text))


def lines(city: City, patient: Patient, report_id: str) -> list[tuple[str, str | None]]:
    shown = city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(patient.token)).json
    return [(line["name"], line.get("value")) for line in shown["observations"]]


def test_a_report_comes_whole_with_its_results_inside(city: City, machine: Machine, patient: Patient) -> None:
    sent = whole(patient, observation(), observation("718-7", "血红蛋白"))
    reply = call(city, machine.token, "POST", "DiagnosticReport", sent)
    shown = filed(reply)
    assert reply.headers["Location"].endswith(f"/fhir/DiagnosticReport/{shown['id']}/_history/1")
    assert [one["reference"] for one in shown["result"]] == [f"Observation/{shown['id']}.{n}" for n in (1, 2)]
    assert lines(city, patient, shown["id"]) == [("葡萄糖", "7.2"), ("血红蛋白", "7.2")]
    assert filed(call(city, machine.token, "POST", "DiagnosticReport", sent), 200) == shown


def test_an_update_takes_over_the_results_that_it_refers_to(
    city: City, hospital: Hospital, machine: Machine, patient: Patient
) -> None:
    visit_id = city.visit(city.staff(hospital), patient, hospital)
    sent = whole(patient, observation(), observation("1"), encounter={"reference": f"Encounter/{visit_id}"})
    first = filed(call(city, machine.token, "POST", "DiagnosticReport", sent))
    address = f"DiagnosticReport/{first['id']}"
    read = get(city, machine.token, address)
    extra = observation("718-7", "血红蛋白", valueQuantity={"value": 140, "unit": "g/L"})
    changed = read | {
        "status": "amended",
        "conclusion": "复查",
        "contained": [extra | {"id": "new"}],
        "result": [read["result"][1], {"reference": "#new"}, read["result"][0]],
    }
    assert refusal_of(call(city, machine.token, "PUT", address, changed)) == (428, "records.fhir_if_match_missing")
    second = call(city, machine.token, "PUT", address, changed, **{"If-Match": 'W/"1"'})
    shown = filed(second, 200)
    assert (second.headers["ETag"], shown["conclusion"], shown["encounter"]) == ('W/"2"', "复查", sent["encounter"])
    assert lines(city, patient, first["id"]) == [("葡萄糖", "7.2"), ("血红蛋白", "140"), ("葡萄糖", "7.2")]
    stale = call(city, machine.token, "PUT", address, changed, **{"If-Match": 'W/"1"'})
    assert refusal_of(stale) == (412, "records.report_version_differs")
    elsewhere = city.machine(city.hospital())
    for body in (changed, read):
        foreign = call(city, elsewhere.token, "PUT", address, body, **{"If-Match": 'W/"2"'})
        assert foreign.status_code in {404, 422}
        assert refusal_of(foreign)[1] in {"records.report_not_found", "records.person_not_matched"}
    other = filed(call(city, machine.token, "POST", "DiagnosticReport", whole(patient, observation())))
    stolen = read | {"result": other["result"]}
    mixed = call(city, machine.token, "PUT", address, stolen, **{"If-Match": 'W/"2"'})
    assert refusal_of(mixed) == (422, "records.fhir_content_unsupported")
    missing = read | {"result": [{"reference": f"Observation/{first['id']}.9"}]}
    beyond = call(city, machine.token, "PUT", address, missing, **{"If-Match": 'W/"2"'})
    assert refusal_of(beyond) == (404, "records.report_not_found")


def test_conditions_name_the_reports_own_identifier(city: City, machine: Machine, patient: Patient) -> None:
    sent = whole(patient, observation())
    name = f"identifier=urn:example:lis|{sent['identifier'][0]['value']}"
    first = filed(call(city, machine.token, "PUT", f"DiagnosticReport?{name.replace('|', '%7C')}", sent))
    kept = call(city, machine.token, "POST", "DiagnosticReport", sent | {"conclusion": "新"}, **{"If-None-Exist": name})
    assert filed(kept, 200) == first
    second = call(city, machine.token, "PUT", f"DiagnosticReport?{name}", sent | {"conclusion": "复查"})
    assert (filed(second, 200)["id"], second.headers["ETag"]) == (first["id"], 'W/"2"')
    stale = call(city, machine.token, "PUT", f"DiagnosticReport?{name}", sent, **{"If-Match": 'W/"1"'})
    assert refusal_of(stale) == (412, "records.report_version_differs")
    other = call(city, machine.token, "PUT", "DiagnosticReport?code=1", sent)
    assert refusal_of(other) == (422, "records.fhir_content_unsupported")
    new = whole(patient, observation())
    named_new = f"DiagnosticReport?identifier=urn:example:lis|{new['identifier'][0]['value']}"
    nothing = call(city, machine.token, "PUT", named_new, new, **{"If-Match": 'W/"1"'})
    assert refusal_of(nothing) == (404, "records.report_not_found")


def test_an_observation_alone_is_a_report_of_one_line(city: City, machine: Machine, patient: Patient) -> None:
    sent = alone(patient, category=[{"coding": [{"system": systems.OBSERVATION_CATEGORY, "code": "laboratory"}]}])
    first = filed(call(city, machine.token, "POST", "Observation", sent))
    report_id = first["id"].removesuffix(".1")
    assert first["identifier"] == sent["identifier"]
    assert lines(city, patient, report_id) == [("葡萄糖", "7.2")]
    identifier = f"{sent['identifier'][0]['system']}|{sent['identifier'][0]['value']}"
    (found,) = get(city, patient.token, f"Observation?identifier={identifier}")["entry"]
    assert found["resource"] == get(city, patient.token, f"Observation/{first['id']}")
    assert "entry" not in get(city, patient.token, f"DiagnosticReport?identifier={identifier}")
    changed = found["resource"] | {"status": "corrected", "valueQuantity": {"value": 5.1, "unit": "mmol/L"}}
    second = call(city, machine.token, "PUT", f"Observation/{first['id']}", changed, **{"If-Match": 'W/"1"'})
    assert refusal_of(second) == (422, "records.person_not_matched")
    changed["subject"] = named(patient.card_number)
    second = call(city, machine.token, "PUT", f"Observation/{first['id']}", changed, **{"If-Match": 'W/"1"'})
    assert (filed(second, 200)["id"], second.headers["ETag"]) == (first["id"], 'W/"2"')
    assert get(city, patient.token, f"DiagnosticReport/{report_id}")["status"] == "corrected"
    assert lines(city, patient, report_id) == [("葡萄糖", "5.1")]
    renamed = changed | {"identifier": identified()}
    reply = call(city, machine.token, "PUT", f"Observation/{first['id']}", renamed, **{"If-Match": 'W/"2"'})
    assert refusal_of(reply) == (422, "records.fhir_invalid")


def test_one_line_of_a_report_is_changed_and_the_others_stay(city: City, machine: Machine, patient: Patient) -> None:
    reply = send(
        city, machine, bundle(report(card(patient.card_number)), observation(), observation("718-7", "血红蛋白"))
    )
    report_id = report_id_of(reply)
    changed = observation(
        id=f"{report_id}.2",
        status="corrected",
        subject=named(patient.card_number),
        effectiveDateTime="2026-03-20T08:30:00+08:00",
        valueQuantity={"value": 8.1, "unit": "mmol/L"},
    )
    address, match = f"Observation/{report_id}.2", {"If-Match": 'W/"1"'}
    assert filed(call(city, machine.token, "PUT", address, changed, **match), 200)["valueQuantity"]["value"] == 8.1
    assert lines(city, patient, report_id) == [("葡萄糖", "7.2"), ("葡萄糖", "8.1")]
    assert get(city, patient.token, f"DiagnosticReport/{report_id}")["status"] == "corrected"
    assert refusal_of(call(city, machine.token, "PUT", address, changed, **match))[0] == 412
    parts = changed | {"component": [{"code": {"coding": [{"code": "1"}]}, "valueInteger": 1}]}
    several = call(city, machine.token, "PUT", address, parts, **{"If-Match": 'W/"2"'})
    assert refusal_of(several) == (422, "records.fhir_content_unsupported")
    both = [
        {
            "resource": changed | {"id": f"{report_id}.{number}"},
            "request": {"method": "PUT", "url": f"Observation/{report_id}.{number}", "ifMatch": 'W/"2"'},
        }
        for number in (1, 2)
    ]
    together = send(city, machine, {"resourceType": "Bundle", "type": "transaction", "entry": both})
    assert refusal_of(together) == (422, "records.fhir_invalid")


def test_a_changed_line_completes_no_report_and_brings_none_back(
    city: City, machine: Machine, patient: Patient
) -> None:
    for status in ("preliminary", "cancelled"):
        filed_report = filed(
            call(city, machine.token, "POST", "DiagnosticReport", whole(patient, observation(), status=status))
        )
        line_id = f"{filed_report['id']}.1"
        changed = alone(patient, identifier=None, id=line_id, status="amended", valueQuantity={"value": 6})
        reply = call(city, machine.token, "PUT", f"Observation/{line_id}", changed, **{"If-Match": 'W/"1"'})
        assert filed(reply, 200)["valueQuantity"]["value"] == 6
        assert get(city, patient.token, f"DiagnosticReport/{filed_report['id']}")["status"] == status


INVALID: list[Any] = [
    lambda sent: sent.pop("identifier"),
    lambda sent: sent["contained"].append(observation(id="unclaimed")),
    lambda sent: sent["contained"].append(sent["contained"][0]),
    lambda sent: sent["contained"][0].pop("id"),
    lambda sent: sent["contained"][0].update(bogus=1),
    lambda sent: sent["result"].append({"reference": "#nowhere"}),
    lambda sent: sent["result"].append(sent["result"][0]),
]
UNSUPPORTED: list[Any] = [
    lambda sent: sent["contained"].append({"resourceType": "Patient", "id": "p"}),
    lambda sent: sent.update(contained={"resourceType": "PractitionerRole"}),
    lambda sent: sent["contained"][0].update(contained=[observation(id="deeper")]),
    lambda sent: sent["contained"][0].update(modifierExtension=[{"url": "urn:x", "valueString": "not"}]),
]


def test_what_does_not_conform_is_refused(city: City, machine: Machine, patient: Patient) -> None:
    for code, spoils in {"records.fhir_invalid": INVALID, "records.fhir_content_unsupported": UNSUPPORTED}.items():
        for number, spoil in enumerate(spoils):
            sent = json.loads(json.dumps(whole(patient, observation())))
            spoil(sent)
            reply = call(city, machine.token, "POST", "DiagnosticReport", sent)
            assert refusal_of(reply) == (422, code), (number, reply.text)
    nameless = alone(patient, identifier=None)
    assert refusal_of(call(city, machine.token, "POST", "Observation", nameless)) == (422, "records.fhir_invalid")
    for odd in ("1", "00000000-0000-0000-0000-000000000001"):
        sent = alone(patient, id=odd)
        reply = call(city, machine.token, "PUT", f"Observation/{odd}", sent, **{"If-Match": 'W/"1"'})
        assert refusal_of(reply) == (422, "records.fhir_invalid")
    assert city.client.get("/api/v1/timeline", headers=bearer(patient.token)).json["items"] == []
