"""The resources of one message to what is filed together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from records.entries.incoming import IncomingEntry
from records.fhir.diagnostics import Draft, translate_alone, translate_report
from records.fhir.entries import SHAPES, list_references, read_encounters, translate_entry
from records.fhir.entries import read_subject as find_subject
from records.fhir.naming import read_subject, read_visit
from records.fhir.parts import Part, check_length
from records.fhir.refusals import FhirContentUnsupported, FhirInvalid
from records.reports.incoming import MOST_OBSERVATIONS, Incoming, is_storable


@dataclass(frozen=True)
class Place:
    """Where an entry of the Bundle went: the number of what was filed, and of its first line there (0: the whole)."""

    resource_type: str
    filed: int
    line: int = 0


@dataclass(frozen=True)
class Translation:
    """What is to be filed; ``places`` has one for each part of the message, in its order.

    :ivar incoming: its reports are those of ``drafts``, which may still have to be completed.
    """

    incoming: Incoming
    drafts: list[Draft]
    places: list[Place]


def translate(parts: Sequence[Part]) -> Translation:
    """Every Observation is the result of one DiagnosticReport of the message, or stands alone; nothing is left over.

    :raises FhirInvalid: the message contradicts docs/interfaces/fhir.md.
    :raises FhirContentUnsupported: it says what is not taken in here.
    """
    kept = {number: translate_entry(part) for number, part in enumerate(parts) if part.resource_type in SHAPES}
    _check_entries(list(kept.values()))
    waiting, requests = _index(parts, "Observation"), _index(parts, "ServiceRequest")
    places: dict[int, Place] = {}
    drafts: list[Draft] = []
    numbers = {part.at: number for number, part in enumerate(parts)}
    for number, part in enumerate(parts):
        if part.resource_type == "DiagnosticReport":
            places[number] = Place("DiagnosticReport", len(drafts))
            draft, lines = translate_report(part, waiting, requests)
            for observed, line in lines.items():
                if observed in numbers:
                    _check_plain(parts[numbers[observed]])
                    places[numbers[observed]] = Place("Observation", len(drafts), line)
            drafts.append(draft)
    for number, part in enumerate(parts):
        if part.resource_type == "Observation" and number not in places:
            draft = translate_alone(part, requests)
            places[number] = Place("Observation", len(drafts), draft.line or 1)
            drafts.append(draft)
    _check_drafts(drafts)
    for filed, (number, entry) in enumerate(kept.items(), start=len(drafts)):
        places[number] = Place(entry.resource_type, filed)
    incoming = Incoming(
        read_subject(_list_subjects(parts)),
        read_visit([one for part in parts for one in _list_encounters(part)]),
        tuple(draft.report for draft in drafts),
        tuple(kept.values()),
    )
    return Translation(incoming, drafts, [places[number] for number in range(len(places))])


def read_message_key(identifier: object) -> str | None:
    """The sender's own id of the message: Bundle.identifier as ``system|value``.

    :raises FhirInvalid: none that can be kept.
    """
    given = identifier if isinstance(identifier, dict) else {}
    system, value = given.get("system") or "", given.get("value") or ""
    if not all(isinstance(text, str) and is_storable(text) for text in (system, value)):
        raise FhirInvalid(("Bundle.identifier", "A system and a value are expected."))
    check_length("Bundle.identifier", system, value)
    return f"{system}|{value}" if value else None


def _list_subjects(parts: Sequence[Part]) -> list[tuple[dict[str, Any] | None, bool]]:
    """The references to the patient, each with whether it may be missing: a result's report names him."""
    found = []
    for part in parts:
        if part.resource_type in SHAPES:
            found.append((find_subject(part.sent), False))
        else:
            is_alone = len(parts) == 1 and part.resource_type == "Observation"
            found.append((part.sent.get("subject"), part.resource_type == "Observation" and not is_alone))
        found += [(one.sent.get("subject"), True) for one in part.contained.values()]
    return found


def _list_encounters(part: Part) -> list[dict[str, Any]]:
    """The encounters that are named; of an entry those by identifier, as the others are its own to keep."""
    if part.resource_type in SHAPES:
        return [one for one in read_encounters(part.sent) if "identifier" in one]
    inside = [one for held in part.contained.values() for one in _list_encounters(held)]
    return [part.sent["encounter"], *inside] if part.sent.get("encounter") else inside


def _check_plain(part: Part) -> None:
    """A result is filed with its report: there is nothing of its own to ask for."""
    asked = part.request
    conditions = ("ifNoneExist", "ifMatch", "ifNoneMatch", "ifModifiedSince")
    if (asked.get("method"), asked.get("url")) != ("POST", "Observation") or any(asked.get(one) for one in conditions):
        raise FhirContentUnsupported((f"{part.at}.request", "POST Observation is expected of a report's result."))


def _check_entries(entries: list[IncomingEntry]) -> None:
    known = {entry.full_url for entry in entries}
    for entry in entries:
        for reference in list_references(entry.content):
            if reference.startswith("urn:uuid:") and reference not in known:
                raise FhirContentUnsupported(
                    (entry.resource_type, "A urn:uuid leads to none of the entries that are kept as they are sent.")
                )
    if len({(entry.resource_type, entry.identifier) for entry in entries}) != len(entries):
        raise FhirInvalid(("Bundle.entry", "Two resources of one type have one identifier."))


def _index(parts: Sequence[Part], resource_type: str) -> dict[str, Part]:
    """Those of a type by the urn:uuid by which others of the message refer to them."""
    found: dict[str, Part] = {}
    for part in parts:
        if part.resource_type == resource_type and part.full_url and part.full_url.startswith("urn:uuid:"):
            if part.full_url in found:
                raise FhirInvalid((f"{part.at}.fullUrl", "A urn:uuid of its own is expected."))
            found[part.full_url] = part
    return found


def _check_drafts(drafts: list[Draft]) -> None:
    reports = [draft.report for draft in drafts]
    if sum(len(report.observations) for report in reports) > MOST_OBSERVATIONS:
        raise FhirInvalid(("Bundle.entry", f"More than {MOST_OBSERVATIONS} Observations and components."))
    # A line of a report, changed by its id, has no identifier; of which report it is, its target says.
    named = {(report.identifier, report.target and report.target.id) for report in reports}
    if len(named) != len(reports):
        raise FhirInvalid(("Bundle.entry", "Two reports have one identifier."))
