"""Hospital systems file entries by FHIR: alone, in transactions and in batches; version by version."""

import json
from typing import Any
from uuid import uuid4

import pytest
from fhir.resources.R4B import get_fhir_model_class
from sqlalchemy import select, text
from sqlalchemy.exc import DatabaseError

from core import db
from records.entries.models import RecordEntry
from records.fhir import systems
from tests.support.city import City, Hospital, Machine, Patient, bearer
from tests.support.entries import call, condition, every_kind, get, identified, immunization, named
from tests.support.fhir import bundle, card, observation, refusal_of, report, send


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital()


@pytest.fixture(scope="module")
def machine(module_city: City, hospital: Hospital) -> Machine:
    return module_city.machine(hospital)


@pytest.fixture(scope="module")
def patient(module_city: City) -> Patient:
    return module_city.patient()


def entry(resource: dict[str, Any], **request: Any) -> dict[str, Any]:
    asked = {"method": "POST", "url": resource["resourceType"]} | request
    return {"fullUrl": f"urn:uuid:{uuid4()}", "resource": resource, "request": asked}


def rows() -> int:
    with db.transaction() as session:
        return len(session.scalars(select(RecordEntry)).all())


def test_every_kind_is_filed_and_read_by_the_patient_with_all_its_digits(
    city: City, machine: Machine, patient: Patient
) -> None:
    for resource in every_kind(named(patient.card_number)):
        exact = json.dumps(resource).replace('"value": 0,', '"value": 0.50,')
        reply = call(city, machine.token, "POST", resource["resourceType"], exact)
        assert reply.status_code == 201, reply.text
        filed = json.loads(reply.text)
        address = f"{resource['resourceType']}/{filed['id']}"
        assert reply.headers["Location"] == f"{city.config.base_url}/fhir/{address}/_history/1"
        assert reply.headers["ETag"] == 'W/"1"'
        found = call(city, patient.token, "GET", address)
        assert ('"value":0.50' in found.text) == ("doseQuantity" in resource)
        shown = json.loads(found.text)
        get_fhir_model_class(resource["resourceType"]).model_validate(shown)
        subject = "patient" if "patient" in resource else "subject"
        assert shown[subject] == {"reference": f"Patient/{patient.person_id}"}
        given = json.loads(exact) | {subject: shown[subject], "id": filed["id"], "meta": shown["meta"]}
        assert shown == given
    lines = city.client.get("/api/v1/timeline", headers=bearer(patient.token)).json["items"]
    assert {line["object_kind"] for line in lines} == {"entry"}
    assert {line["category"] for line in lines} >= {"condition", "allergy", "immunization", "order", "document"}
    assert len(lines) == 9


def test_the_phone_opens_an_entry_and_somebody_else_does_not(city: City, machine: Machine, patient: Patient) -> None:
    exact = json.dumps(immunization(named(patient.card_number))).replace('"value": 0,', '"value": 0.50,')
    filed = json.loads(call(city, machine.token, "POST", "Immunization", exact).text)
    reply = city.client.get(f"/api/v1/entries/{filed['id']}", headers=bearer(patient.token))
    assert '"value":0.50' in reply.text
    assert (reply.json["name"], reply.json["category"], reply.json["version"]) == ("乙肝疫苗", "immunization", 1)
    other = city.client.get(f"/api/v1/entries/{filed['id']}", headers=bearer(city.patient().token))
    assert (other.status_code, other.json["code"]) == (404, "records.entry_not_found")


def test_what_names_the_patient_in_prose_is_not_kept(city: City, machine: Machine, patient: Patient) -> None:
    narrative = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">张测试</div>'}
    subject = named(patient.card_number) | {"display": "张测试"}
    filed = call(city, machine.token, "POST", "Condition", condition(subject, text=narrative, id="ours"))
    assert filed.status_code == 201
    assert "张测试" not in filed.text
    assert patient.card_number not in filed.text


def test_the_same_again_is_no_version_and_other_content_is_the_next(
    city: City, machine: Machine, patient: Patient
) -> None:
    sent = condition(named(patient.card_number))
    first = json.loads(call(city, machine.token, "POST", "Condition", sent).text)
    again = call(city, machine.token, "POST", "Condition", sent)
    assert (again.status_code, json.loads(again.text)["meta"]["versionId"]) == (200, "1")
    changed = call(city, machine.token, "POST", "Condition", sent | {"note": [{"text": "随访"}]})
    shown = json.loads(changed.text)
    assert (changed.status_code, shown["id"], shown["meta"]["versionId"]) == (201, first["id"], "2")


def test_an_update_names_the_version_that_it_replaces(city: City, machine: Machine, patient: Patient) -> None:
    sent = condition(named(patient.card_number))
    first = json.loads(call(city, machine.token, "POST", "Condition", sent).text)
    address = f"Condition/{first['id']}"
    second = sent | {"id": first["id"], "note": [{"text": "随访"}]}
    assert refusal_of(call(city, machine.token, "PUT", address, second)) == (428, "records.fhir_if_match_missing")
    reply = call(city, machine.token, "PUT", address, second, **{"If-Match": 'W/"1"'})
    assert (reply.status_code, reply.headers["ETag"]) == (200, 'W/"2"')
    third = second | {"note": [{"text": "再次随访"}]}
    stale = call(city, machine.token, "PUT", address, third, **{"If-Match": 'W/"1"'})
    assert refusal_of(stale) == (412, "records.entry_version_differs")
    elsewhere = city.machine(city.hospital())
    foreign = call(city, elsewhere.token, "PUT", address, third, **{"If-Match": 'W/"2"'})
    assert refusal_of(foreign) == (404, "records.entry_not_found")
    odd = call(city, machine.token, "PUT", address, third, **{"If-Match": "*"})
    assert refusal_of(odd) == (422, "records.fhir_invalid")
    history = get(city, patient.token, f"{address}/_history")
    get_fhir_model_class("Bundle").model_validate(history)
    assert [one["resource"]["meta"]["versionId"] for one in history["entry"]] == ["2", "1"]
    assert "note" not in get(city, patient.token, f"{address}/_history/1")
    gone = call(city, patient.token, "GET", f"{address}/_history/3")
    assert refusal_of(gone) == (404, "records.fhir_resource_not_found")


def test_a_conditional_create_leaves_what_is_there(city: City, machine: Machine, patient: Patient) -> None:
    sent = condition(named(patient.card_number))
    unless = {"If-None-Exist": f"identifier=urn:example:his|{sent['identifier'][0]['value']}"}
    first = call(city, machine.token, "POST", "Condition", sent, **unless)
    again = call(city, machine.token, "POST", "Condition", sent | {"note": [{"text": "新"}]}, **unless)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.data == first.data
    other = call(city, machine.token, "POST", "Condition", sent, **{"If-None-Exist": "code=E11.9"})
    assert refusal_of(other) == (422, "records.fhir_content_unsupported")


def test_a_transaction_files_reports_and_entries_together_and_leads_references_home(
    city: City, machine: Machine, patient: Patient
) -> None:
    subject = named(patient.card_number)
    specimen = entry(every_kind(subject)[-1])
    order = entry(every_kind(subject)[-2] | {"specimen": [{"reference": specimen["fullUrl"]}]})
    body = bundle(report(card(patient.card_number)), observation())
    body["entry"] = [order, *body["entry"], specimen]
    reply = send(city, machine, body)
    places = [one["response"]["location"].split("/")[:2] for one in json.loads(reply.text)["entry"]]
    assert [place[0] for place in places] == ["ServiceRequest", "DiagnosticReport", "Observation", "Specimen"]
    shown = get(city, patient.token, "/".join(places[0]))
    assert shown["specimen"] == [{"reference": "/".join(places[3])}]
    assert send(city, machine, body).data == reply.data
    assert rows() == 2


def test_of_a_transaction_all_is_filed_or_nothing(city: City, machine: Machine, patient: Patient) -> None:
    body = bundle(report(card(patient.card_number)), observation())
    unknown = entry(condition(named(patient.card_number), id=str(uuid4())))
    unknown["request"] |= {"method": "PUT", "url": f"Condition/{unknown['resource']['id']}", "ifMatch": 'W/"1"'}
    body["entry"].append(unknown)
    assert refusal_of(send(city, machine, body)) == (404, "records.entry_not_found")
    body["entry"][-1] = entry(condition(named(city.patient().card_number)))
    assert refusal_of(send(city, machine, body)) == (422, "records.person_not_matched")
    assert city.client.get("/api/v1/timeline", headers=bearer(patient.token)).json["items"] == []


def test_of_a_batch_each_stands_for_itself(city: City, machine: Machine, patient: Patient) -> None:
    good, other = condition(named(patient.card_number)), immunization(named(city.patient().card_number))
    bad = condition(named(patient.card_number), identifier=None)
    lost = condition(named("0" * 64))
    plain = {"resource": report(card(patient.card_number)), "request": {"method": "POST", "url": "DiagnosticReport"}}
    entries = [entry(good), entry(bad), entry(lost), entry(other), plain]
    body = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    answer = json.loads(send(city, machine, body).text)
    get_fhir_model_class("Bundle").model_validate(answer)
    assert answer["type"] == "batch-response"
    responses = [one["response"] for one in answer["entry"]]
    assert [one["status"] for one in responses] == ["201 Created", "422", "422", "201 Created", "201 Created"]
    code = responses[2]["outcome"]["issue"][0]["details"]["coding"][0]["code"]
    assert code == "records.person_not_matched"
    waiting = city.client.get("/api/v1/quarantine", headers=bearer(machine.token)).json["messages"]
    assert [message["reason"] for message in waiting] == ["records.person_not_matched", "records.fhir_invalid"]
    assert rows() == 2


def test_an_identifier_of_another_person_is_refused_and_kept(city: City, machine: Machine, patient: Patient) -> None:
    sent = condition(named(patient.card_number))
    call(city, machine.token, "POST", "Condition", sent)
    moved = call(city, machine.token, "POST", "Condition", sent | {"subject": named(city.patient().card_number)})
    assert refusal_of(moved) == (409, "records.entry_of_another_person")
    waiting = city.client.get("/api/v1/quarantine", headers=bearer(machine.token)).json["messages"]
    assert [message["reason"] for message in waiting] == ["records.entry_of_another_person"]


def test_a_person_is_named_by_our_id_only_where_the_hospital_can_know_it(
    city: City, hospital: Hospital, machine: Machine, patient: Patient
) -> None:
    sent = condition({"reference": f"Patient/{patient.person_id}"})
    assert refusal_of(call(city, machine.token, "POST", "Condition", sent)) == (422, "records.person_not_matched")
    visit_id = city.visit(city.staff(hospital), patient, hospital)
    sent |= {"encounter": {"reference": f"Encounter/{visit_id}"}, "identifier": identified()}
    assert call(city, machine.token, "POST", "Condition", sent).status_code == 201
    found = get(city, patient.token, f"Condition?encounter=Encounter/{visit_id}")
    assert len(found["entry"]) == 1


SOMEBODY = {"display": "put in by the test"}
INVALID = [
    condition(SOMEBODY, identifier=None),
    condition(SOMEBODY, identifier=[{"value": "no system"}]),
    condition(SOMEBODY, code=None),
    condition(SOMEBODY, onsetDateTime=None),
    condition(SOMEBODY, onsetDateTime="2999-01-01"),
    condition(SOMEBODY, onsetDateTime="2019-13"),
    condition(SOMEBODY, clinicalStatus={"coding": [{"code": "very"}]}),
    condition(SOMEBODY, bogus=1),
    condition(SOMEBODY, abatementDateTime="2020-01-01"),
    condition(SOMEBODY, verificationStatus={"coding": [{"code": "entered-in-error"}]}),
    every_kind(SOMEBODY)[2] | {"clinicalStatus": None},
    every_kind(SOMEBODY)[2] | {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}},
    every_kind(SOMEBODY)[7] | {"code": None, "orderDetail": [{"text": "空腹"}]},
    condition(SOMEBODY, encounter={"identifier": {"system": systems.VISIT, "value": "x"}}),
    condition(SOMEBODY, recorder={"reference": "javascript:alert(1)"}),
    condition(SOMEBODY, stage=[{"type": {"text": "nul \u0000"}}]),
    immunization(SOMEBODY, status="done"),
    immunization(SOMEBODY, doseQuantity={"value": 10**40}),
    condition({}),
    condition({"reference": "Patient/1"}),
]
UNSUPPORTED = [
    condition(SOMEBODY, contained=[{"resourceType": "Patient"}]),
    condition(SOMEBODY, recorder={"reference": f"urn:uuid:{uuid4()}"}),
    condition(SOMEBODY) | {"subject": {"identifier": {"system": "urn:other", "value": "1"}}},
]


def test_what_does_not_conform_is_refused_and_nothing_is_written(
    city: City, machine: Machine, patient: Patient
) -> None:
    for code, resources in {"records.fhir_invalid": INVALID, "records.fhir_content_unsupported": UNSUPPORTED}.items():
        for number, sent in enumerate(resources):
            element = "patient" if "patient" in sent else "subject"
            resource = sent | ({element: named(patient.card_number)} if sent[element] == SOMEBODY else {})
            reply = call(city, machine.token, "POST", resource["resourceType"], resource)
            assert refusal_of(reply) == (422, code), number
            assert patient.card_number not in reply.text
    assert rows() == 0


def test_writing_needs_its_scope(city: City, hospital: Hospital, patient: Patient) -> None:
    reader = city.machine(hospital, scopes=["system/*.read"])
    sent = condition(named(patient.card_number))
    assert refusal_of(call(city, reader.token, "POST", "Condition", sent)) == (403, "core.permission_missing")
    assert refusal_of(call(city, patient.token, "POST", "Condition", sent)) == (403, "core.permission_missing")


def test_what_a_version_says_cannot_be_changed(city: City, machine: Machine, patient: Patient) -> None:
    call(city, machine.token, "POST", "Condition", condition(named(patient.card_number)))
    for change in ("UPDATE record_entries SET status = 'x'", "DELETE FROM record_entries"):
        with pytest.raises(DatabaseError), db.transaction() as session:
            session.execute(text(change))
