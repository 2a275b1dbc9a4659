"""A part of a resource, where no more is asked for (FHIR R4, sections 3.1.1.5.9 and 3.1.1.5.10)."""

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from records.fhir.refusals import FhirSearchUnsupported

Resource = dict[str, Any]

_ALWAYS = {"resourceType", "id", "meta"}
_CHOICE = "[x]"
_SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}
# Of each type the elements that FHIR marks as summary, and those that it demands; [x] is any type of value.
_ELEMENTS = {
    "AllergyIntolerance": (
        "identifier clinicalStatus verificationStatus type category criticality code patient asserter",
        "patient",
    ),
    "AuditEvent": (
        "type subtype action recorded outcome outcomeDesc purposeOfEvent",
        "type recorded agent source",
    ),
    "Condition": (
        "identifier clinicalStatus verificationStatus code bodySite subject encounter onset[x] recordedDate recorder "
        "asserter",
        "subject",
    ),
    "Consent": (
        "identifier status scope category patient dateTime performer organization source[x] policyRule verification "
        "provision",
        "status scope category",
    ),
    "DiagnosticReport": (
        "identifier status category code subject encounter effective[x] issued performer resultsInterpreter media",
        "status code",
    ),
    "DocumentReference": (
        "masterIdentifier identifier status docStatus type category subject date author relatesTo description "
        "securityLabel content context",
        "status content",
    ),
    "Encounter": (
        "identifier status class type serviceType subject episodeOfCare participant appointment reasonCode "
        "reasonReference diagnosis",
        "status class",
    ),
    "Immunization": (
        "status vaccineCode patient occurrence[x] primarySource performer note isSubpotent",
        "status vaccineCode patient occurrence[x]",
    ),
    "MedicationRequest": (
        "status intent priority doNotPerform reported[x] medication[x] subject authoredOn requester performerType "
        "instantiatesCanonical instantiatesUri basedOn groupIdentifier",
        "status intent medication[x] subject",
    ),
    "Observation": (
        "identifier basedOn partOf status code subject focus encounter effective[x] issued performer value[x] "
        "hasMember derivedFrom component",
        "status code",
    ),
    "Organization": ("identifier active type name partOf", ""),
    "Patient": (
        "identifier active name telecom gender birthDate deceased[x] address managingOrganization link",
        "",
    ),
    "Practitioner": ("identifier active name telecom address gender birthDate", ""),
    "Procedure": (
        "identifier instantiatesCanonical instantiatesUri basedOn partOf status statusReason category code subject "
        "encounter performed[x] recorder asserter performer location reasonCode reasonReference bodySite outcome",
        "status subject",
    ),
    "Provenance": ("target recorded", "target recorded agent"),
    "ServiceRequest": (
        "identifier instantiatesCanonical instantiatesUri basedOn replaces requisition status intent category priority "
        "doNotPerform code orderDetail quantity[x] subject encounter occurrence[x] asNeeded[x] authoredOn requester "
        "performerType performer locationCode locationReference reasonCode reasonReference specimen bodySite "
        "patientInstruction",
        "status intent subject",
    ),
    "Specimen": ("identifier accessionIdentifier status type subject receivedTime condition", ""),
}
SUMMARY: Mapping[str, tuple[str, ...]] = MappingProxyType({k: tuple(v[0].split()) for k, v in _ELEMENTS.items()})
MANDATORY: Mapping[str, tuple[str, ...]] = MappingProxyType({k: tuple(v[1].split()) for k, v in _ELEMENTS.items()})


def read_summary(resource_type: str, value: str) -> tuple[str, ...] | None:
    """The elements that ``_summary`` leaves; None: all.

    :raises FhirSearchUnsupported: another value than true, text, data or false.
    """
    if value in {"false", "data"}:
        # No resource of a search has a narrative, which is all that data leaves out.
        return None
    if value not in {"true", "text"}:
        raise FhirSearchUnsupported(("_summary", "true, text, data, count or false is expected."))
    return SUMMARY[resource_type] if value == "true" else ("text",)


def trim(resource: Resource, elements: Collection[str] | None) -> Resource:
    """The resource with these elements, what FHIR demands, and a mark that it is not whole; None: as it is."""
    if elements is None:
        return resource
    wanted = {*elements, *MANDATORY[resource["resourceType"]]}
    starts = tuple(one.removesuffix(_CHOICE) for one in wanted if one.endswith(_CHOICE))
    kept = {
        name: value
        for name, value in resource.items()
        if name in _ALWAYS | wanted or (starts and name.startswith(starts))
    }
    meta = resource.get("meta", {})
    return kept | {"meta": meta | {"tag": [*meta.get("tag", []), _SUBSETTED]}}
