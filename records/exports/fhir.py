"""Records as FHIR R4 resources, to take away: one way only, nothing is read from them. Pure.

Source: HL7 FHIR R4 (4.0.1); lines as in Bulk Data: one resource a line (NDJSON).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from core import clock, exact_json
from health_card.service import PlainDemographics
from records.entries.service import EntryView
from records.images.service import StudyView
from records.reports.incoming import UCUM
from records.reports.service import ObservationView, ReportView
from records.visits.history import OwnVisit

_CERTIFICATE = "urn:yimatong:id:certificate:"
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_SECTION = "http://terminology.hl7.org/CodeSystem/v2-0074"
_SECTIONS = {"laboratory": "LAB", "imaging": "RAD", "other": "OTH"}
_ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_ACTS = {"I": "IMP", "E": "EMER"}
_DICOM = "http://dicom.nema.org/resources/ontology/DCM"


@dataclass(frozen=True)
class Paper:
    """A document of a report: a file of the export.

    :ivar name: its path in the archive.
    """

    title: str
    name: str
    content_type: str
    size_bytes: int


def write_lines(resources: Iterable[Mapping[str, Any]]) -> str:
    """NDJSON; what is None is left out. Numbers go out as they are, 5.10 as 5.10."""
    return "".join(f"{exact_json.dump(_without_nothing(each))}\n" for each in resources)


def show_patient(person_id: UUID, person: PlainDemographics) -> dict[str, Any]:
    """Patient: his own details, whole."""
    number = person.certificate_number
    return {
        "resourceType": "Patient",
        "id": str(person_id),
        "identifier": [{"system": f"{_CERTIFICATE}{person.certificate_type}", "value": number}] if number else None,
        "name": [{"text": person.name}],
        "telecom": [{"system": "phone", "value": person.phone}],
        "gender": person.sex,
        "birthDate": person.birth_date.isoformat() if person.birth_date else None,
        "address": [{"text": person.address}] if person.address else None,
    }


def show_visit(person_id: UUID, visit: OwnVisit) -> dict[str, Any]:
    """Encounter. One that the patient disowned is entered in error."""
    status = "finished" if visit.closed_at else "in-progress"
    return {
        "resourceType": "Encounter",
        "id": str(visit.id),
        "status": "entered-in-error" if visit.disowned_at else status,
        "class": {"system": _ACT, "code": _ACTS.get(visit.kind, "AMB")},
        "subject": _subject(person_id),
        "period": {
            "start": _moment(visit.opened_at),
            "end": _moment(visit.closed_at) if visit.closed_at else None,
        },
        "serviceProvider": {"display": visit.hospital_name},
    }


def show_report(person_id: UUID, report: ReportView, papers: Sequence[Paper] = ()) -> dict[str, Any]:
    """DiagnosticReport; its results are Observations of the same export, its documents files of it."""
    return {
        "resourceType": "DiagnosticReport",
        "id": str(report.id),
        "meta": {"versionId": str(report.version)},
        "status": report.status,
        "category": [{"coding": [{"system": _SECTION, "code": _SECTIONS[report.category]}]}],
        "code": _concept(report.code_system, report.code, report.name),
        "subject": _subject(person_id),
        "effectiveDateTime": _moment(report.performed_at),
        "issued": _moment(report.issued_at) if report.issued_at else None,
        "performer": [{"display": report.hospital_name}, *_show_authors(report, "performer")],
        "resultsInterpreter": _show_authors(report, "interpreter") or None,
        "result": [{"reference": f"Observation/{_line_id(report, line)}"} for line in _list_whole(report)] or None,
        "conclusion": report.conclusion,
        "presentedForm": [_show_paper(paper) for paper in papers] or None,
    }


def show_lines(person_id: UUID, report: ReportView) -> list[dict[str, Any]]:
    """An Observation for each result of a report, its components within it."""
    return [_show_line(person_id, report, line) for line in _list_whole(report)]


def show_study(person_id: UUID, study: StudyView) -> dict[str, Any]:
    """ImagingStudy: what there is to fetch, not the images."""
    return {
        "resourceType": "ImagingStudy",
        "id": str(study.id),
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{study.study_instance_uid}"}],
        "status": "available",
        "modality": [{"system": _DICOM, "code": modality} for modality in study.modalities] or None,
        "subject": _subject(person_id),
        "started": _moment(study.studied_at),
        "numberOfSeries": study.series_count,
        "numberOfInstances": study.instance_count,
        "description": study.description,
    }


def show_entry(person_id: UUID, entry: EntryView) -> dict[str, Any]:
    """The resource as it was accepted, about the patient of this export."""
    named = {name: _subject(person_id) for name in ("subject", "patient") if name in entry.content}
    known = {"resourceType": entry.resource_type, "id": str(entry.id), "meta": {"versionId": str(entry.version)}}
    return known | entry.content | named


def _show_paper(paper: Paper) -> dict[str, Any]:
    return {
        "contentType": paper.content_type,
        "url": paper.name,
        "size": paper.size_bytes,
        "title": paper.title,
    }


def _show_line(person_id: UUID, report: ReportView, line: ObservationView) -> dict[str, Any]:
    end = line.position + (line.component_count or 0)
    parts = [_show_result(one) for one in report.observations if line.position < one.position <= end]
    return {
        "resourceType": "Observation",
        "id": _line_id(report, line),
        "status": line.status,
        "subject": _subject(person_id),
        "effectiveDateTime": _moment(report.performed_at),
        "performer": _show_authors(report, "performer", line=line.position) or None,
        **_show_result(line),
        "note": [{"text": line.note}] if line.note and _has_value(line) else None,
        "component": parts or None,
    }


def _show_result(line: ObservationView) -> dict[str, Any]:
    """What a result and a component of one have in common."""
    low, high = line.reference_low, line.reference_high
    reference = {"low": _quantity(low), "high": _quantity(high), "text": line.reference_text}
    flag, is_absent = line.interpretation, not _has_value(line) and not line.component_count
    return {
        "code": _concept(line.code_system, line.code, line.name),
        "valueQuantity": _quantity(line.value, line),
        "valueString": line.text,
        "dataAbsentReason": {"text": line.note or "未给出结果"} if is_absent else None,
        "interpretation": [{"coding": [{"system": _INTERPRETATION, "code": flag}]}] if flag else None,
        "referenceRange": [reference] if any(reference.values()) else None,
    }


def _has_value(line: ObservationView) -> bool:
    return line.value is not None or line.text is not None


def _list_whole(report: ReportView) -> list[ObservationView]:
    """The results that are not components of others."""
    return [line for line in report.observations if line.component_count != 0]


def _show_authors(report: ReportView, role: str, *, line: int | None = None) -> list[dict[str, Any]]:
    return [
        {
            "type": "Practitioner",
            "identifier": {"system": one.system, "value": one.number} if one.number else None,
            "display": one.name,
        }
        for one in report.authors
        if one.role == role and (line is None or one.made(line))
    ]


def _quantity(value: Decimal | None, line: ObservationView | None = None) -> dict[str, Any] | None:
    if value is None:
        return None
    if line is None:
        return {"value": value}
    coded = {"system": UCUM, "code": line.unit_code} if line.unit_code else {}
    return {"value": value, "comparator": line.comparator, "unit": line.unit, **coded}


def _concept(system: str, code: str, name: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}], "text": name}


def _line_id(report: ReportView, line: ObservationView) -> str:
    return f"{report.id}.{line.position}"


def _subject(person_id: UUID) -> dict[str, str]:
    return {"reference": f"Patient/{person_id}"}


def _moment(moment: datetime) -> str:
    return clock.in_city(moment).isoformat(timespec="seconds")


def _without_nothing(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nothing(inner) for name, inner in value.items() if inner is not None}
    return [_without_nothing(inner) for inner in value] if isinstance(value, list) else value
