"""What a hospital sent and could not be filed is kept, with the conditions under which it was to be."""

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from records.fhir import systems
from tests.support.city import City, Hospital, Machine, Patient, bearer
from tests.support.entries import call, condition, get, named
from tests.support.fhir import bundle, card, observation, refusal_of, report, send


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital()


@pytest.fixture(scope="module")
def machine(module_city: City, hospital: Hospital) -> Machine:
    return module_city.machine(hospital, scopes=["system/*.write", "quarantine.read", "quarantine.write"])


@pytest.fixture(scope="module")
def patient(module_city: City) -> Patient:
    return module_city.patient()


def waiting(city: City, machine: Machine) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = city.client.get("/api/v1/quarantine", headers=bearer(machine.token)).json[
        "messages"
    ]
    return messages


def content(city: City, machine: Machine, message_id: str) -> dict[str, Any]:
    reply = city.client.get(f"/api/v1/quarantine/{message_id}/content", headers=bearer(machine.token))
    return dict(json.loads(reply.json["text"]))


def replay(city: City, machine: Machine, message_id: str) -> TestResponse:
    return city.client.post(f"/api/v1/quarantine/{message_id}/replay", headers=bearer(machine.token))


def kept_as(reply: TestResponse) -> str:
    """The id of the message that an OperationOutcome says is kept."""
    (note,) = [one for one in json.loads(reply.text)["issue"] if one["severity"] == "information"]
    (coding,) = note["details"]["coding"]
    assert coding["system"] == systems.MESSAGE
    return str(coding["code"])


def test_what_is_no_valid_fhir_is_kept_once_and_the_answer_says_so(
    city: City, machine: Machine, patient: Patient
) -> None:
    sent = condition(named(patient.card_number), bogus=1)
    reply = call(city, machine.token, "POST", "Condition", sent)
    assert refusal_of(reply) == (422, "records.fhir_invalid")
    message_id = kept_as(reply)
    assert kept_as(call(city, machine.token, "POST", "Condition", sent)) == message_id
    (line,) = waiting(city, machine)
    assert (line["id"], line["reason"]) == (message_id, "records.fhir_invalid")
    assert content(city, machine, message_id) == sent
    assert replay(city, machine, message_id).json["state"] == "quarantined"


def test_a_bundle_is_kept_under_its_key_where_it_has_one(city: City, machine: Machine, patient: Patient) -> None:
    body = bundle(report(card(patient.card_number), status="done"), observation())
    kept = kept_as(send(city, machine, body))
    assert waiting(city, machine)[0]["message_key"] == f"urn:example:messages|{body['identifier']['value']}"
    odd: Any
    for odd in ("x", [], {"value": 1}, {"value": "x" * 300}, {"system": "nul \0", "value": "1"}):
        reply = send(city, machine, json.dumps(body | {"identifier": odd}))
        assert refusal_of(reply) == (422, "records.fhir_invalid")
        assert kept_as(reply) != kept
    assert {one.get("message_key") for one in waiting(city, machine)[:5]} == {None}
    unsupported = body | {"entry": [{"resource": {"resourceType": "Basic"}}]}
    assert refusal_of(send(city, machine, unsupported)) == (422, "records.fhir_content_unsupported")


def test_of_a_batch_the_entry_alone_is_kept(city: City, machine: Machine, patient: Patient) -> None:
    good, bad = (condition(named(patient.card_number)) for _ in range(2))
    nul = condition(named(patient.card_number), note=[{"text": "nul \0"}])
    half = condition(named(patient.card_number), note=[{"text": "half \ud800"}])
    entries = [{"resource": one, "request": {"method": "POST", "url": "Condition"}} for one in (good, bad, nul, half)]
    entries[1]["resource"]["recordedDate"] = "yesterday"
    reply = send(city, machine, json.dumps({"resourceType": "Bundle", "type": "batch", "entry": entries}))
    assert reply.status_code == 200, reply.text
    responses = [one["response"] for one in json.loads(reply.text)["entry"]]
    assert [one["status"] for one in responses] == ["201 Created", "422", "422", "422"]
    assert responses[1]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[1].resource.recordedDate"]
    lines = waiting(city, machine)
    assert [line["reason"] for line in lines] == ["records.fhir_invalid"] * 3
    for line, entry in zip(reversed(lines), entries[1:], strict=True):
        assert content(city, machine, line["id"])["entry"] == [entry]


def test_a_replayed_update_obeys_its_if_match(
    city: City, hospital: Hospital, machine: Machine, patient: Patient
) -> None:
    sent = condition(named(patient.card_number))
    first = json.loads(call(city, machine.token, "POST", "Condition", sent).text)
    by_number = {"identifier": {"system": systems.PATIENT_NUMBER, "value": "P0009"}}
    changed = sent | {"id": first["id"], "subject": by_number, "note": [{"text": "随访"}]}
    address, match = f"Condition/{first['id']}", {"If-Match": 'W/"1"'}
    assert refusal_of(call(city, machine.token, "PUT", address, changed, **match))[1] == "records.person_not_matched"
    other = changed | {"note": [{"text": "再次随访"}]}
    assert refusal_of(call(city, machine.token, "PUT", address, other, **match))[1] == "records.person_not_matched"
    later, earlier = (line["id"] for line in waiting(city, machine))
    assert content(city, machine, earlier)["entry"][0]["request"] == {
        "method": "PUT",
        "url": address,
        "ifMatch": 'W/"1"',
    }
    city.bind_number(hospital, patient, "P0009")
    assert replay(city, machine, earlier).json["state"] == "accepted"
    assert get(city, patient.token, address)["meta"]["versionId"] == "2"
    stale = replay(city, machine, later)
    assert (stale.status_code, stale.json["code"]) == (412, "records.entry_version_differs")
    assert [line["id"] for line in waiting(city, machine)] == [later]
    assert get(city, patient.token, address)["note"] == changed["note"]


def test_a_replayed_conditional_create_leaves_what_has_come_since(
    city: City, hospital: Hospital, machine: Machine, patient: Patient
) -> None:
    sent = report(card(patient.card_number)) | {"contained": [observation(id="a")], "result": [{"reference": "#a"}]}
    waits = sent | {"subject": {"identifier": {"system": systems.PATIENT_NUMBER, "value": "P0010"}}, "conclusion": "新"}
    unless = {"If-None-Exist": f"identifier=urn:example:lis|{sent['identifier'][0]['value']}"}
    reply = call(city, machine.token, "POST", "DiagnosticReport", waits, **unless)
    assert refusal_of(reply)[1] == "records.person_not_matched"
    filed = json.loads(call(city, machine.token, "POST", "DiagnosticReport", sent).text)
    city.bind_number(hospital, patient, "P0010")
    assert replay(city, machine, waiting(city, machine)[0]["id"]).json["state"] == "accepted"
    shown = get(city, patient.token, f"DiagnosticReport/{filed['id']}")
    assert (shown["meta"]["versionId"], "conclusion" in shown) == ("1", False)


def test_what_is_not_json_or_lacks_its_if_match_is_not_kept(city: City, machine: Machine, patient: Patient) -> None:
    assert refusal_of(send(city, machine, "{")) == (400, "records.fhir_unreadable")
    sent = condition(named(patient.card_number), id="00000000-0000-0000-0000-000000000001")
    reply = call(city, machine.token, "PUT", f"Condition/{sent['id']}", sent)
    assert refusal_of(reply) == (428, "records.fhir_if_match_missing")
    assert waiting(city, machine) == []


def test_a_report_without_a_key_that_waits_or_was_dismissed_is_known_again(
    city: City, hospital: Hospital, machine: Machine, patient: Patient
) -> None:
    by_number = {"identifier": {"system": systems.PATIENT_NUMBER, "value": "P0011"}}
    waits, dismissed = (report(card(patient.card_number)) | {"subject": by_number} for _ in range(2))
    for sent in (waits, dismissed):
        assert call(city, machine.token, "POST", "DiagnosticReport", sent).status_code == 422
    address = f"/api/v1/quarantine/{waiting(city, machine)[0]['id']}/dismiss"
    reply = city.client.post(address, json={"why": "test_data"}, headers=bearer(machine.token))
    assert reply.status_code == 200, reply.text
    city.bind_number(hospital, patient, "P0011")
    assert call(city, machine.token, "POST", "DiagnosticReport", waits).status_code == 201
    assert waiting(city, machine) == []
    again = call(city, machine.token, "POST", "DiagnosticReport", dismissed)
    assert refusal_of(again) == (409, "records.message_dismissed")


def test_whoever_a_result_names_by_our_id_has_to_be_the_patient(
    city: City, hospital: Hospital, machine: Machine, patient: Patient
) -> None:
    other = city.patient()
    city.bind_number(hospital, other, "P0012")
    inside = observation(id="a", subject={"reference": f"Patient/{other.person_id}"})
    sent = report(card(patient.card_number)) | {"contained": [inside], "result": [{"reference": "#a"}]}
    reply = call(city, machine.token, "POST", "DiagnosticReport", sent)
    assert refusal_of(reply) == (422, "records.person_not_matched")
