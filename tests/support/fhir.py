"""FHIR Bundles as a laboratory system sends them."""

import json
import secrets
from typing import Any
from uuid import uuid4

from werkzeug.test import TestResponse

from records.fhir import systems
from records.reports.incoming import LOINC, UCUM
from tests.support.city import City, Machine, bearer


def observation(code: str = "2345-7", name: str = "葡萄糖", **changes: Any) -> dict[str, Any]:
    """A glucose result, above its range."""
    resource = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}], "text": name},
        "valueQuantity": {"value": 7.2, "unit": "mmol/L", "system": UCUM, "code": "mmol/L"},
        "referenceRange": [{"low": {"value": 3.9}, "high": {"value": 6.1}, "text": "3.9-6.1"}],
        "interpretation": [{"coding": [{"system": systems.INTERPRETATION, "code": "H"}]}],
    } | changes
    return {name: value for name, value in resource.items() if value is not None}


def report(subject: tuple[str, str], **changes: Any) -> dict[str, Any]:
    """A chemistry report without its results."""
    resource = {
        "resourceType": "DiagnosticReport",
        "identifier": [{"system": "urn:example:lis", "value": secrets.token_hex(8)}],
        "status": "final",
        "category": [{"coding": [{"system": systems.DIAGNOSTIC_SERVICE, "code": "LAB"}]}],
        "code": {"coding": [{"system": LOINC, "code": "24323-8"}], "text": "生化全套"},
        "subject": {"identifier": {"system": subject[0], "value": subject[1]}},
        "effectiveDateTime": "2026-03-20T08:30:00+08:00",
        "issued": "2026-03-20T10:00:00+08:00",
    } | changes
    return {name: value for name, value in resource.items() if value is not None}


def bundle(report: dict[str, Any], *observations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The transaction of one report and its results."""
    entries = []
    for resource in observations:
        url = f"urn:uuid:{uuid4()}"
        entries.append(
            {"fullUrl": url, "resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}
        )
    results = {"result": [{"reference": entry["fullUrl"]} for entry in entries]} if entries else {}
    first = {
        "fullUrl": f"urn:uuid:{uuid4()}",
        "resource": results | report,
        "request": {"method": "POST", "url": "DiagnosticReport"},
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "identifier": {"system": "urn:example:messages", "value": secrets.token_hex(8)},
        "entry": [first, *entries],
    } | changes


def send(city: City, machine: Machine, body: dict[str, Any] | str | bytes, **headers: str) -> TestResponse:
    """A hospital system posts to /fhir."""
    data = json.dumps(body, ensure_ascii=False) if isinstance(body, dict) else body
    sent = bearer(machine.token) | {"Content-Type": "application/fhir+json"} | headers
    return city.client.post("/fhir", data=data, headers=sent)


def report_id_of(reply: TestResponse) -> str:
    """The id of the first report of a transaction-response."""
    assert reply.status_code == 200, reply.text
    location = json.loads(reply.text)["entry"][0]["response"]["location"]
    return str(location).split("/")[1]


def refusal_of(reply: TestResponse) -> tuple[int, str]:
    """Status and our code in an OperationOutcome."""
    outcome = json.loads(reply.text)
    assert outcome["resourceType"] == "OperationOutcome"
    assert reply.headers["Content-Type"] == "application/fhir+json; charset=utf-8"
    return reply.status_code, outcome["issue"][0]["details"]["coding"][0]["code"]


def card(number: str) -> tuple[str, str]:
    return systems.CARD, number
