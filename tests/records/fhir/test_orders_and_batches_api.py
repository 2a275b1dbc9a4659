"""Orders stand as the reports say that answer them; a batch reads whatever a single request reads."""

import json
from typing import Any
from uuid import UUID

import pytest

from core import db
from records.fhir import systems
from records.fhir.reading import MOST_READS
from records.intake.subjects import Subject
from records.orders import service as orders
from records.orders.service import Placed, PlacedOrder
from tests.support.apps import AppSide
from tests.support.city import City, Hospital, Machine, Patient, Staff, bearer
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
def doctor(module_city: City, hospital: Hospital) -> Staff:
    return module_city.staff(hospital)


@pytest.fixture(scope="module")
def patient(module_city: City) -> Patient:
    return module_city.patient()


def place(machine: Machine, patient: Patient, *numbers: tuple[str, str | None]) -> None:
    """Orders of these placer and filler numbers."""
    placed = tuple(PlacedOrder(placer, filler, "x", "urn:x", "血常规", "active", None) for placer, filler in numbers)
    subject = Subject(frozenset({patient.card_number}), frozenset(), frozenset())
    with db.transaction() as session:
        orders.place_orders(session, machine.actor, placed=Placed(subject, None, None, placed))


def standing(city: City, doctor: Staff) -> dict[str, tuple[str, str | None]]:
    found = city.client.get("/api/v1/orders", headers=bearer(doctor.token)).json["orders"]
    return {one["placer_number"]: (one["status"], one.get("report_id")) for one in found}


def test_orders_follow_the_reports_that_are_based_on_them(
    city: City, machine: Machine, doctor: Staff, patient: Patient
) -> None:
    request = every_kind(named(patient.card_number))
    (asked,) = [one for one in request if one["resourceType"] == "ServiceRequest"]
    asked |= {"identifier": [{"system": "urn:x", "value": "P3"}]}
    request_id = json.loads(call(city, machine.token, "POST", "ServiceRequest", asked).text)["id"]
    place(machine, patient, ("P1", None), ("P2", "F2"), ("P3", None), ("P4", None))
    bases: list[dict[str, Any]] = [
        {"identifier": {"system": "urn:x", "value": "P1"}},
        {"identifier": {"type": FILLER, "value": "F2"}},
        {"reference": f"ServiceRequest/{request_id}"},
        {"reference": "ServiceRequest/unknown"},
    ]
    sent = report(card(patient.card_number), status="preliminary", basedOn=bases)
    report_id = report_id_of(send(city, machine, bundle(sent, observation(status="preliminary"))))
    assert standing(city, doctor) == {
        "P1": ("active", report_id), "P2": ("active", report_id), "P3": ("active", report_id), "P4": ("active", None)
    }  # fmt: skip
    # The next version, and a result that came alone.
    send(city, machine, bundle(sent | {"status": "final"}, observation()))
    alone = observation(identifier=identified(), subject=named(patient.card_number), issued="2026-03-20T10:00:00+08:00",
                        basedOn=[{"identifier": {"value": "P4"}}])  # fmt: skip
    line = json.loads(call(city, machine.token, "POST", "Observation", alone).text)["id"]
    done = standing(city, doctor)
    assert {number: status for number, (status, _) in done.items()} == dict.fromkeys(
        ("P1", "P2", "P3", "P4"), "completed"
    )
    assert done["P4"][1] == line.removesuffix(".1")
    # Taken over with its results, the report is withdrawn: so are the orders.
    gone = get(city, patient.token, f"DiagnosticReport/{report_id}") | {
        "status": "cancelled", "subject": named(patient.card_number), "basedOn": bases}  # fmt: skip
    assert (
        call(city, machine.token, "PUT", f"DiagnosticReport/{report_id}", gone, **{"If-Match": 'W/"2"'}).status_code
        == 200
    )
    assert {number: status for number, (status, _) in standing(city, doctor).items()} == {
        "P1": "revoked", "P2": "revoked", "P3": "revoked", "P4": "completed"}  # fmt: skip


def test_an_order_of_another_house_or_person_is_not_answered(
    city: City, machine: Machine, doctor: Staff, patient: Patient
) -> None:
    place(machine, patient, ("P9", None))
    based = {"basedOn": [{"identifier": {"value": "P9"}}]}
    stranger = city.machine(city.hospital())
    assert send(city, stranger, bundle(report(card(patient.card_number), **based), observation())).status_code == 200
    other = city.patient()
    assert send(city, machine, bundle(report(card(other.card_number), **based), observation())).status_code == 200
    assert standing(city, doctor)["P9"] == ("active", None)
    long = {"basedOn": [{"identifier": {"value": "P" * 256}}]}
    reply = call(city, machine.token, "POST", "DiagnosticReport", report(card(patient.card_number), **long))
    assert refusal_of(reply) == (422, "records.fhir_invalid")


def batch(city: City, token: str, *urls: str) -> list[dict[str, Any]]:
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    body = {"resourceType": "Bundle", "type": "batch", "entry": entries}
    reply = call(city, token, "POST", "", body)
    assert reply.status_code == 200, reply.text
    return list(json.loads(reply.text)["entry"])


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    """What two answers have in common: a summary is a document of its own each time."""
    return {name: answer.get(name) for name in ("resourceType", "type", "id", "link", "total", "status")} | {
        "entries": [one["resource"]["resourceType"] for one in answer.get("entry", [])]
    }


def test_a_batch_reads_whatever_a_request_of_its_own_reads(
    city: City, hospital: Hospital, machine: Machine, doctor: Staff, patient: Patient
) -> None:
    city.visit(doctor, patient, hospital, patient_number="MZ9")
    report_id = report_id_of(send(city, machine, bundle(report(card(patient.card_number)), observation())))
    person = f"Patient/{patient.person_id}"
    urls = [
        person,
        f"Patient?identifier={systems.PATIENT_NUMBER}|MZ9",
        f"{person}/$everything?_count=1",
        f"{person}/$summary",
        f"DiagnosticReport/{report_id}/_history",
        f"DiagnosticReport/{report_id}/_history/1",
        "metadata",
        f"Observation?patient={patient.person_id}&_count=1",
        f"Organization/{hospital.id}",
        f"Consent?patient={patient.person_id}",
    ]
    reader = city.machine(hospital, scopes=["system/*.read"])
    for token in (machine.token, reader.token):
        for url, entry in zip(urls, batch(city, token, *urls), strict=True):
            assert entry["response"]["status"] == "200 OK", (url, entry)
            assert without_times(entry["resource"]) == without_times(get(city, token, url)), url
    own = [url for url in urls if "identifier" not in url]
    assert [one["response"]["status"] for one in batch(city, patient.token, *own)] == ["200 OK"] * len(own)
    app = AppSide(city).tokens(patient, "patient/Patient.r patient/Observation.rs")["access_token"]
    told = [
        one["response"]["status"]
        for one in batch(city, app, person, f"Observation/{report_id}.1", f"DiagnosticReport/{report_id}")
    ]
    assert told == ["200 OK", "200 OK", "403"]


def test_what_a_batch_does_not_read_is_refused_alone(city: City, machine: Machine, patient: Patient) -> None:
    person = f"Patient/{patient.person_id}"
    wrong = {
        "": "404", "Nothing/1": "404", "Patient/1": "404", f"{person}/_history": "404", f"{person}?_count=1": "404",
        f"Condition/{patient.person_id}/$everything": "404", f"{person}/$summary/1": "404", "Patient?bogus=1": "400",
        "Observation/_search": "404", "../api/v1/cards": "404",
    }  # fmt: skip
    assert [one["response"]["status"] for one in batch(city, patient.token, *wrong)] == list(wrong.values())
    many = {"resourceType": "Bundle", "type": "batch",
            "entry": [{"request": {"method": "GET", "url": person}}] * (MOST_READS + 1)}  # fmt: skip
    for token in (patient.token, machine.token):
        assert refusal_of(call(city, token, "POST", "", many)) == (422, "records.fhir_invalid")


def test_who_only_reads_files_nothing(city: City, hospital: Hospital, patient: Patient) -> None:
    reader = city.machine(hospital, scopes=["system/*.read"])
    body = bundle(report(card(patient.card_number)), observation())
    for token in (reader.token, patient.token):
        assert call(city, token, "POST", "", body).status_code == 403
        reply = call(city, token, "POST", "", body | {"type": "batch"})
        assert [one["response"]["status"] for one in json.loads(reply.text)["entry"]] == ["403", "403"]
    assert matches(get(city, patient.token, f"DiagnosticReport?_id={UUID(int=1)}")) == []
