"""The orders that a report answers: given back, followed within one message, searched by and included."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.support.apps import AppSide
from tests.support.city import City, Hospital, Machine, Patient
from tests.support.entries import call, every_kind, get, identified, matches, named
from tests.support.fhir import bundle, card, observation, refusal_of, report, report_id_of, send

FILLER = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "FILL"}]}


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital()


@pytest.fixture(scope="module")
def machine(module_city: City, hospital: Hospital) -> Machine:
    return module_city.machine(hospital)


@pytest.fixture(scope="module")
def patient(module_city: City, hospital: Hospital) -> Patient:
    found = module_city.patient()
    module_city.visit(module_city.staff(hospital), found, hospital)
    return found


def order(patient: Patient) -> dict[str, Any]:
    """A ServiceRequest under a name of its own."""
    (found,) = [one for one in every_kind(named(patient.card_number)) if one["resourceType"] == "ServiceRequest"]
    return found


def post(city: City, machine: Machine, sent: dict[str, Any]) -> dict[str, Any]:
    reply = call(city, machine.token, "POST", sent["resourceType"], sent)
    assert reply.status_code == 201, reply.text
    return dict(json.loads(reply.text))


def shown(request: dict[str, Any], request_id: str | None = None) -> dict[str, Any]:
    """How an order is given back."""
    literal = {"reference": f"ServiceRequest/{request_id}"} if request_id else {}
    return literal | {"type": "ServiceRequest", "identifier": request["identifier"][0]}


def test_what_a_report_answers_is_given_back(city: City, machine: Machine, patient: Patient) -> None:
    asked = order(patient)
    request_id = post(city, machine, asked)["id"]
    unknown, number = order(patient), {"identifier": {"type": FILLER, "value": "F7"}}
    bases = [
        {"reference": f"ServiceRequest/{request_id}"},
        {"identifier": unknown["identifier"][0]},
        number,
        {"reference": f"ServiceRequest/{uuid4()}"},
    ]
    sent = report(card(patient.card_number), basedOn=bases)
    report_id = report_id_of(send(city, machine, bundle(sent, observation())))
    told = [shown(asked, request_id), shown(unknown), {"type": "ServiceRequest"} | number]
    read = get(city, patient.token, f"DiagnosticReport/{report_id}")
    assert read["basedOn"] == told
    # Which of several orders one result of the report answers, nobody has said.
    assert "basedOn" not in get(city, patient.token, f"Observation/{report_id}.1")
    # What is read can be sent again, and is the same; other orders are another version.
    path, again = f"DiagnosticReport/{report_id}", read | {"subject": named(patient.card_number)}
    reply = call(city, machine.token, "PUT", path, again, **{"If-Match": 'W/"1"'})
    assert (reply.status_code, json.loads(reply.text)["meta"]["versionId"]) == (200, "1"), reply.text
    less = again | {"basedOn": told[:1], "status": "amended"}
    reply = call(city, machine.token, "PUT", path, less, **{"If-Match": 'W/"1"'})
    assert json.loads(reply.text)["basedOn"] == told[:1]
    assert get(city, patient.token, f"{path}/_history/1")["basedOn"] == told
    # The request may come later than its result.
    late = post(city, machine, unknown)["id"]
    assert get(city, patient.token, f"{path}/_history/1")["basedOn"][1] == shown(unknown, late)


def test_an_order_of_the_same_transaction_is_followed(city: City, machine: Machine, patient: Patient) -> None:
    asked, url = order(patient), f"urn:uuid:{uuid4()}"
    of_result = observation(basedOn=[{"reference": url}])
    alone = observation(
        identifier=identified(),
        subject=named(patient.card_number),
        issued="2026-03-20T10:00:00+08:00",
        basedOn=[{"reference": url}],
    )
    sent = bundle(report(card(patient.card_number)), of_result)
    sent["entry"] += [
        {"fullUrl": f"urn:uuid:{uuid4()}", "resource": alone, "request": {"method": "POST", "url": "Observation"}},
        {"fullUrl": url, "resource": asked, "request": {"method": "POST", "url": "ServiceRequest"}},
    ]
    answer = json.loads(send(city, machine, sent).text)["entry"]
    report_id, _, line_id, request_id = (one["response"]["location"].split("/")[1] for one in answer)
    for path in (f"DiagnosticReport/{report_id}", f"Observation/{line_id}"):
        assert get(city, patient.token, path)["basedOn"] == [shown(asked, request_id)], path
    # Of each entry of a batch, which stands for itself, there is nothing that a urn:uuid could lead to.
    reply = send(city, machine, bundle(report(card(patient.card_number), basedOn=[{"reference": url}]), observation()))
    assert refusal_of(reply) == (422, "records.fhir_content_unsupported")
    entry = {"resource": alone | {"identifier": identified()}, "request": {"method": "POST", "url": "Observation"}}
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [entry, sent["entry"][-1]]}
    assert [one["response"]["status"][:3] for one in json.loads(send(city, machine, batch).text)["entry"]] == [
        "422", "200"]  # fmt: skip


def test_reports_are_found_by_their_order_and_bring_it(
    city: City, hospital: Hospital, machine: Machine, patient: Patient
) -> None:
    asked = order(patient)
    request_id = post(city, machine, asked)["id"]
    based = {"basedOn": [{"reference": f"ServiceRequest/{request_id}"}]}
    report_id = report_id_of(send(city, machine, bundle(report(card(patient.card_number), **based), observation())))
    send(city, machine, bundle(report(card(patient.card_number)), observation()))
    reader = city.machine(hospital, scopes=["system/*.read"])
    app = AppSide(city).tokens(patient, "patient/*.rs")["access_token"]
    for token in (patient.token, reader.token, app):
        for value in (request_id, f"ServiceRequest/{request_id}"):
            found = get(city, token, f"DiagnosticReport?based-on={value}&_include=DiagnosticReport:based-on")
            assert [one["id"] for one in matches(found)] == [report_id]
            assert [(one["resourceType"], one["id"]) for one in matches(found, "include")] == [
                ("ServiceRequest", request_id)]  # fmt: skip
        lines = get(city, token, f"Observation?based-on={request_id}&_include=Observation:based-on")
        assert [one["id"] for one in matches(lines)] == [f"{report_id}.1"]
        counted = f"DiagnosticReport?patient={patient.person_id}&based-on={request_id}&_total=accurate&_count=0"
        assert get(city, token, counted)["total"] == 1
        for other in (f"Patient/{request_id}", UUID(int=1), "x"):
            assert matches(get(city, token, f"DiagnosticReport?based-on={other}")) == []
    # A token that may not read requests gets none beside a report, and learns no more than their names.
    narrow = AppSide(city).tokens(patient, "patient/DiagnosticReport.rs")["access_token"]
    found = get(city, narrow, f"DiagnosticReport?based-on={request_id}&_include=DiagnosticReport:based-on")
    assert (len(matches(found)), matches(found, "include")) == (1, [])


def test_an_order_of_this_name_elsewhere_or_of_somebody_else_is_not_meant(
    city: City, machine: Machine, patient: Patient
) -> None:
    asked = order(patient)
    elsewhere = city.machine(city.hospital())
    post(city, elsewhere, asked)
    other = city.patient()
    of_other = order(other)
    other_id = post(city, machine, of_other)["id"]
    bases = [{"identifier": asked["identifier"][0]}, {"identifier": of_other["identifier"][0]}]
    sent = report(card(patient.card_number), basedOn=bases)
    report_id = report_id_of(send(city, machine, bundle(sent, observation())))
    read = get(city, patient.token, f"DiagnosticReport/{report_id}")
    assert read["basedOn"] == [shown(asked), shown(of_other)]
    app = AppSide(city).tokens(patient, "patient/*.rs")["access_token"]
    for token in (patient.token, app):
        assert matches(get(city, token, f"DiagnosticReport?based-on={other_id}")) == []
