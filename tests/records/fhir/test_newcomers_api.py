"""What whoever comes from other FHIR servers tries first: it works, or the answer says what does."""

import json
from typing import Any

import pytest

from tests.support.city import City, Hospital, Machine, Patient, bearer
from tests.support.entries import call, condition, get, matches, named
from tests.support.fhir import bundle, card, observation, refusal_of, report, report_id_of, send


@pytest.fixture(scope="module")
def hospital(module_city: City) -> Hospital:
    return module_city.hospital()


@pytest.fixture(scope="module")
def machine(module_city: City, hospital: Hospital) -> Machine:
    return module_city.machine(hospital)


@pytest.fixture(scope="module")
def patient(module_city: City, hospital: Hospital, machine: Machine) -> Patient:
    """With a visit, a condition of 2019, and a report of 2026 with its result."""
    found = module_city.patient()
    module_city.visit(module_city.staff(hospital), found, hospital)
    module_city.client.post("/fhir/Condition", json=condition(named(found.card_number)), headers=bearer(machine.token))
    report_id_of(send(module_city, machine, bundle(report(card(found.card_number)), observation())))
    return found


def types(answer: dict[str, Any]) -> list[str]:
    return sorted(one["resourceType"] for one in matches(answer))


def told(city: City, token: str, method: str, path: str, body: Any = None) -> tuple[int, str, str, str]:
    """Status, our code, and of the first issue what is said and of what."""
    reply = call(city, token, method, path, body)
    issue = json.loads(reply.text)["issue"][0]
    return *refusal_of(reply), issue["diagnostics"], (issue.get("expression") or [""])[0]


def test_every_include_and_a_reference_by_its_type(city: City, patient: Patient) -> None:
    for star in ("*", "DiagnosticReport:*"):
        found = get(city, patient.token, f"DiagnosticReport?subject:Patient={patient.person_id}&_include={star}")
        assert len(matches(found)) == 1
        included = {one["resourceType"] for one in matches(found, "include")}
        assert included >= {"Patient", "Observation", "Organization"}
    assert matches(get(city, patient.token, f"DiagnosticReport?subject:Encounter={patient.person_id}")) == []
    code = (400, "records.fhir_search_unsupported")
    assert told(city, patient.token, "GET", "Organization?_include=*")[:2] == code


def test_everything_is_narrowed_by_type_and_time(city: City, patient: Patient) -> None:
    path = f"Patient/{patient.person_id}/$everything"
    assert types(get(city, patient.token, path)) == [
        "Condition", "DiagnosticReport", "Encounter", "Observation", "Patient"]  # fmt: skip
    assert types(get(city, patient.token, f"{path}?_type=Condition,Patient")) == ["Condition", "Patient"]
    assert types(get(city, patient.token, f"{path}?_type=Condition")) == ["Condition"]
    assert types(get(city, patient.token, f"{path}?end=2019-12")) == ["Condition", "Patient"]
    assert types(get(city, patient.token, f"{path}?start=2026-03-20&end=2026-03-20")) == [
        "DiagnosticReport", "Observation", "Patient"]  # fmt: skip
    assert types(get(city, patient.token, f"{path}?_since=2200")) == ["Patient"]
    # The next pages are narrowed as well.
    first = get(city, patient.token, f"{path}?_type=DiagnosticReport,Observation&_count=1")
    (following,) = [one["url"] for one in first["link"] if one["relation"] == "next"]
    second = get(city, patient.token, following.partition("/fhir/")[2])
    assert sorted([*types(first), *types(second)]) == ["DiagnosticReport", "Observation"]
    for wrong, field in (("_type=Claim", "_type"), ("name=x", "name"), ("start=x", "start"), ("_sort=date", "_sort")):
        status, code, _, at = told(city, patient.token, "GET", f"{path}?{wrong}")
        assert (status, code, at) == (400, "records.fhir_search_unsupported", field)


@pytest.mark.parametrize(
    ("method", "path", "refused", "says"),
    [
        ("GET", "", (404, "records.fhir_interaction_unsupported"), "metadata"),
        ("GET", "Observation/$lastn", (404, "records.fhir_interaction_unsupported"), "metadata"),
        ("GET", "Observation/_history", (404, "records.fhir_interaction_unsupported"), "metadata"),
        ("GET", "Patient/me", (404, "records.fhir_resource_not_found"), "resource"),
        ("DELETE", "Observation/1", (405, "records.fhir_type_read_only"), "entered-in-error"),
        ("PATCH", "Condition/1", (405, "records.fhir_type_read_only"), "If-Match"),
        ("DELETE", "Patient/1", (405, "records.fhir_type_read_only"), "desk"),
    ],
)
def test_what_there_is_not_says_what_to_do(
    city: City, patient: Patient, method: str, path: str, refused: tuple[int, str], says: str
) -> None:
    status, code, diagnostics, _ = told(city, patient.token, method, path)
    assert (status, code) == refused
    assert says in diagnostics


def test_a_parameter_that_is_not_known_is_named(city: City, patient: Patient) -> None:
    for query, field, says in (
        ("patient.name=x", "patient.name", "Observation knows"),
        ("code:text=x", "code:text", "Observation knows"),
        ("_format=xml", "_format", "application/fhir+json"),
        ("张三=1", "(query)", "Observation knows"),
        ("patient:Claim=1", "patient:Claim", "Observation knows"),
    ):
        _, code, diagnostics, at = told(city, patient.token, "GET", f"Observation?{query}")
        assert (code, at) == ("records.fhir_search_unsupported", field)
        assert says in diagnostics


def test_a_person_is_registered_by_no_transaction(city: City, machine: Machine) -> None:
    entry = {"request": {"method": "POST", "url": "Patient"}, "resource": {"resourceType": "Patient"}}
    sent = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    status, code, diagnostics, at = told(city, machine.token, "POST", "", sent)
    assert (status, code, at) == (422, "records.fhir_content_unsupported", "Bundle.entry[0].resource")
    assert "POST /fhir/Patient" in diagnostics
    statement = get(city, machine.token, "metadata")
    (described,) = [one for one in statement["rest"][0]["resource"] if one["type"] == "Patient"]
    assert "In a transaction there is none" in described["documentation"]
