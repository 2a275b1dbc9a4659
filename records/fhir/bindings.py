"""Required bindings and invariants of the types that are kept as entries (FHIR R4), which the models do not check."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

_EVENT = "preparation in-progress not-done on-hold stopped completed entered-in-error unknown"
_REQUEST = "draft active on-hold revoked completed entered-in-error unknown"
_PRIORITY = "routine urgent asap stat"
_CLINICAL = "active recurrence relapse inactive remission resolved"

_OVER = {"inactive", "resolved", "remission"}

# Path within the resource, and the codes that may stand there.
_REQUIRED = {
    "AllergyIntolerance": {
        "clinicalStatus.coding.code": "active inactive resolved",
        "verificationStatus.coding.code": "unconfirmed confirmed refuted entered-in-error",
        "type": "allergy intolerance",
        "category": "food medication environment biologic",
        "criticality": "low high unable-to-assess",
        "reaction.severity": "mild moderate severe",
    },
    "Condition": {
        "clinicalStatus.coding.code": _CLINICAL,
        "verificationStatus.coding.code": "unconfirmed provisional differential confirmed refuted entered-in-error",
    },
    "DocumentReference": {
        "status": "current superseded entered-in-error",
        "docStatus": "preliminary final amended entered-in-error",
        "relatesTo.code": "replaces transforms signs appends",
    },
    "Encounter": {
        "status": "planned arrived triaged in-progress onleave finished cancelled entered-in-error unknown",
    },
    "Immunization": {"status": "completed entered-in-error not-done"},
    "MedicationRequest": {
        "status": "active on-hold cancelled completed entered-in-error stopped draft unknown",
        "intent": "proposal plan order original-order reflex-order filler-order instance-order option",
        "priority": _PRIORITY,
    },
    "Procedure": {"status": _EVENT},
    "ServiceRequest": {
        "status": _REQUEST,
        "intent": "proposal plan directive order original-order reflex-order filler-order instance-order option",
        "priority": _PRIORITY,
    },
    "Specimen": {"status": "available unavailable unsatisfactory entered-in-error"},
}
REQUIRED: Mapping[str, Mapping[str, frozenset[str]]] = MappingProxyType(
    {name: {path: frozenset(codes.split()) for path, codes in paths.items()} for name, paths in _REQUIRED.items()}
)


def find_unbound(resource: Mapping[str, Any]) -> tuple[str, frozenset[str]] | None:
    """The first place where a code stands that its binding does not have, and the codes that it has."""
    for path, codes in REQUIRED[resource["resourceType"]].items():
        if any(code not in codes for code in walk(resource, path.split("."))):
            return path, codes
    return None


def find_broken_invariant(resource: Mapping[str, Any]) -> tuple[str, str] | None:
    """Where an invariant does not hold (ait-1, ait-2, con-4, con-5, prr-1), and what is expected there."""
    resource_type = resource["resourceType"]
    is_mistake = "entered-in-error" in walk(resource, ["verificationStatus", "coding", "code"])
    if resource_type in {"AllergyIntolerance", "Condition"} and is_mistake and "clinicalStatus" in resource:
        return "clinicalStatus", "None is expected beside entered-in-error."
    if resource_type == "AllergyIntolerance" and not is_mistake and "clinicalStatus" not in resource:
        return "clinicalStatus", "One is expected, unless verificationStatus is entered-in-error."
    is_over = any(name.startswith("abatement") for name in resource)
    if resource_type == "Condition" and is_over and not _OVER & {*walk(resource, ["clinicalStatus", "coding", "code"])}:
        return "clinicalStatus", "inactive, resolved or remission is expected of what has abated."
    if resource_type == "ServiceRequest" and "orderDetail" in resource and "code" not in resource:
        return "orderDetail", "It is expected beside a code only."
    return None


def walk(value: Any, path: list[str]) -> Iterator[Any]:
    """Every value at a path, through lists."""
    if isinstance(value, list):
        for one in value:
            yield from walk(one, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping) and path[0] in value:
        yield from walk(value[path[0]], path[1:])
