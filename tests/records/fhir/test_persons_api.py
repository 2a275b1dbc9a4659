"""Written of persons by FHIR: one is registered by a hospital's system, a consent is taken back by its giver."""

import json
from typing import Any

import pytest
from sqlalchemy import func, select

from core import db
from health_card.models import Card, Person
from records.fhir import systems
from tests.support.city import City, Hospital, Machine, Patient, resident_id
from tests.support.entries import call, get, matches
from tests.support.fhir import card, observation, refusal_of, report, send

CERTIFICATE = f"{systems.CERTIFICATE}01"


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital()


@pytest.fixture(scope="module")
def machine(module_city: City, hospital: Hospital) -> Machine:
    return module_city.machine(hospital)


def person(number: str | None = None, **changes: Any) -> dict[str, Any]:
    """A patient as the system of a hospital knows him."""
    identifier = [
        {"system": CERTIFICATE, "value": number or resident_id()},
        {"system": systems.PATIENT_NUMBER, "value": f"MZ{resident_id()}"},
    ]
    plain = {
        "resourceType": "Patient",
        "identifier": identifier,
        "name": [{"family": "欧阳", "given": ["测试"]}],
        "telecom": [{"system": "phone", "value": "13900000001"}],
        "gender": "unknown",
        "address": [{"city": "某市", "line": ["测试路1号"]}],
    } | changes
    return {name: value for name, value in plain.items() if value is not None}


def count() -> tuple[int, ...]:
    with db.transaction() as session:
        return tuple(session.scalar(select(func.count()).select_from(one)) or 0 for one in (Person, Card))


def test_a_person_is_registered_once_and_may_be_written_of_at_once(
    city: City, hospital: Hospital, machine: Machine
) -> None:
    before, sent = count(), person()
    reply = call(city, machine.token, "POST", "Patient", sent)
    shown = json.loads(reply.text)
    assert (reply.status_code, count()) == (201, tuple(each + 1 for each in before)), reply.text
    assert reply.headers["Location"].endswith(f"/fhir/Patient/{shown['id']}")
    identifiers = {one["system"]: one["value"] for one in shown["identifier"]}
    assert identifiers[systems.PATIENT_NUMBER] == sent["identifier"][1]["value"]
    assert len(identifiers[systems.CARD]) == 64
    # The hospital learns nothing that it has not said: names and numbers are masked.
    assert shown["name"][0]["text"] == "欧**试"
    assert "13900000001" not in reply.text
    assert sent["identifier"][0]["value"] not in reply.text
    for again in (call(city, machine.token, "POST", "Patient", sent),
                  call(city, machine.token, "POST", "Patient", sent,
                       **{"If-None-Exist": f"identifier={CERTIFICATE}|{sent['identifier'][0]['value']}"})):  # fmt: skip
        assert (again.status_code, json.loads(again.text)) == (200, shown)
    assert count() == tuple(each + 1 for each in before)
    filed = send(city, machine, {"resourceType": "Bundle", "type": "batch", "entry": [
        {"resource": person(), "request": {"method": "POST", "url": "Patient"}},
        {"resource": person(name=None), "request": {"method": "POST", "url": "Patient"}},
        {"resource": report(card(identifiers[systems.CARD])), "request": {"method": "POST", "url": "DiagnosticReport"}},
        {"resource": observation(subject={"reference": f"Patient/{shown['id']}"}, issued="2026-03-20T10:00:00+08:00",
                                 identifier=[{"system": "urn:x", "value": shown["id"]}]),
         "request": {"method": "POST", "url": "Observation"}},
    ]})  # fmt: skip
    answers = [one["response"] for one in json.loads(filed.text)["entry"]]
    assert [one["status"] for one in answers] == ["201 Created", "422", "201 Created", "201 Created"], filed.text
    assert answers[0]["location"].startswith("Patient/")
    # That he is known here lets nobody read of him.
    assert call(city, machine.token, "GET", f"Patient/{shown['id']}").status_code == 404


def test_another_name_or_phone_is_refused_and_tries_are_counted(city: City, machine: Machine) -> None:
    patient, before = city.patient(), count()
    known = {"name": [{"text": patient.name}], "telecom": [{"system": "phone", "value": patient.phone}]}
    for changes in ({"name": [{"text": "别人"}]}, {"telecom": [{"system": "phone", "value": "13900000009"}]}):
        reply = call(city, machine.token, "POST", "Patient", person(patient.certificate_number, **known | changes))
        assert refusal_of(reply) == (409, "health_card.person_details_differ")
    reply = call(city, machine.token, "POST", "Patient", person(patient.certificate_number, **known))
    assert (reply.status_code, json.loads(reply.text)["id"]) == (200, str(patient.person_id))
    wrong = person(patient.certificate_number, **known | {"name": [{"text": "别人"}]})
    codes = [call(city, machine.token, "POST", "Patient", wrong).status_code for _ in range(5)]
    assert codes[-1] == 429, codes
    assert count() == before


def test_a_number_of_somebody_else_is_refused_whole(city: City, machine: Machine) -> None:
    first, before = person(), count()
    assert call(city, machine.token, "POST", "Patient", first).status_code == 201
    second = person(identifier=[{"system": CERTIFICATE, "value": resident_id()}, first["identifier"][1]])
    reply = call(city, machine.token, "POST", "Patient", second)
    assert refusal_of(reply) == (409, "health_card.patient_number_taken")
    assert count() == tuple(each + 1 for each in before)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"name": None}, "records.fhir_patient_invalid"),
        ({"name": [{"text": "字" * 51}]}, "records.fhir_patient_invalid"),
        ({"telecom": None}, "records.fhir_patient_invalid"),
        ({"telecom": [{"system": "phone", "value": "0533-1234567"}]}, "records.fhir_patient_invalid"),
        ({"birthDate": "1985-04"}, "records.fhir_patient_invalid"),
        ({"birthDate": "1985-04-13"}, "health_card.details_contradict_certificate"),
        ({"address": [{"text": "甲"}, {"text": "乙"}]}, "records.fhir_patient_invalid"),
        ({"identifier": None}, "records.fhir_patient_invalid"),
        ({"identifier": [{"system": systems.CARD, "value": "A" * 64}]}, "records.fhir_patient_invalid"),
        ({"identifier": [{"system": CERTIFICATE, "value": "110105194912310020"}]}, "health_card.certificate_invalid"),
        ({"identifier": [{"system": f"{systems.CERTIFICATE}77", "value": "1234"}]}, "health_card.certificate_invalid"),
        ({"maritalStatus": {"text": "已婚"}}, "records.fhir_patient_invalid"),
        ({"active": False}, "records.fhir_patient_invalid"),
        ({"bogus": 1}, "records.fhir_patient_invalid"),
        ({"resourceType": "Group"}, "records.fhir_patient_invalid"),
    ],
)
def test_who_is_not_said_as_a_registration_needs_it_is_refused(
    city: City, machine: Machine, changes: dict[str, Any], code: str
) -> None:
    before = count()
    reply = call(city, machine.token, "POST", "Patient", person(**changes))
    assert refusal_of(reply) == (422, code), reply.text
    assert count() == before


def test_a_condition_is_about_the_person_himself(city: City, machine: Machine) -> None:
    condition = {"If-None-Exist": f"identifier={CERTIFICATE}|{resident_id()}"}
    reply = call(city, machine.token, "POST", "Patient", person(), **condition)
    assert refusal_of(reply) == (422, "records.fhir_patient_invalid")


def test_registering_is_a_right_of_its_own(city: City, hospital: Hospital) -> None:
    writer = city.machine(hospital, scopes=["system/*.write"])
    assert call(city, writer.token, "POST", "Patient", person()).status_code == 403
    batch = [{"resource": person(), "request": {"method": "POST", "url": "Patient"}}]
    reply = send(city, writer, {"resourceType": "Bundle", "type": "batch", "entry": batch})
    assert json.loads(reply.text)["entry"][0]["response"]["status"] == "403"
    assert call(city, city.patient().token, "POST", "Patient", person()).status_code == 403


def test_what_is_only_read_says_who_writes_it(city: City, machine: Machine) -> None:
    patient = city.patient()
    for address in ("Organization", "Practitioner", "AuditEvent", "Provenance", "Consent"):
        reply = call(city, machine.token, "POST", address, {"resourceType": address})
        assert refusal_of(reply) == (405, "records.fhir_type_read_only"), address
    reply = call(city, machine.token, "PUT", f"Patient/{patient.person_id}", person())
    assert refusal_of(reply) == (405, "records.fhir_type_read_only")
    assert "at a desk" in json.loads(reply.text)["issue"][0]["diagnostics"]
    told = {one["type"]: one for one in get(city, machine.token, "metadata")["rest"][0]["resource"]}
    writes = {
        name: {one["code"] for one in told[name]["interaction"]} - {"read", "search-type"}
        for name in ("Patient", "Consent", "Organization", "Practitioner", "AuditEvent", "Provenance")
    }
    assert writes == {name: set() for name in writes} | {"Patient": {"create"}, "Consent": {"update"}}
    assert all(told[name]["documentation"] for name in writes)


def treated(city: City, hospital: Hospital) -> tuple[Patient, dict[str, Any]]:
    patient = city.patient()
    city.visit(city.staff(hospital), patient, hospital)
    (grant,) = matches(get(city, patient.token, f"Consent?patient={patient.person_id}"))
    return patient, grant


def test_who_gave_a_consent_takes_it_back(city: City, hospital: Hospital, machine: Machine) -> None:
    patient, grant = treated(city, hospital)
    address, over = f"Consent/{grant['id']}", grant | {"status": "inactive"}
    match = {"If-Match": f'W/"{grant["meta"]["versionId"]}"'}
    assert call(city, machine.token, "POST", "DiagnosticReport", report(card(patient.card_number))).status_code == 201
    asked = f"DiagnosticReport?patient={patient.person_id}"
    assert len(matches(get(city, machine.token, asked))) == 1
    assert refusal_of(call(city, patient.token, "PUT", address, over)) == (428, "records.fhir_if_match_missing")
    wider = over | {"provision": over["provision"] | {"type": "deny"}}
    for changed in (grant, wider, over | {"organization": [{"display": "x"}]}):
        refused = call(city, patient.token, "PUT", address, changed, **match)
        assert refusal_of(refused) == (422, "records.fhir_consent_unchangeable")
    stale = call(city, patient.token, "PUT", address, over, **{"If-Match": 'W/"7"'})
    assert refusal_of(stale) == (412, "records.fhir_consent_version_differs")
    for other in (city.patient().token, machine.token):
        assert call(city, other, "PUT", address, over, **match).status_code in {403, 404}
    assert len(matches(get(city, machine.token, asked))) == 1
    done = call(city, patient.token, "PUT", address, over, **match)
    assert (done.status_code, json.loads(done.text)["status"]) == (200, "inactive"), done.text
    assert matches(get(city, machine.token, asked)) == []
    assert refusal_of(call(city, patient.token, "PUT", "Consent/1", over, **match))[0] == 404
