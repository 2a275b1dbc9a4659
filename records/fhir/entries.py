"""A resource of FHIR to an entry that can be filed."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from core import clock
from records.entries.incoming import IncomingEntry
from records.fhir.bindings import find_broken_invariant, find_unbound, walk
from records.fhir.parts import Part, read_identifier, read_wish
from records.fhir.refusals import FhirInvalid
from records.reports.incoming import LOCAL_CODE, is_plausible

# Not kept: given by us, or repeats in prose (with the patient's name) what the elements say.
_NOT_KEPT = {"id", "meta", "text", "implicitRules", "subject", "patient"}
_LOCAL_REFERENCE = re.compile(r"[A-Z][A-Za-z]{1,63}/[A-Za-z0-9\-.]{1,64}(/_history/[A-Za-z0-9\-.]{1,64})?")
_PARTIAL_DATE = re.compile(r"\d{4}(-\d\d)?")


@dataclass(frozen=True)
class _Shape:
    """Where a type has what an entry needs: paths of which the first that is given counts."""

    dates: tuple[str, ...]
    code: str
    statuses: tuple[str, ...] = ("status",)
    default_status: str | None = None
    subject: str = "subject"
    encounter: str = "encounter"


_CLINICAL = ("clinicalStatus.coding.code",)
SHAPES = {
    "AllergyIntolerance": _Shape(
        ("onsetDateTime", "onsetPeriod.start", "recordedDate", "lastOccurrence"),
        "code",
        _CLINICAL,
        "active",
        subject="patient",
    ),
    "Condition": _Shape(("onsetDateTime", "onsetPeriod.start", "recordedDate"), "code", _CLINICAL, "active"),
    "DocumentReference": _Shape(("context.period.start", "date"), "type", encounter="context.encounter"),
    "Encounter": _Shape(("period.start",), "type", encounter="partOf"),
    "Immunization": _Shape(("occurrenceDateTime", "recorded"), "vaccineCode", subject="patient"),
    "MedicationRequest": _Shape(("authoredOn",), "medicationCodeableConcept"),
    "Procedure": _Shape(("performedDateTime", "performedPeriod.start"), "code"),
    "ServiceRequest": _Shape(("authoredOn", "occurrenceDateTime", "occurrencePeriod.start"), "code"),
    "Specimen": _Shape(("collection.collectedDateTime", "collection.collectedPeriod.start", "receivedTime"), "type",
                       default_status="available", encounter=""),
}  # fmt: skip


def translate_entry(part: Part) -> IncomingEntry:
    """One resource of a type that is kept whole.

    :raises FhirInvalid: an element that is needed is missing or wrong.
    :raises FhirContentUnsupported: it says what is not taken in here.
    """
    resource, at, shape = part.sent, part.at, SHAPES[part.resource_type]
    unbound = find_unbound(resource)
    if unbound is not None:
        raise FhirInvalid((f"{at}.{unbound[0]}", f"One of {', '.join(sorted(unbound[1]))} is expected."))
    broken = find_broken_invariant(resource)
    if broken is not None:
        raise FhirInvalid((f"{at}.{broken[0]}", broken[1]))
    identifier, wish = read_identifier(part), read_wish(part)
    code, code_system, name = _read_code(resource, shape, at)
    content = {name: value for name, value in resource.items() if name not in _NOT_KEPT}
    _check_references(content, at)
    return IncomingEntry(
        resource_type=part.resource_type,
        identifier=identifier,
        status=_read_status(resource, shape, at),
        code=code,
        code_system=code_system,
        name=name,
        occurred_at=_read_moment(resource, shape, at),
        content=content,
        subject_element=shape.subject,
        encounter_ids=tuple(read_encounter_ids(resource, shape.encounter)),
        full_url=part.full_url,
        target=wish.target,
        keeps_existing=wish.keeps_existing,
    )


def read_subject(resource: dict[str, Any]) -> dict[str, Any] | None:
    """The reference that says whom it is about."""
    found: dict[str, Any] | None = resource.get(SHAPES[resource["resourceType"]].subject)
    return found


def read_encounters(resource: dict[str, Any]) -> list[dict[str, Any]]:
    """The references to the visits that it names."""
    shape = SHAPES[resource["resourceType"]]
    return [one for one in walk(resource, shape.encounter.split(".")) if isinstance(one, dict)]


def read_encounter_ids(resource: dict[str, Any], path: str) -> Iterator[UUID]:
    """The encounters that it names by our ids, at this path."""
    for reference in walk(resource, [*path.split("."), "reference"]):
        resource_type, _, found = str(reference).partition("/")
        with suppress(ValueError):
            if resource_type == "Encounter":
                yield UUID(found)


def list_references(content: Any) -> Iterator[str]:
    """Every literal reference in a resource."""
    if isinstance(content, dict):
        for name, value in content.items():
            if name == "reference" and isinstance(value, str):
                yield value
            else:
                yield from list_references(value)
    elif isinstance(content, list):
        for value in content:
            yield from list_references(value)


def _read_status(resource: dict[str, Any], shape: _Shape, at: str) -> str:
    if "entered-in-error" in walk(resource, ["verificationStatus", "coding", "code"]):
        return "entered-in-error"
    for path in shape.statuses:
        for status in walk(resource, path.split(".")):
            return str(status)
    if shape.default_status is None:
        raise FhirInvalid((f"{at}.status", "A status is expected."))
    return shape.default_status


def _read_code(resource: dict[str, Any], shape: _Shape, at: str) -> tuple[str | None, str | None, str]:
    """Code, system and what a person reads; an Encounter has the code of its class."""
    concepts = list(walk(resource, [shape.code]))
    concept: dict[str, Any] = concepts[0] if concepts else {}
    codings = [one for one in concept.get("coding") or [] if one.get("code")]
    if resource["resourceType"] == "Encounter":
        codings = [resource["class"]] if resource["class"].get("code") else []
    first = codings[0] if codings else {}
    name = concept.get("text") or first.get("display") or first.get("code")
    if not name:
        raise FhirInvalid((f"{at}.{shape.code}", "A text, or a coding with its code, is expected."))
    return first.get("code"), (first.get("system") or LOCAL_CODE) if first else None, name


def _read_moment(resource: dict[str, Any], shape: _Shape, at: str) -> datetime:
    """A day, a month or a year means its beginning in the city."""
    for path in shape.dates:
        for written in walk(resource, path.split(".")):
            moment = _parse(written)
            if moment is None or not is_plausible(moment):
                raise FhirInvalid((f"{at}.{path}", "A date or a time with its zone is expected; not one to come."))
            return moment
    raise FhirInvalid((at, f"When it was is expected: {' or '.join(shape.dates)}."))


def _parse(written: Any) -> datetime | None:
    text = str(written)
    if _PARTIAL_DATE.fullmatch(text):
        text = f"{text}-01-01"[:10]
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if len(text) == 10:
        return found.replace(tzinfo=clock.CITY_ZONE)
    return found if found.tzinfo else None


def _check_references(content: dict[str, Any], at: str) -> None:
    """Within the message, to a resource by its type and id, or to another server's; nothing else leads anywhere."""
    for reference in list_references(content):
        if not (reference.startswith(("urn:uuid:", "http://", "https://")) or _LOCAL_REFERENCE.fullmatch(reference)):
            raise FhirInvalid((at, "A reference is Type/id, the fullUrl of an entry of the Bundle, or an address."))
