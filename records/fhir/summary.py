"""The International Patient Summary (HL7 IPS 1.1; ISO 27269): a document of what a treating doctor asks first."""

from collections.abc import Collection
from html import escape
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from core import clock
from core.actor import Actor
from core.ids import new_id
from records.fhir import finding
from records.fhir.catalogue import KINDS
from records.fhir.parameters import Search
from records.fhir.presenting import Resource, show_moment

_LOINC = "http://loinc.org"
_PROFILE = "http://hl7.org/fhir/uv/ips/StructureDefinition"
_EMPTY = "http://terminology.hl7.org/CodeSystem/list-empty-reason"
_MOST = 100
# Resource types, LOINC code and title of each section.
_SECTIONS = (
    (("Condition",), "11450-4", "健康问题"),
    (("AllergyIntolerance",), "48765-2", "过敏与不耐受"),
    (("MedicationRequest",), "10160-0", "用药"),
    (("Immunization",), "11369-6", "预防接种"),
    (("Observation", "DiagnosticReport"), "30954-2", "检查检验结果"),
    (("Procedure",), "47519-4", "手术与操作"),
)


def compose_summary(
    session: Session, actor: Actor, person_id: str, resource_types: Collection[str], *, base_url: str
) -> Resource:
    """The summary as a document Bundle; a section of which nothing is known says so.

    :param resource_types: what the asker may read; the other sections say that they are withheld.
    :raises FhirResourceNotFound: nobody whom the actor may see.
    """
    patient = finding.get_resource(session, actor, KINDS["Patient"], person_id)
    search = Search(count=_MOST).for_persons([UUID(patient["id"])])
    found = {
        name: [
            one
            for one in finding.search_resources(session, actor, KINDS[name], search).matches
            if not _is_withdrawn(one)
        ]
        for names, _, _ in _SECTIONS
        for name in names
        if name in resource_types
    }
    now = show_moment(clock.now())
    composition = {
        "resourceType": "Composition",
        "id": str(new_id()),
        "meta": {"profile": [f"{_PROFILE}/Composition-uv-ips"]},
        "status": "final",
        "type": {"coding": [{"system": _LOINC, "code": "60591-5", "display": "Patient summary Document"}]},
        "subject": {"reference": f"Patient/{patient['id']}"},
        "date": now,
        "author": [{"display": "一码通 Yimatong"}],
        "title": "国际患者摘要",
        "section": [
            _section(code, title, [found[name] for name in names if name in found]) for names, code, title in _SECTIONS
        ],
    }
    resources = [composition, patient, *(one for matches in found.values() for one in matches)]
    return {
        "resourceType": "Bundle",
        "meta": {"profile": [f"{_PROFILE}/Bundle-uv-ips"]},
        "identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{new_id()}"},
        "type": "document",
        "timestamp": now,
        "entry": [
            {"fullUrl": f"{base_url}/fhir/{one['resourceType']}/{one['id']}", "resource": one} for one in resources
        ],
    }


def _section(code: str, title: str, allowed: list[list[Resource]]) -> Resource:
    """A section of those of its types that may be read."""
    matches = [one for found in allowed for one in found]
    section: Resource = {"title": title, "code": {"coding": [{"system": _LOINC, "code": code}]}}
    if not matches:
        reason, said = ("unavailable", "暂无记录") if allowed else ("withheld", "未授权查看")
        empty = {"coding": [{"system": _EMPTY, "code": reason}], "text": said}
        return section | {"text": _narrative([said]), "emptyReason": empty}
    references = [{"reference": f"{one['resourceType']}/{one['id']}"} for one in matches]
    return section | {"text": _narrative([_say(one) for one in matches]), "entry": references}


def _narrative(lines: list[str]) -> Resource:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><ul>{items}</ul></div>'}


def _say(resource: Resource) -> str:
    """One line for a person: what it is, and its value."""
    concept: Any = next(
        (resource[name] for name in ("code", "medicationCodeableConcept", "vaccineCode") if name in resource), {}
    )
    name = concept.get("text") or next(
        (one.get("display") or one.get("code") for one in concept.get("coding", [])), resource.get("resourceType")
    )
    value = _say_value(resource)
    return f"{name}: {value}" if value else str(name)


def _say_value(resource: Resource) -> str:
    """The value of a result, or its components; of a report who made it."""
    quantity = resource.get("valueQuantity", {})
    written = [str(quantity[part]) for part in ("comparator", "value", "unit") if part in quantity]
    if resource.get("valueString") or written:
        return resource.get("valueString") or " ".join(written)
    if resource.get("resourceType") == "DiagnosticReport":
        people = [*resource["performer"], *resource.get("resultsInterpreter", [])]
        return "; ".join(one["display"] for one in people if "display" in one)
    return "; ".join(_say(one) for one in resource.get("component", []))


def _is_withdrawn(resource: Resource) -> bool:
    codes = [one.get("code") for one in resource.get("verificationStatus", {}).get("coding", [])]
    return "entered-in-error" in [resource.get("status"), *codes]
