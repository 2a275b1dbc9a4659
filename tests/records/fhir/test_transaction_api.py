"""A hospital system sends reports as FHIR transactions."""

import json
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from records.fhir import systems
from tests.support.city import City, Hospital, Machine, Patient, bearer
from tests.support.fhir import bundle, card, observation, refusal_of, report, report_id_of, send


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital("市中心测试医院")


@pytest.fixture(scope="module")
def machine(module_city: City, hospital: Hospital) -> Machine:
    return module_city.machine(hospital)


@pytest.fixture(scope="module")
def patient(module_city: City) -> Patient:
    return module_city.patient()


def read(city: City, token: str, report_id: str) -> dict[str, Any]:
    reply = city.client.get(f"/api/v1/reports/{report_id}", headers=bearer(token))
    assert reply.status_code == 200, reply.text
    return dict(reply.get_json())


def test_a_report_is_filed_and_the_patient_reads_it_exactly_as_sent(
    city: City, hospital: Hospital, patient: Patient, machine: Machine
) -> None:
    exact = json.dumps(bundle(report(card(patient.card_number)), observation(), observation("718-7", "血红蛋白")))
    reply = send(city, machine, exact.replace('"value": 7.2', '"value": 7.20'))
    assert reply.status_code == 200, reply.text
    assert reply.headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    assert Bundle.model_validate(json.loads(reply.text)).type == "transaction-response"
    responses = [entry["response"] for entry in json.loads(reply.text)["entry"]]
    assert [response["status"] for response in responses] == ["201 Created"] * 3
    report_id = report_id_of(reply)
    assert [response["location"] for response in responses] == [
        f"DiagnosticReport/{report_id}/_history/1",
        f"Observation/{report_id}.1/_history/1",
        f"Observation/{report_id}.2/_history/1",
    ]
    assert responses[0]["etag"] == 'W/"1"'
    shown = read(city, patient.token, report_id)
    lines = shown.pop("observations")
    assert [line.pop("judgement")["item"] for line in lines] == ["LAB-GLU", "LAB-HGB"]
    (first,) = shown.pop("versions")
    assert (first["version"], first["changes"], shown.pop("is_current"), shown.pop("is_held")) == (1, [], True, False)
    assert shown == {
        "id": report_id,
        "version": 1,
        "status": "final",
        "category": "laboratory",
        "code": "24323-8",
        "code_system": "http://loinc.org",
        "name": "生化全套",
        "hospital_id": str(hospital.id),
        "hospital_name": "市中心测试医院",
        "performed_at": "2026-03-20T00:30:00Z",
        "issued_at": "2026-03-20T02:00:00Z",
        "attachments": [],
        "authors": [],
        "studies": [],
    }
    assert lines[0] == {
        "position": 1,
        "status": "final",
        "code": "2345-7",
        "code_system": "http://loinc.org",
        "name": "葡萄糖",
        "value": "7.20",
        "unit": "mmol/L",
        "unit_code": "mmol/L",
        "reference_low": "3.9",
        "reference_high": "6.1",
        "reference_text": "3.9-6.1",
        "interpretation": "H",
    }
    timeline = city.client.get("/api/v1/timeline", headers=bearer(patient.token)).json["items"]
    assert [(item["object_kind"], item["object_id"], item["title"]) for item in timeline] == [
        ("report", report_id, "生化全套")
    ]


def test_the_same_bundle_again_gets_the_same_answer_and_files_nothing(
    city: City, patient: Patient, machine: Machine
) -> None:
    body = bundle(report(card(patient.card_number)), observation())
    first, again = send(city, machine, body), send(city, machine, body)
    assert again.data == first.data
    items = city.client.get("/api/v1/timeline", headers=bearer(patient.token)).json["items"]
    assert len(items) == 1
    assert read(city, patient.token, report_id_of(first))["version"] == 1


def test_a_used_bundle_identifier_with_other_content_is_refused_and_kept(
    city: City, patient: Patient, machine: Machine
) -> None:
    body = bundle(report(card(patient.card_number)), observation())
    send(city, machine, body)
    other = body | {"entry": bundle(report(card(patient.card_number)), observation())["entry"]}
    assert refusal_of(send(city, machine, other)) == (409, "records.message_key_reused")
    waiting = city.client.get("/api/v1/quarantine", headers=bearer(machine.token)).json["messages"]
    assert [message["reason"] for message in waiting] == ["records.message_key_reused"]


def test_a_correction_is_the_next_version_of_the_same_report(city: City, patient: Patient, machine: Machine) -> None:
    sent = report(card(patient.card_number))
    first = send(city, machine, bundle(sent, observation()))
    corrected = sent | {"status": "corrected", "issued": "2026-03-20T12:00:00+08:00"}
    second = send(city, machine, bundle(corrected, observation(valueQuantity={"value": 5.2, "unit": "mmol/L"})))
    assert report_id_of(second) == report_id_of(first)
    assert json.loads(second.text)["entry"][0]["response"]["etag"] == 'W/"2"'
    shown = read(city, patient.token, report_id_of(first))
    assert (shown["version"], shown["status"], shown["observations"][0]["value"]) == (2, "corrected", "5.2")
    items = city.client.get("/api/v1/timeline", headers=bearer(patient.token)).json["items"]
    assert [(item["object_id"], item["status"]) for item in items] == [(report_id_of(first), "corrected")]


def test_the_same_report_in_a_new_message_makes_no_version(city: City, patient: Patient, machine: Machine) -> None:
    sent = report(card(patient.card_number))
    send(city, machine, bundle(sent, observation()))
    again = json.loads(send(city, machine, bundle(sent, observation())).text)
    assert [entry["response"]["status"] for entry in again["entry"]] == ["200 OK", "200 OK"]
    assert again["entry"][0]["response"]["etag"] == 'W/"1"'


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"valueQuantity": {"value": 5, "comparator": "<", "unit": "g"}}, {"value": "5", "comparator": "<"}),
        ({"valueInteger": 3}, {"value": "3"}),
        ({"valueString": "阴性"}, {"text": "阴性"}),
        ({"valueBoolean": True}, {"text": "true"}),
        ({"valueCodeableConcept": {"text": "A 型"}}, {"text": "A 型"}),
        ({"valueCodeableConcept": {"coding": [{"code": "A", "display": "A 型"}]}}, {"text": "A 型"}),
        ({"valueRange": {"low": {"value": 1, "unit": "/HP"}, "high": {"value": 3}}}, {"text": "1-3", "unit": "/HP"}),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}}, {"text": "1:128"}),
        ({"valueDateTime": "2026-03-20"}, {"text": "2026-03-20"}),
        ({"valueTime": "08:30:00"}, {"text": "08:30:00"}),
        ({"dataAbsentReason": {"text": "标本溶血"}}, {"note": "标本溶血"}),
        ({"note": [{"text": "已复查"}], "valueString": "+"}, {"note": "已复查", "text": "+"}),
    ],
)
def test_every_kind_of_value_is_shown(
    city: City, patient: Patient, machine: Machine, changes: dict[str, Any], shown: dict[str, str]
) -> None:
    plain = {"valueQuantity": None, "referenceRange": None, "interpretation": None}
    reply = send(city, machine, bundle(report(card(patient.card_number)), observation(**plain | changes)))
    (line,) = read(city, patient.token, report_id_of(reply))["observations"]
    common = {"position": 1, "status": "final", "code": "2345-7", "code_system": "http://loinc.org", "name": "葡萄糖"}
    assert line.pop("judgement")["item"] == "LAB-GLU"
    assert {"unit": "g"} | line == {"unit": "g"} | common | shown


def test_several_reference_ranges_are_shown_and_none_is_used_as_a_bound(
    city: City, patient: Patient, machine: Machine
) -> None:
    ranges = [
        {"low": {"value": 130}, "high": {"value": 175}, "type": {"text": "男"}},
        {"text": "115-150", "type": {"text": "女"}},
    ]
    reply = send(city, machine, bundle(report(card(patient.card_number)), observation(referenceRange=ranges)))
    (line,) = read(city, patient.token, report_id_of(reply))["observations"]
    assert line["reference_text"] == "男 130-175; 女 115-150"
    assert "reference_low" not in line


def test_a_withdrawn_result_loses_its_value_in_the_new_version(city: City, patient: Patient, machine: Machine) -> None:
    withdrawn = observation(status="entered-in-error")
    reply = send(city, machine, bundle(report(card(patient.card_number), status="corrected"), withdrawn))
    (line,) = read(city, patient.token, report_id_of(reply))["observations"]
    assert (line["status"], "value" in line) == ("entered-in-error", False)


def test_a_subject_may_be_named_by_patient_number_or_certificate(
    city: City, hospital: Hospital, patient: Patient, machine: Machine
) -> None:
    city.visit(city.staff(hospital), patient, hospital, patient_number="MZ000777")
    for subject in (
        (systems.PATIENT_NUMBER, "MZ000777"),
        (f"{systems.CERTIFICATE}01", patient.certificate_number),
    ):
        report_id = report_id_of(send(city, machine, bundle(report(subject), observation())))
        assert read(city, patient.token, report_id)["version"] == 1


UNREADABLE: list[str | bytes] = [
    "",
    "{",
    "[]",
    "5",
    '{"resourceType": "Bundle", "resourceType": "Bundle"}',
    '{"resourceType": "Bundle", "total": NaN}',
    '{"resourceType": "Bundle", "total": -Infinity}',
    '{"resourceType": "Bundle", "total": 1e99999999999999999999}',
    '{"resourceType": "Bundle", "total": ' + "9" * 5000 + "}",
    '{"a":' * 40 + "1" + "}" * 40,
    "[" * 100_000,
    b'{"resourceType": "Bundle\xff"}',
]


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_is_not_strict_json_is_unreadable(city: City, machine: Machine, body: str | bytes) -> None:
    assert refusal_of(send(city, machine, body)) == (400, "records.fhir_unreadable")


@pytest.mark.parametrize(
    "content_type",
    ["application/fhir+xml", "text/plain", "", "application/fhir+json; charset=gb18030", "multipart/form-data"],
)
def test_another_media_type_is_refused(city: City, machine: Machine, content_type: str) -> None:
    reply = send(city, machine, "{}", **{"Content-Type": content_type})
    assert refusal_of(reply) == (415, "records.fhir_media_type_unsupported")


def test_a_body_that_is_too_large_is_refused(city: City, machine: Machine) -> None:
    assert refusal_of(send(city, machine, b" " * (4 * 1024 * 1024 + 1))) == (413, "core.http_error")


def change_report(**changes: Any) -> Any:
    return lambda body: body["entry"][0]["resource"].update(changes)


def change_result(**changes: Any) -> Any:
    return lambda body: body["entry"][1]["resource"].update(changes)


INVALID = [
    lambda body: body.update(resourceType="Observation"),
    lambda body: body.update(type="collection"),
    lambda body: body.update(entry=[]),
    lambda body: body.update(entry=[{"request": {"method": "POST", "url": "Observation"}}]),
    lambda body: body["entry"].pop(0),
    lambda body: body["entry"].pop(1),
    lambda body: body["entry"][1].pop("fullUrl"),
    lambda body: body["entry"].append(body["entry"][1]),
    lambda body: body["entry"].append(body["entry"][0] | {"fullUrl": "urn:uuid:other"}),
    change_report(result=[]),
    change_report(status="done"),
    change_report(status="registered"),
    change_report(status=None),
    change_report(bogus=1),
    change_report(identifier=[]),
    change_report(identifier=[{"value": "no system"}]),
    change_report(code={"text": "by name only"}),
    change_report(effectiveDateTime=None, issued=None),
    change_report(effectiveDateTime="2026-11"),
    change_report(effectiveDateTime="2026-03-20T08:30:00"),
    change_report(issued="2026-03-20"),
    change_report(subject=None),
    change_report(subject={"reference": "Patient/1"}),
    change_report(encounter={"identifier": {"system": systems.VISIT, "value": "not-an-id"}}),
    change_report(conclusion="half \ud800"),
    change_report(conclusion="nul \u0000"),
    change_result(status="finished"),
    change_result(status="unknown"),
    change_result(interpretation=[{"coding": [{"system": systems.INTERPRETATION, "code": "high"}]}]),
    change_result(valueQuantity={"unit": "g"}),
    change_result(valueQuantity={"value": 1, "comparator": "~"}),
    change_result(valueQuantity={"value": "many"}),
    change_result(valueQuantity={"value": 1e60}),
    change_result(valueString="two values"),
    change_result(code={"coding": [{"display": "no code"}]}),
    change_result(component=[{"valueInteger": 1}]),
]


@pytest.mark.parametrize("spoil", INVALID, ids=range(len(INVALID)))
def test_what_does_not_conform_is_invalid_and_nothing_is_written(
    city: City, patient: Patient, machine: Machine, spoil: Any
) -> None:
    body = bundle(report(card(patient.card_number)), observation())
    spoil(body)
    reply = send(city, machine, json.dumps(body))
    assert refusal_of(reply) == (422, "records.fhir_invalid")
    OperationOutcome.model_validate(json.loads(reply.text))
    assert patient.card_number not in reply.text
    assert city.client.get("/api/v1/timeline", headers=bearer(patient.token)).json["items"] == []


UNSUPPORTED = [
    lambda body: body["entry"][1]["resource"].update(resourceType="Patient"),
    lambda body: body["entry"][1]["resource"].update(resourceType="Nonsense"),
    lambda body: body["entry"][0]["request"].update(method="PUT"),
    lambda body: body["entry"][0]["request"].update(url="Observation"),
    lambda body: body["entry"][0]["request"].update(ifNoneExist="identifier=1"),
    change_report(contained=[{"resourceType": "Patient"}]),
    change_report(modifierExtension=[{"url": "urn:x", "valueString": "not"}]),
    change_report(implicitRules="urn:x"),
    change_report(presentedForm=[{"contentType": "application/pdf", "data": "AAAA"}]),
    change_report(subject={"identifier": {"system": "urn:other", "value": "1"}}),
    change_result(interpretation=[{"text": "偏高"}]),
    change_result(valueQuantity=None, valuePeriod={"start": "2026-03-20"}),
]


@pytest.mark.parametrize("spoil", UNSUPPORTED, ids=range(len(UNSUPPORTED)))
def test_what_would_have_to_be_dropped_is_refused(city: City, patient: Patient, machine: Machine, spoil: Any) -> None:
    body = bundle(report(card(patient.card_number)), observation())
    spoil(body)
    assert refusal_of(send(city, machine, body)) == (422, "records.fhir_content_unsupported")


def test_nobody_signed_in_and_no_permission_are_outcomes_too(city: City, hospital: Hospital) -> None:
    anonymous = city.client.post("/fhir", json={})
    assert refusal_of(anonymous) == (401, "core.not_signed_in")
    imaging = city.machine(hospital, scopes=["dicomweb.write"])
    assert refusal_of(send(city, imaging, "{}")) == (403, "core.permission_missing")


@pytest.mark.parametrize(("method", "path"), [("GET", "Basic"), ("DELETE", "x/y/z")])
def test_other_interactions_do_not_exist(city: City, method: str, path: str) -> None:
    reply = city.client.open(f"/fhir/{path}", method=method)
    assert refusal_of(reply) == (404, "records.fhir_interaction_unsupported")


def test_the_capability_statement_says_what_is_there(city: City) -> None:
    reply = city.client.get("/fhir/metadata")
    statement = json.loads(reply.text)
    assert CapabilityStatement.model_validate(statement).fhirVersion == "4.0.1"
    (server,) = statement["rest"]
    assert server["interaction"] == [{"code": "transaction"}, {"code": "batch"}]
    # What it says and what there is are one table: every interaction has a route, and every route an interaction.
    said = {(one["type"], interaction["code"]) for one in server["resource"] for interaction in one["interaction"]}
    named = {"read": "read", "search": "search-type", "vread": "vread", "history": "history-instance"}
    named |= {"create": "create", "update": "update"}
    routed = set()
    for rule in city.app.url_map.iter_rules():
        interaction, _, kind = rule.endpoint.removeprefix("fhir.").partition("_")
        if rule.endpoint.startswith("fhir.") and interaction in named and kind[:1].isupper():
            routed.add((kind, named[interaction]))
    assert said == routed
    assert len(said) == 17 * 2 + 11 * 2 + 11 * 2 + 2
