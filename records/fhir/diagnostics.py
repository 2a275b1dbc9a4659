"""FHIR DiagnosticReports, and Observations that stand alone, to reports that can be filed."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from fhir.resources.R4B.codeableconcept import CodeableConcept

from core import clock
from records.fhir import systems
from records.fhir.authoring import read_authors
from records.fhir.entries import read_encounter_ids
from records.fhir.examinations import read_examination
from records.fhir.observations import read_coding, translate_observation
from records.fhir.ordering import Basis, read_bases
from records.fhir.parts import Part, Wish, read_identifier, read_wish
from records.fhir.refusals import FhirContentUnsupported, FhirInvalid
from records.reports.incoming import IncomingObservation, IncomingReport, categorise, is_plausible
from records.reports.models import ObservationStatus, ReportCategory, ReportStatus

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
_ALONE_STATUSES = STATUSES | {ObservationStatus.REGISTERED.value: ReportStatus.PRELIMINARY}
_FILED_LINE = re.compile(r"Observation/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.([1-9][0-9]{0,3})")
_OBSERVATION_CATEGORIES = {"laboratory": ReportCategory.LABORATORY, "imaging": ReportCategory.IMAGING}


@dataclass(frozen=True)
class Carried:
    """A result that is filed already and stays: its place among the lines of the new version, and where it stands."""

    place: int
    report_id: UUID
    position: int


@dataclass(frozen=True)
class Draft:
    """A report as far as the message says it.

    :ivar carried: results that it takes over from the version before.
    :ivar line: the line of a report that an update of an Observation replaces; 0: the report is whole.
    :ivar bases: the orders that it answers.
    """

    report: IncomingReport
    carried: tuple[Carried, ...] = ()
    line: int = 0
    bases: tuple[Basis, ...] = ()


def translate_report(
    part: Part, waiting: dict[str, Part], requests: Mapping[str, Part]
) -> tuple[Draft, dict[str, int]]:
    """A DiagnosticReport with its results.

    :param waiting: the Observations of the message that no report has claimed yet; those of this one are taken out.
    :param requests: its ServiceRequests, by ``fullUrl``.
    :returns: also the number of the first line of each Observation that is its result, by where that stands (``at``).
    :raises FhirInvalid: it contradicts docs/interfaces/fhir.md.
    :raises FhirContentUnsupported: it says what is not taken in here.
    """
    report, at = part.model, part.at
    if report.status not in STATUSES:
        raise FhirInvalid((f"{at}.status", f"One of {', '.join(STATUSES)} is expected."))
    if report.presentedForm or report.media:
        raise FhirContentUnsupported((at, "presentedForm and media are not taken in."))
    lines: dict[str, int] = {}
    observations: list[IncomingObservation] = []
    carried: list[Carried] = []
    results: list[tuple[Part, int]] = []
    inside = {name: one for name, one in part.contained.items() if one.resource_type == "Observation"}
    for number, reference in enumerate(report.result or []):
        named = reference.reference or ""
        filed = _FILED_LINE.fullmatch(named)
        observed = inside.pop(named, None) or waiting.pop(named, None)
        if observed is not None:
            lines[observed.at] = len(observations) + len(carried) + 1
            results.append((observed, lines[observed.at]))
            observations.extend(translate_observation(observed.model, observed.at))
        elif filed is not None:
            carried.append(Carried(len(observations) + len(carried), UUID(filed[1]), int(filed[2])))
        else:
            raise FhirInvalid(
                (
                    f"{at}.result[{number}]",
                    "It refers to no Observation of this message or of this report, or to one that is referred to "
                    "twice.",
                )
            )
    if inside:
        raise FhirInvalid((f"{at}.contained", "An Observation inside the report is none of its results."))
    wish = read_wish(part)
    translated = _report(part, wish, STATUSES[report.status], read_identifier(part), report.category)
    # Of a result that is taken over, who made it is still to be looked up.
    authors = read_authors(part, results, positions=() if carried else [position for _, position in results])
    accession_number, study_uid = read_examination(part)
    translated = replace(
        translated,
        observations=tuple(observations),
        conclusion=report.conclusion,
        authors=authors,
        accession_number=accession_number,
        study_instance_uid=study_uid,
    )
    bases = read_bases([part, *(result for result, _ in results)], requests)
    return Draft(translated, tuple(carried), bases=bases), lines


def translate_alone(part: Part, requests: Mapping[str, Part]) -> Draft:
    """An Observation that is the result of no report: a report of this alone, or the next version of one line.

    Its own identifier, in a name space of its own, is that of the report.
    """
    observation, at = part.model, part.at
    if not part.sent.get("identifier") and part.request.get("method") == "POST":
        raise FhirInvalid(
            (at, "This Observation is the result of no DiagnosticReport of the message, and has no identifier.")
        )
    lines = translate_observation(observation, at)
    wish = read_wish(part)
    # A line of a report has no name of its own: which it is, its id says.
    system, value = ("", "") if wish.line and not part.sent.get("identifier") else read_identifier(part)
    alone = f"{systems.ALONE}{system}", value
    report = _report(part, wish, _ALONE_STATUSES[observation.status], alone, observation.category)
    report = replace(report, observations=tuple(lines), authors=read_authors(part))
    return Draft(report, (), wish.line, read_bases([part], requests))


def _report(
    part: Part, wish: Wish, status: ReportStatus, identifier: tuple[str, str], category: list[CodeableConcept] | None
) -> IncomingReport:
    """What a DiagnosticReport and an Observation have in common."""
    model, at = part.model, part.at
    code, code_system, name = read_coding(model.code, at)
    return IncomingReport(
        identifier=identifier,
        status=status.value,
        category=_read_category(category or []).value,
        code=code,
        code_system=code_system,
        name=name,
        effective_at=_read_effective(model, at),
        issued_at=None if model.issued is None else _read_moment(model.issued, f"{at}.issued"),
        conclusion=None,
        observations=(),
        encounter_ids=tuple(read_encounter_ids(part.sent, "encounter")),
        target=wish.target,
        keeps_existing=wish.keeps_existing,
    )


def _read_category(concepts: list[CodeableConcept]) -> ReportCategory:
    for concept in concepts:
        for coding in concept.coding or []:
            if coding.system in {None, systems.DIAGNOSTIC_SERVICE} and coding.code:
                return categorise(coding.code)
            if coding.system == systems.OBSERVATION_CATEGORY and coding.code:
                return _OBSERVATION_CATEGORIES.get(coding.code, ReportCategory.OTHER)
    return ReportCategory.OTHER


def _read_effective(model: Any, at: str) -> datetime:
    period = model.effectivePeriod
    given = model.effectiveDateTime, getattr(model, "effectiveInstant", None), period and (period.start or period.end)
    for moment in (*given, model.issued):
        if moment is not None:
            return _read_moment(moment, f"{at}.effective")
    raise FhirInvalid((f"{at}.effective", "When it was performed (effective[x]), or at least issued, is expected."))


def _read_moment(given: object, at: str) -> datetime:
    """A day without a time means its beginning in the city."""
    if isinstance(given, date) and not isinstance(given, datetime):
        given = datetime.combine(given, time(), clock.CITY_ZONE)
    if not isinstance(given, datetime) or not is_plausible(given):
        raise FhirInvalid((at, "A time, or at least a whole date, is expected; not one to come."))
    return given
