"""Where the rows of each resource type stand, and what of them can be asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, case, cast, exists, false, func, or_, select
from sqlalchemy.orm import aliased, defer

from records.entries.models import CATEGORIES, RecordEntry
from records.fhir import systems
from records.fhir.parameters import Filter
from records.fhir.service import conditions
from records.fhir.service.conditions import Column, Condition
from records.reports.models import Observation, Report
from records.visits.models import Visit

# Kinds of visits as codes of v3-ActCode, and back.
VISIT_CLASSES = {"I": "IMP", "O": "AMB", "E": "EMER", "H": "AMB", "T": "AMB"}
CATEGORY_CODES = {"laboratory": "LAB", "imaging": "RAD", "other": "OTH"}
_VISIT_STATUS = case(
    (Visit.disowned_at.is_not(None), "entered-in-error"),
    (Visit.closed_at.is_not(None), "finished"),
    else_="in-progress",
)
# Codes of categories, and what each is here.
REPORT_CATEGORIES = {code: (own,) for own, code in CATEGORY_CODES.items()} | {"laboratory": ("laboratory",)}


@dataclass(frozen=True)
class Listing:
    """A table as a resource type. ``statement`` selects the rows; the columns say where what stands in them.

    :ivar kind: what it is called in audit rows.
    :ivar object_id: the thing that a person may hide, of which a row is the whole or a part.
    :ivar position: of a row within the thing; None: it is the whole.
    :ivar version: None: it has no versions.
    """

    kind: str
    statement: Select[Any]
    object_id: Column
    person_id: Column
    moment: Any
    updated: Any
    conditions: Mapping[str, Condition]
    position: Column | None = None
    version: Any = None
    is_current: Any = None


def _on_visit() -> Listing:
    return Listing(
        kind="visit",
        statement=select(Visit),
        object_id=Visit.id,
        person_id=Visit.person_id,
        moment=Visit.opened_at,
        updated=func.coalesce(Visit.closed_at, Visit.opened_at),
        conditions={
            "identifier": lambda asked: (
                conditions.by_id(Visit.id)(asked)
                if all(one.system in {None, systems.VISIT} for one in asked.tokens)
                else false()
            ),
            "code": conditions.by_code(
                Visit.kind,
                {code: tuple(k for k, own in VISIT_CLASSES.items() if own == code) for code in VISIT_CLASSES.values()},
            ),
            "status": conditions.by_code(_VISIT_STATUS),
        },
    )


def _on_report() -> Listing:
    return Listing(
        kind="report",
        statement=select(Report),
        object_id=Report.id,
        person_id=Report.person_id,
        moment=Report.effective_at,
        updated=Report.filed_at,
        conditions={
            "identifier": conditions.by_token(Report.identifier_value, Report.identifier_system),
            "code": conditions.by_token(Report.code, Report.code_system),
            "category": conditions.by_code(Report.category, REPORT_CATEGORIES),
            "status": conditions.by_code(Report.status),
            "encounter": conditions.by_visit(Report.visit_id),
            "based_on": conditions.is_based_on,
        },
        version=Report.version,
        is_current=Report.is_current,
    )


def _on_observation() -> Listing:
    of_report = and_(
        Observation.report_id == Report.id,
        Observation.report_version == Report.version,
        Observation.component_count.is_distinct_from(0),
    )
    return Listing(
        kind="report",
        statement=select(Report, Observation).join(Observation, of_report),
        object_id=Report.id,
        person_id=Report.person_id,
        moment=Report.effective_at,
        updated=Report.filed_at,
        conditions={
            "identifier": conditions.by_token(Report.identifier_value, Report.identifier_system, prefix=systems.ALONE),
            "code": conditions.by_token(Observation.code, Observation.code_system),
            "any_code": _by_any_code,
            "category": conditions.by_code(Report.category, REPORT_CATEGORIES),
            "status": conditions.by_code(Observation.status),
            "encounter": conditions.by_visit(Report.visit_id),
            "based_on": conditions.is_based_on,
        },
        position=Observation.position,
        version=Report.version,
        is_current=Report.is_current,
    )


def _by_any_code(asked: Filter) -> ColumnElement[bool]:
    """A code of a result, or of one of its components."""
    component = aliased(Observation)
    is_named = conditions.by_token(component.code, component.code_system)(asked)
    of_line = and_(
        component.report_id == Observation.report_id,
        component.report_version == Observation.report_version,
        component.position > Observation.position,
        component.position <= Observation.position + Observation.component_count,
    )
    own = conditions.by_token(Observation.code, Observation.code_system)(asked)
    return or_(own, exists().where(of_line, is_named))


def _on_entry(resource_type: str) -> Listing:
    return Listing(
        kind="entry",
        # The document as text: a number keeps the digits that it was sent with.
        statement=select(RecordEntry, cast(RecordEntry.content, Text).label("content_text"))
        .options(defer(RecordEntry.content))
        .where(RecordEntry.resource_type == resource_type),
        object_id=RecordEntry.id,
        person_id=RecordEntry.person_id,
        moment=RecordEntry.occurred_at,
        updated=RecordEntry.filed_at,
        conditions={
            "identifier": conditions.by_token(RecordEntry.identifier_value, RecordEntry.identifier_system),
            "code": conditions.by_token(RecordEntry.code, RecordEntry.code_system),
            "category": conditions.by_category(RecordEntry.content),
            "status": conditions.by_code(RecordEntry.status),
            "encounter": conditions.by_visit(RecordEntry.visit_id),
        },
        version=RecordEntry.version,
        is_current=RecordEntry.is_current,
    )


LISTINGS: Mapping[str, tuple[Listing, ...]] = {
    "DiagnosticReport": (_on_report(),),
    "Observation": (_on_observation(),),
    **{name: (_on_entry(name),) for name in CATEGORIES if name != "Encounter"},
    # A visit that the platform saw, and what a hospital says of its own.
    "Encounter": (_on_visit(), _on_entry("Encounter")),
}
