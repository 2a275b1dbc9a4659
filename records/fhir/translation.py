"""A FHIR transaction Bundle, or one resource, to what reports file."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.identifier import Identifier
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.reference import Reference

from core import clock
from records.entries.incoming import IncomingEntry, Target
from records.fhir import systems
from records.fhir.entries import SHAPES, list_references, read_encounters, read_subject, translate_entry
from records.fhir.observations import read_coding, translate_observation
from records.fhir.refusals import FhirContentUnsupported, FhirIfMatchMissing, FhirInvalid
from records.intake.subjects import Subject
from records.reports.incoming import (
    LONGEST_IDENTIFIER,
    MOST_OBSERVATIONS,
    Incoming,
    IncomingObservation,
    IncomingReport,
    categorise,
    is_plausible,
)
from records.reports.models import ReportCategory, ReportStatus

# FHIR's finer codes fold into the five that a filed report can have; registered and unknown say nothing to file.
STATUSES = {
    "partial": ReportStatus.PRELIMINARY,
    "preliminary": ReportStatus.PRELIMINARY,
    "final": ReportStatus.FINAL,
    "amended": ReportStatus.AMENDED,
    "appended": ReportStatus.AMENDED,
    "corrected": ReportStatus.CORRECTED,
    "cancelled": ReportStatus.CANCELLED,
    "entered-in-error": ReportStatus.CANCELLED,
}


_PERSON = re.compile(r"Patient/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_VERSION = re.compile(r'(?:W/)?"([1-9][0-9]{0,8})"')


@dataclass(frozen=True)
class Place:
    """Where an entry of the Bundle went: the number of what was filed, and of its first line there (0: the whole)."""

    resource_type: str
    filed: int
    line: int = 0


@dataclass(frozen=True)
class Translation:
    """What is to be filed; ``places`` has one for each entry of the Bundle, in its order."""

    incoming: Incoming
    places: list[Place]


@dataclass(frozen=True)
class _Waiting:
    """An Observation that no report has claimed yet."""

    entry: int
    resource: Observation

    @property
    def at(self) -> str:
        return f"Bundle.entry[{self.entry}].resource"


def translate(bundle: Bundle, document: dict[str, Any]) -> Translation:
    """Every Observation belongs to exactly one DiagnosticReport of the same Bundle; nothing is left over.

    :param document: the same Bundle as it was sent.
    :raises FhirInvalid: the Bundle contradicts docs/interfaces/fhir.md.
    :raises FhirContentUnsupported: it says what is not taken in here.
    """
    kept = _translate_entries(document)
    of_reports: list[tuple[int, Any]] = [
        (number, entry) for number, entry in enumerate(bundle.entry or []) if number not in kept
    ]
    for number, entry in of_reports:
        _check_create(entry, f"Bundle.entry[{number}]")
    waiting = _index_observations(of_reports)
    places: dict[int, Place] = {}
    reports: list[IncomingReport] = []
    for number, entry in of_reports:
        if isinstance(entry.resource, DiagnosticReport):
            places[number] = Place("DiagnosticReport", len(reports))
            report, lines = _translate_report(entry.resource, f"Bundle.entry[{number}].resource", waiting)
            places |= {observed: Place("Observation", len(reports), line) for observed, line in lines.items()}
            reports.append(report)
    _check_whole(reports, waiting, list(kept.values()))
    for filed, (number, incoming_entry) in enumerate(kept.items(), start=len(reports)):
        places[number] = Place(incoming_entry.resource_type, filed)
    raw = [document["entry"][number]["resource"] for number in kept]
    subjects = [(entry.resource.subject, isinstance(entry.resource, Observation)) for _, entry in of_reports]
    encounters = [entry.resource.encounter for _, entry in of_reports if entry.resource.encounter is not None]
    incoming = Incoming(
        _read_subject([*subjects, *((_reference(read_subject(one)), False) for one in raw)]),
        _read_visit([*encounters, *_named_visits(raw)]),
        tuple(reports),
        tuple(kept.values()),
    )
    return Translation(incoming, [places[number] for number in range(len(places))])


def translate_resource(
    resource: dict[str, Any], *, target: Target | None = None, if_none_exist: str | None = None
) -> Incoming:
    """One resource that is created or updated on its own; raises as ``translate`` does."""
    entry = translate_entry(resource, resource["resourceType"], target=target, if_none_exist=if_none_exist)
    _check_links([entry])
    subject = _read_subject([(_reference(read_subject(resource)), False)])
    return Incoming(subject, _read_visit(_named_visits([resource])), (), (entry,))


def read_message_key(bundle: Bundle) -> str | None:
    """The sender's own id of the message: Bundle.identifier as ``system|value``.

    :raises FhirInvalid: too long to be kept.
    """
    identifier = bundle.identifier
    if identifier is None or not identifier.value:
        return None
    _check_length("Bundle.identifier", identifier.system or "", identifier.value)
    return f"{identifier.system or ''}|{identifier.value}"


def _check_create(entry: Any, at: str) -> None:
    request, kind = entry.request, entry.resource.get_resource_type()
    if request is None or request.method != "POST" or request.url != kind:
        raise FhirContentUnsupported((f"{at}.request", f"POST {kind} is expected; the server gives the ids."))
    if any((request.ifNoneExist, request.ifMatch, request.ifNoneMatch, request.ifModifiedSince)):
        raise FhirContentUnsupported((f"{at}.request", "Conditions are not supported; the identifier decides."))


def _translate_entries(document: dict[str, Any]) -> dict[int, IncomingEntry]:
    """What is filed as entries, by its number in the Bundle."""
    found = {
        number: _translate_entry(entry, f"Bundle.entry[{number}]")
        for number, entry in enumerate(document["entry"])
        if entry["resource"]["resourceType"] in SHAPES
    }
    _check_links(list(found.values()))
    named = [(entry.resource_type, entry.identifier) for entry in found.values()]
    if len(set(named)) != len(named):
        raise FhirInvalid(("Bundle.entry", "Two resources of one type have one identifier."))
    return found


def _translate_entry(entry: dict[str, Any], at: str) -> IncomingEntry:
    request, resource = entry.get("request") or {}, entry["resource"]
    if request.get("ifNoneMatch") or request.get("ifModifiedSince"):
        raise FhirContentUnsupported((f"{at}.request", "ifNoneExist and ifMatch are the conditions that are known."))
    if (request.get("method"), request.get("url")) == ("POST", resource["resourceType"]):
        target, if_none_exist = None, request.get("ifNoneExist")
    else:
        target, if_none_exist = _read_target(request, resource, f"{at}.request"), None
    return translate_entry(
        resource, f"{at}.resource", full_url=entry.get("fullUrl"), target=target, if_none_exist=if_none_exist
    )


def _read_target(request: dict[str, Any], resource: dict[str, Any], at: str) -> Target:
    kind, _, resource_id = str(request.get("url")).partition("/")
    if request.get("method") != "PUT" or kind != resource["resourceType"]:
        raise FhirContentUnsupported((at, "POST <type> or PUT <type>/<id> is expected."))
    if request.get("ifMatch") is None:
        raise FhirIfMatchMissing
    return read_target(resource_id, request["ifMatch"], resource)


def read_target(resource_id: str, if_match: str, resource: dict[str, Any]) -> Target:
    """What an update replaces.

    :param if_match: a weak entity tag, ``W/"3"``.
    :raises FhirInvalid: the id is not one of ours, or not the resource's own, or the tag is none.
    """
    version = _VERSION.fullmatch(if_match)
    if version is None or resource.get("id") != resource_id:
        raise FhirInvalid(("id", 'The id in the address, and W/"<version>" as If-Match, are expected.'))
    try:
        return Target(UUID(resource_id), int(version[1]))
    except ValueError:
        raise FhirInvalid(("id", "An id that this server gave is expected.")) from None


def _check_links(entries: list[IncomingEntry]) -> None:
    known = {entry.full_url for entry in entries}
    for entry in entries:
        for reference in list_references(entry.content):
            if reference.startswith("urn:uuid:") and reference not in known:
                raise FhirContentUnsupported(
                    (entry.resource_type, "A urn:uuid leads to none of the entries that are kept as they are sent.")
                )


def _reference(given: dict[str, Any] | None) -> Reference | None:
    return Reference.model_validate(given) if given is not None else None


def _named_visits(resources: list[dict[str, Any]]) -> list[Reference]:
    """Encounters by identifier; those by our id are looked at where they are filed."""
    found = [_reference(one) for resource in resources for one in read_encounters(resource)]
    return [one for one in found if one is not None and one.identifier is not None]


def _index_observations(entries: list[tuple[int, Any]]) -> dict[str, _Waiting]:
    found: dict[str, _Waiting] = {}
    for number, entry in entries:
        if not isinstance(entry.resource, Observation):
            continue
        if not entry.fullUrl or not entry.fullUrl.startswith("urn:uuid:") or entry.fullUrl in found:
            raise FhirInvalid((f"Bundle.entry[{number}].fullUrl", "A urn:uuid of its own is expected."))
        found[entry.fullUrl] = _Waiting(number, entry.resource)
    return found


def _check_whole(reports: list[IncomingReport], waiting: dict[str, _Waiting], entries: list[IncomingEntry]) -> None:
    if not reports and not entries:
        raise FhirInvalid(("Bundle.entry", "At least one resource beside Observations is expected."))
    if waiting:
        left = next(iter(waiting.values()))
        raise FhirInvalid((left.at, "This Observation is the result of no DiagnosticReport in this Bundle."))
    if sum(len(report.observations) for report in reports) > MOST_OBSERVATIONS:
        raise FhirInvalid(("Bundle.entry", f"More than {MOST_OBSERVATIONS} Observations and components."))
    if len({report.identifier for report in reports}) != len(reports):
        raise FhirInvalid(("Bundle.entry", "Two DiagnosticReports have one identifier."))


def _translate_report(
    report: DiagnosticReport, at: str, waiting: dict[str, _Waiting]
) -> tuple[IncomingReport, dict[int, int]]:
    """The report, and for each entry that is its result the number of its first line."""
    if report.status not in STATUSES:
        raise FhirInvalid((f"{at}.status", f"One of {', '.join(STATUSES)} is expected."))
    if report.presentedForm or report.imagingStudy or report.media:
        raise FhirContentUnsupported((at, "presentedForm, imagingStudy and media are not taken in."))
    code, code_system, name = read_coding(report.code, at)
    lines: dict[int, int] = {}
    observations: list[IncomingObservation] = []
    for position, reference in enumerate(report.result or []):
        observed = waiting.pop(reference.reference or "", None)
        if observed is None:
            where = f"{at}.result[{position}]"
            raise FhirInvalid(
                (where, "It refers to no Observation of this Bundle, or to one that is referred to twice.")
            )
        lines[observed.entry] = len(observations) + 1
        observations.extend(translate_observation(observed.resource, observed.at))
    translated = IncomingReport(
        identifier=_read_identifier(report.identifier or [], at),
        status=STATUSES[report.status].value,
        category=_read_category(report.category or []).value,
        code=code,
        code_system=code_system,
        name=name,
        effective_at=_read_effective(report, at),
        issued_at=None if report.issued is None else _read_moment(report.issued, f"{at}.issued"),
        conclusion=report.conclusion,
        observations=tuple(observations),
    )
    return translated, lines


def _read_identifier(identifiers: list[Identifier], at: str) -> tuple[str, str]:
    for identifier in identifiers:
        if identifier.system and identifier.value:
            _check_length(f"{at}.identifier", identifier.system, identifier.value)
            return identifier.system, identifier.value
    raise FhirInvalid((f"{at}.identifier", "The sender's identifier of the report, with its system, is expected."))


def _check_length(at: str, *texts: str) -> None:
    if max(len(text) for text in texts) > LONGEST_IDENTIFIER:
        raise FhirInvalid((at, f"At most {LONGEST_IDENTIFIER} characters are expected."))


def _read_category(concepts: list[CodeableConcept]) -> ReportCategory:
    for concept in concepts:
        for coding in concept.coding or []:
            if coding.system in {None, systems.DIAGNOSTIC_SERVICE} and coding.code:
                return categorise(coding.code)
    return ReportCategory.OTHER


def _read_effective(report: DiagnosticReport, at: str) -> datetime:
    period = report.effectivePeriod
    for given in (report.effectiveDateTime, (period.start or period.end) if period else None, report.issued):
        if given is not None:
            return _read_moment(given, f"{at}.effective")
    raise FhirInvalid((f"{at}.effective", "When it was performed (effective[x]), or at least issued, is expected."))


def _read_moment(given: object, at: str) -> datetime:
    """A day without a time means its beginning in the city."""
    if isinstance(given, date) and not isinstance(given, datetime):
        given = datetime.combine(given, time(), clock.CITY_ZONE)
    if not isinstance(given, datetime) or not is_plausible(given):
        raise FhirInvalid((at, "A time, or at least a whole date, is expected; not one to come."))
    return given


def _read_subject(references: Iterable[tuple[Reference | None, bool]]) -> Subject:
    """Everything by which any resource names the patient: all of it must lead to one person.

    :param references: each with whether it may be missing.
    """
    cards, numbers, certificates, person_ids = set(), set(), set(), set()
    names: set[str] = set()
    for reference, may_miss in references:
        if reference is None and may_miss:
            continue
        names |= {reference.display} if reference and reference.display else set()
        known = _PERSON.fullmatch((reference and reference.reference) or "")
        if known:
            person_ids.add(UUID(known[1]))
            continue
        system, value = _logical(reference, "subject")
        if system == systems.CARD:
            cards.add(value)
        elif system == systems.PATIENT_NUMBER:
            numbers.add(value)
        elif system.startswith(systems.CERTIFICATE):
            certificates.add((system.removeprefix(systems.CERTIFICATE), value))
        else:
            raise FhirContentUnsupported(("subject.identifier.system", "docs/interfaces/fhir.md lists the systems."))
    if len(names) > 1:
        raise FhirInvalid(("subject.display", "One name of the patient is expected."))
    return Subject(
        frozenset(cards), frozenset(numbers), frozenset(certificates), frozenset(person_ids), names=frozenset(names)
    )


def _read_visit(encounters: Iterable[Reference]) -> UUID | None:
    named = {_logical(encounter, "encounter") for encounter in encounters}
    ours = {value for system, value in named if system == systems.VISIT}
    if not ours:
        return None
    try:
        (only,) = {UUID(value) for value in ours}
    except ValueError:
        raise FhirInvalid(
            ("encounter.identifier", "One visit id, as the desk scan returned it, is expected.")
        ) from None
    return only


def _logical(reference: Reference | None, at: str) -> tuple[str, str]:
    """System and value of a logical reference (FHIR R4, section 2.3.0.2)."""
    identifier = reference.identifier if reference else None
    if identifier is None or not identifier.system or not identifier.value:
        raise FhirInvalid((f"{at}.identifier", "A logical reference is expected: an identifier with its system."))
    return identifier.system, identifier.value
