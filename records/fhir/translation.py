"""A FHIR transaction Bundle to what reports file."""

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
from records.fhir import systems
from records.fhir.observations import read_coding, translate_observation
from records.fhir.refusals import FhirContentUnsupported, FhirInvalid
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


@dataclass(frozen=True)
class Place:
    """Where an entry of the Bundle went: the number of its report, and of its first line there (0: the report)."""

    report: int
    line: int


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


def translate(bundle: Bundle) -> Translation:
    """Every Observation belongs to exactly one DiagnosticReport of the same Bundle; nothing is left over.

    :raises FhirInvalid: the Bundle contradicts docs/interfaces/fhir.md.
    :raises FhirContentUnsupported: it says what is not taken in here.
    """
    entries = list(enumerate(bundle.entry or []))
    for number, entry in entries:
        _check_create(entry, f"Bundle.entry[{number}]")
    waiting = _index_observations(bundle)
    places: dict[int, Place] = {}
    reports: list[IncomingReport] = []
    for number, entry in entries:
        if isinstance(entry.resource, DiagnosticReport):
            places[number] = Place(len(reports), 0)
            report, lines = _translate_report(entry.resource, f"Bundle.entry[{number}].resource", waiting)
            places |= {observed: Place(len(reports), line) for observed, line in lines.items()}
            reports.append(report)
    _check_whole(reports, waiting)
    resources = [entry.resource for _, entry in entries]
    incoming = Incoming(_read_subject(resources), _read_visit(resources), tuple(reports))
    return Translation(incoming, [places[number] for number, _ in entries])


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


def _index_observations(bundle: Bundle) -> dict[str, _Waiting]:
    found: dict[str, _Waiting] = {}
    for number, entry in enumerate(bundle.entry or []):
        if not isinstance(entry.resource, Observation):
            continue
        if not entry.fullUrl or not entry.fullUrl.startswith("urn:uuid:") or entry.fullUrl in found:
            raise FhirInvalid((f"Bundle.entry[{number}].fullUrl", "A urn:uuid of its own is expected."))
        found[entry.fullUrl] = _Waiting(number, entry.resource)
    return found


def _check_whole(reports: list[IncomingReport], waiting: dict[str, _Waiting]) -> None:
    if not reports:
        raise FhirInvalid(("Bundle.entry", "At least one DiagnosticReport is expected."))
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


def _read_subject(resources: Iterable[Any]) -> Subject:
    """Everything by which any resource of the Bundle names the patient: all of it must lead to one person."""
    cards, numbers, certificates = set(), set(), set()
    names: set[str] = set()
    for resource in resources:
        if resource.subject is None and isinstance(resource, Observation):
            continue
        names |= {resource.subject.display} if resource.subject and resource.subject.display else set()
        system, value = _logical(resource.subject, "subject")
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
    return Subject(frozenset(cards), frozenset(numbers), frozenset(certificates), frozenset(names))


def _read_visit(resources: Iterable[Any]) -> UUID | None:
    named = {_logical(resource.encounter, "encounter") for resource in resources if resource.encounter is not None}
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
