"""Rows to resources of FHIR R4."""

from datetime import datetime
from functools import lru_cache
from typing import Any

from core import clock, exact_json
from records.entries.models import RecordEntry
from records.fhir import systems
from records.fhir.authoring import show_authors
from records.fhir.examinations import show_examination
from records.fhir.ordering import show_bases
from records.fhir.service.listings import CATEGORY_CODES, VISIT_CLASSES
from records.fhir.service.reading import Hit, Scene
from records.fhir.service.results import LineRow, ReportRow
from records.reports.authors import INTERPRETER, PERFORMER
from records.reports.incoming import UCUM
from records.reports.models import Observation, Report
from records.visits.models import Visit

Resource = dict[str, Any]
_VISIT_KINDS = {"I": "住院", "O": "门诊", "E": "急诊", "H": "体检", "T": "其他"}
_CATEGORY_NAMES = {"laboratory": "检验", "imaging": "检查", "other": "其他"}


def show_resource(hit: Hit, scene: Scene) -> Resource:
    """The resource of a row."""
    first = hit.rows[0]
    common = _common(hit, first.id)
    if isinstance(first, RecordEntry):
        return _show_entry(first, hit, scene, common)
    if isinstance(first, Visit):
        return _show_visit(first, scene, common)
    if hit.resource_type == "Observation":
        return _show_observation(first, hit.rows[1], scene, common)
    return _show_report(first, scene, common)


@lru_cache(256)
def show_moment(moment: datetime) -> str:
    """An instant on the clocks of the city, with its zone."""
    return clock.in_city(moment).isoformat()


def show_hospital(scene: Scene, row: Any) -> Resource:
    """Reference to the hospital that a row belongs to."""
    return {"reference": f"Organization/{row.hospital_id}", "display": scene.hospitals[row.hospital_id].name}


def _common(hit: Hit, _row_id: object) -> Resource:
    meta = {"lastUpdated": show_moment(hit.updated_at)}
    if hit.version is not None:
        meta = {"versionId": str(hit.version), **meta}
    return {"resourceType": hit.resource_type, "id": hit.resource_id, "meta": meta}


def _subject(scene: Scene, row: Any) -> Resource:
    return {"reference": f"Patient/{scene.persons[row.person_id]}"}


def _under(row: Any) -> Resource:
    return {"encounter": {"reference": f"Encounter/{row.visit_id}"}} if row.visit_id else {}


def _concept(code: str, system: str, name: str) -> Resource:
    return {"coding": [{"system": system, "code": code, "display": name}], "text": name}


def _category(report: ReportRow | Report) -> Resource:
    code, name = CATEGORY_CODES[report.category], _CATEGORY_NAMES[report.category]
    return {"coding": [{"system": systems.DIAGNOSTIC_SERVICE, "code": code}], "text": name}


def _show_report(report: ReportRow | Report, scene: Scene, common: Resource) -> Resource:
    positions = scene.results.get((report.id, report.version), [])
    return _without_nothing(
        common
        | {
            "identifier": [{"system": report.identifier_system, "value": report.identifier_value}],
            "status": report.status,
            "category": [_category(report)],
            "basedOn": _orders(report, scene),
            "code": _concept(report.code, report.code_system, report.name),
            "subject": _subject(scene, report),
            **_under(report),
            "effectiveDateTime": show_moment(report.effective_at),
            "issued": show_moment(report.issued_at) if report.issued_at else None,
            "performer": [show_hospital(scene, report), *show_authors(report.authors, PERFORMER)],
            "resultsInterpreter": show_authors(report.authors, INTERPRETER),
            "imagingStudy": show_examination(report.accession_number, report.study_instance_uid),
            "result": [{"reference": f"Observation/{report.id}.{position}"} for position in positions],
            "conclusion": report.conclusion,
        }
    )


def _show_observation(
    report: ReportRow | Report, line: LineRow | Observation, scene: Scene, common: Resource
) -> Resource:
    # Whose report a result came in did not all make it, nor answers it each order; of one that came alone both is so.
    is_alone = report.identifier_system.startswith(systems.ALONE)
    position = None if is_alone else line.position
    return _without_nothing(
        common
        | {
            "identifier": _own_identifier(report),
            "basedOn": _orders(report, scene) if is_alone else None,
            "status": line.status,
            "category": [_category(report)],
            "subject": _subject(scene, report),
            **_under(report),
            "effectiveDateTime": show_moment(report.effective_at),
            "issued": show_moment(report.issued_at) if report.issued_at else None,
            "performer": [show_hospital(scene, report), *show_authors(report.authors, PERFORMER, line=position)],
            **_show_result(line),
            "note": [{"text": line.note}] if line.note else None,
            "component": _components(report, line, scene),
        }
    )


def _orders(report: ReportRow | Report, scene: Scene) -> list[Resource]:
    """The orders that a report answers."""
    if not report.based_on:
        return []
    whose = scene.persons[report.person_id], report.hospital_id
    return show_bases(report.based_on, {key[2:]: id_ for key, id_ in scene.requests.items() if key[:2] == whose})


def _components(report: ReportRow | Report, line: LineRow | Observation, scene: Scene) -> list[Resource]:
    if not line.component_count:
        return []
    last = line.position + line.component_count
    found = scene.components[report.id, report.version]
    return [_show_component(one) for one in found if line.position < one.position <= last]


def _show_component(line: LineRow) -> Resource:
    # A component has no note of its own: what its line says there is why it has no value.
    absent = {"text": line.note} if line.note and line.value is None and line.text is None else None
    return _without_nothing(_show_result(line) | {"dataAbsentReason": absent})


def _show_result(line: LineRow | Observation) -> Resource:
    """What a result and a component of one have in common."""
    interpretation = [{"coding": [{"system": systems.INTERPRETATION, "code": line.interpretation}]}]
    return {
        "code": _concept(line.code, line.code_system, line.name),
        "valueQuantity": _quantity(line),
        "valueString": line.text,
        "interpretation": interpretation if line.interpretation else None,
        "referenceRange": _reference_range(line),
    }


def _own_identifier(report: ReportRow | Report) -> list[Resource] | None:
    """Of an Observation that came alone: the report was named after it."""
    if not report.identifier_system.startswith(systems.ALONE):
        return None
    return [{"system": report.identifier_system.removeprefix(systems.ALONE), "value": report.identifier_value}]


def _quantity(line: LineRow | Observation) -> Resource | None:
    if line.value is None:
        return None
    ucum = {"system": UCUM, "code": line.unit_code} if line.unit_code else {}
    return _without_nothing({"value": line.value, "comparator": line.comparator, "unit": line.unit, **ucum})


def _reference_range(line: LineRow | Observation) -> list[Resource] | None:
    low, high = ({"value": bound} if bound is not None else None for bound in (line.reference_low, line.reference_high))
    found = _without_nothing({"low": low, "high": high, "text": line.reference_text})
    return [found] if found else None


def _show_visit(visit: Visit, scene: Scene, common: Resource) -> Resource:
    status = "in-progress" if visit.closed_at is None else "finished"
    period = {
        "start": show_moment(visit.opened_at),
        "end": show_moment(visit.closed_at) if visit.closed_at else None,
    }
    return common | {
        "identifier": [{"system": systems.VISIT, "value": str(visit.id)}],
        "status": "entered-in-error" if visit.disowned_at else status,
        "class": {"system": systems.ENCOUNTER_CLASS, "code": VISIT_CLASSES[visit.kind]},
        "type": [{"text": _VISIT_KINDS[visit.kind]}],
        "serviceType": {"coding": [{"system": systems.DEPARTMENT, "code": visit.department}]},
        "subject": _subject(scene, visit),
        "period": _without_nothing(period),
        "serviceProvider": show_hospital(scene, visit),
    }


def _show_entry(entry: RecordEntry, hit: Hit, scene: Scene, common: Resource) -> Resource:
    content = exact_json.load(hit.rows[1])
    for element in ("subject", "patient"):
        if element in content:
            content[element] = _subject(scene, entry)
    return common | {name: value for name, value in content.items() if name != "resourceType"}


def _without_nothing(resource: Resource) -> Resource:
    return {name: value for name, value in resource.items() if value is not None and value != []}
