"""Entries of a record as hospital and public-health systems send them by FHIR."""

import json
import secrets
from typing import Any

from werkzeug.test import TestResponse

from records.fhir import systems
from tests.support.city import City, bearer

ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ALLERGY_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"


def named(card_number: str) -> dict[str, Any]:
    """The reference to a patient by his card."""
    return {"identifier": {"system": systems.CARD, "value": card_number}}


def identified() -> list[dict[str, str]]:
    """A new business identifier."""
    return [{"system": "urn:example:his", "value": secrets.token_hex(8)}]


def condition(subject: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A chronic disease."""
    resource = {
        "resourceType": "Condition",
        "identifier": identified(),
        "clinicalStatus": {"coding": [{"system": CLINICAL, "code": "active"}]},
        "category": [{"coding": [{"code": "problem-list-item"}]}],
        "code": {"coding": [{"system": ICD_10, "code": "E11.9"}], "text": "2型糖尿病"},
        "subject": subject,
        "onsetDateTime": "2019-05",
    } | changes
    return {name: value for name, value in resource.items() if value is not None}


def immunization(subject: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A vaccination whose dose has to keep its digits."""
    resource = {
        "resourceType": "Immunization",
        "identifier": identified(),
        "status": "completed",
        "vaccineCode": {"coding": [{"system": "urn:example:vaccine", "code": "0301"}], "text": "乙肝疫苗"},
        "patient": subject,
        "occurrenceDateTime": "2026-03-01T09:00:00+08:00",
        "doseQuantity": {"value": 0, "unit": "mL"},
    } | changes
    return {name: value for name, value in resource.items() if value is not None}


def every_kind(subject: dict[str, Any]) -> list[dict[str, Any]]:
    """One of each type that is kept as an entry."""
    others: list[dict[str, Any]] = [
        {
            "resourceType": "AllergyIntolerance",
            "clinicalStatus": {"coding": [{"system": ALLERGY_CLINICAL, "code": "active"}]},
            "category": ["medication"],
            "code": {"text": "青霉素"},
            "patient": subject,
            "recordedDate": "2020-01-05",
        },
        {
            "resourceType": "DocumentReference",
            "status": "current",
            "type": {"coding": [{"system": "http://loinc.org", "code": "18842-5"}], "text": "出院小结"},
            "subject": subject,
            "date": "2026-02-02T10:00:00+08:00",
            "content": [{"attachment": {"contentType": "text/plain", "data": "5Ye66Zmi"}}],
        },
        {
            "resourceType": "Encounter",
            "status": "finished",
            "class": {"system": systems.ENCOUNTER_CLASS, "code": "IMP", "display": "住院"},
            "subject": subject,
            "period": {"start": "2026-01-30", "end": "2026-02-02"},
        },
        {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "medicationCodeableConcept": {"coding": [{"code": "A10BA02"}], "text": "二甲双胍"},
            "subject": subject,
            "authoredOn": "2026-02-02",
        },
        {
            "resourceType": "Procedure",
            "status": "completed",
            "code": {"coding": [{"code": "47.01"}], "text": "腹腔镜阑尾切除术"},
            "subject": subject,
            "performedDateTime": "2026-01-31",
        },
        {
            "resourceType": "ServiceRequest",
            "status": "active",
            "intent": "order",
            "code": {"coding": [{"code": "24323-8"}], "text": "生化全套"},
            "subject": subject,
            "authoredOn": "2026-02-01",
        },
        {
            "resourceType": "Specimen",
            "type": {"text": "静脉血"},
            "subject": subject,
            "collection": {"collectedDateTime": "2026-02-01T07:00:00+08:00"},
        },
    ]
    return [condition(subject), immunization(subject), *(one | {"identifier": identified()} for one in others)]


def call(city: City, token: str, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
    """A request to the FHIR interface."""
    data = json.dumps(body, ensure_ascii=False) if isinstance(body, dict) else body
    sent = bearer(token) | {"Content-Type": "application/fhir+json"} | headers
    return city.client.open(f"/fhir/{path}", method=method, data=data, headers=sent)


def get(city: City, token: str, path: str, **headers: str) -> dict[str, Any]:
    """What was found; anything else fails the test."""
    reply = call(city, token, "GET", path, **headers)
    assert reply.status_code == 200, reply.text
    return dict(json.loads(reply.text))


def matches(bundle: dict[str, Any], mode: str = "match") -> list[dict[str, Any]]:
    """The resources of a searchset."""
    return [one["resource"] for one in bundle.get("entry", []) if one["search"]["mode"] == mode]


def file(city: City, token: str, resource: dict[str, Any]) -> str:
    """The id of an entry just filed. A number 0 in it stands for 0.50, whose digits have to stay."""
    exact = json.dumps(resource, ensure_ascii=False).replace('"value": 0,', '"value": 0.50,')
    reply = call(city, token, "POST", resource["resourceType"], exact)
    assert reply.status_code in {200, 201}, reply.text
    return str(json.loads(reply.text)["id"])
