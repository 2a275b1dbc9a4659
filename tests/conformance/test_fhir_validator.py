"""Everything that the FHIR interface says, checked by a validator of others against HL7's own definitions."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from records.fhir import systems
from tests.support.city import City, Machine, Patient, Staff, resident_id
from tests.support.entries import call, condition, every_kind, get, matches, named
from tests.support.fhir import bundle, card, observation, report, report_id_of, send

VALIDATOR = Path(__file__).with_name("validator") / "validate.mjs"
pytestmark = [pytest.mark.system("node"), pytest.mark.system("fhir-validator")]

FAULTS: list[dict[str, Any]] = [
    {"resourceType": "Observation", "status": "final"},
    {"resourceType": "Observation", "status": "done", "code": {"text": "x"}},
    {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "referenceRange": [{}]},
    {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueQuantity": {"value": "7"}},
    {"resourceType": "Patient", "birthDate": "20-03-2026"},
    {"resourceType": "Condition", "subject": {}, "clinicalStatus": {"coding": [{"code": "very"}]}},
    {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": {"resourceType": "Patient"}}],
     "bogus": True},
]  # fmt: skip


def find_problems(resources: list[dict[str, Any]]) -> list[list[str]]:
    """What the validator has against each, all in one process."""
    lines = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in resources)
    done = subprocess.run(["node", VALIDATOR], input=lines, capture_output=True, text=True, timeout=120, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def signed_report(patient: Patient, doctor: Staff) -> dict[str, Any]:
    """A report with components, and with those who made it."""
    part = {"code": {"coding": [{"code": "8480-6"}], "text": "收缩压"}, "valueQuantity": {"value": 121}}
    somebody = {"resourceType": "Practitioner", "id": "p", "name": [{"text": "钱检验"}]}
    return report(
        card(patient.card_number),
        contained=[observation(id="a"), observation(id="b", valueQuantity=None, component=[part]), somebody],
        result=[{"reference": "#a"}, {"reference": "#b"}],
        performer=[{"reference": "#p"}, {"identifier": {"value": "2001"}}],
        resultsInterpreter=[{"reference": f"Practitioner/{doctor.id}"}],
    )


def registrant() -> dict[str, Any]:
    """Somebody at the window of a hospital."""
    return {
        "resourceType": "Patient",
        "name": [{"text": "欧阳测试"}],
        "identifier": [{"system": f"{systems.CERTIFICATE}01", "value": resident_id()}],
        "telecom": [{"system": "phone", "value": "13900000001"}],
    }


def revoke_consent(city: City, patient: Patient) -> TestResponse:
    """The patient takes back what is in force."""
    (grant, *_) = matches(get(city, patient.token, f"Consent?patient={patient.person_id}&status=active"))
    match = {"If-Match": f'W/"{grant["meta"]["versionId"]}"'}
    return call(city, patient.token, "PUT", f"Consent/{grant['id']}", grant | {"status": "inactive"}, **match)


def collect_refusals(city: City, machine: Machine, patient: Patient) -> dict[str, dict[str, Any]]:
    """How it says no, by why."""
    refused = {
        "unreadable": send(city, machine, "{"),
        "invalid": call(
            city, machine.token, "POST", "Condition", condition(named(patient.card_number), code=None, bogus=1)
        ),
        "not signed in": city.client.get("/fhir/Patient"),
        "not found": call(city, patient.token, "GET", "Condition/1"),
        "read only": call(city, machine.token, "POST", "Organization", {"resourceType": "Organization"}),
        "unsupported": call(city, patient.token, "GET", "Condition?bogus=1"),
    }
    return {name: json.loads(reply.text) for name, reply in refused.items()}


def collect_everything(city: City) -> dict[str, dict[str, Any]]:
    """Each kind of answer, by what was asked."""
    hospital, patient = city.hospital(), city.patient()
    machine = city.machine(hospital)
    doctor = city.staff(hospital)
    city.visit(doctor, patient, hospital, patient_number="MZ1")
    subject = named(patient.card_number)
    said: dict[str, dict[str, Any]] = {}

    def note(name: str, reply: Any, status: int = 200) -> dict[str, Any]:
        assert reply.status_code == status, (name, reply.text)
        said[name] = json.loads(reply.text)
        return said[name]

    body = bundle(report(card(patient.card_number)), observation(), observation("718-7", "血红蛋白", valueQuantity=None,
                  interpretation=None, dataAbsentReason={"text": "溶血"}))  # fmt: skip
    transaction = send(city, machine, body)
    note("transaction-response", transaction)
    report_id = report_id_of(transaction)
    corrected = body["entry"][0]["resource"] | {"status": "corrected", "conclusion": "复查"}
    send(city, machine, bundle(corrected, observation(status="entered-in-error")))
    for one in every_kind(subject):
        note(f"create {one['resourceType']}", call(city, machine.token, "POST", one["resourceType"], one), 201)
    inside = signed_report(patient, doctor)
    note("create DiagnosticReport", call(city, machine.token, "POST", "DiagnosticReport", inside), 201)
    batch = [condition(subject), condition(named("0" * 64)), condition(subject, identifier=None)]
    entries = [{"resource": one, "request": {"method": "POST", "url": "Condition"}} for one in batch]
    note("batch-response", send(city, machine, {"resourceType": "Bundle", "type": "batch", "entry": entries}))
    statement = note("metadata", city.client.get("/fhir/metadata"))
    for kind in statement["rest"][0]["resource"]:
        name, interactions = kind["type"], {one["code"] for one in kind["interaction"]}
        for reader in (patient, machine):
            asked = {
                "Provenance": f"?target=DiagnosticReport/{report_id}",
                "Organization": f"?_id={hospital.id}",
                "Practitioner": f"?_id={doctor.id}",
            }
            includes = "".join(f"&_include={one}" for one in kind.get("searchInclude", []))
            page = get(city, reader.token, f"{name}{asked.get(name, '?_count=50')}{includes}")
            said[f"search {name} of {type(reader).__name__}"] = page
        own = get(city, patient.token, name + asked.get(name, ""))
        address = f"{name}/{matches(own)[0]['id']}"
        said[f"read {name}"] = get(city, patient.token, address)
        if "vread" in interactions:
            said[f"history {name}"] = get(city, patient.token, f"{address}/_history")
    person = f"Patient/{patient.person_id}"
    for reader in (patient, machine):
        for operation in ("$everything?_count=100", "$summary"):
            said[f"{operation} of {type(reader).__name__}"] = get(city, reader.token, f"{person}/{operation}")
    note("create Patient", call(city, machine.token, "POST", "Patient", registrant()), 201)
    reads = [{"request": {"method": "GET", "url": url}} for url in (person, f"{person}/$summary", "Patient/1")]
    bundled = {"resourceType": "Bundle", "type": "batch", "entry": reads}
    note("batch of reads", call(city, patient.token, "POST", "", bundled))
    note("update Consent", revoke_consent(city, patient))
    stranger = city.patient()
    said["empty summary"] = get(city, stranger.token, f"Patient/{stranger.person_id}/$summary")
    return said | collect_refusals(city, machine, patient)


def test_whatever_the_server_says_is_valid_fhir(module_city: City) -> None:
    said = collect_everything(module_city)
    problems = find_problems([*said.values(), *FAULTS])
    assert len(problems) == len(said) + len(FAULTS)
    assert {name: found for name, found in zip(said, problems, strict=False) if found} == {}
    kinds = {one["resourceType"] for answer in said.values() for one in [answer, *_resources(answer)]}
    assert kinds >= {one["type"] for one in said["metadata"]["rest"][0]["resource"]} | {
        "Composition",
        "OperationOutcome",
    }
    # What is wrong, it finds: each of these for a reason of its own.
    assert all(problems[len(said) :]), problems[len(said) :]


def _resources(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [one["resource"] for one in answer.get("entry", []) if "resource" in one]
