"""Reports and their results, found by one statement: what phones, doctors and hospitals' systems ask for most."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy.orm import Session

from consent import service as consent
from core import statements
from core.actor import Actor
from core.statements import compose
from records.fhir import systems
from records.fhir.parameters import DateValue, Filter, Place, Search
from records.fhir.service.conditions import read_id, split_id
from records.fhir.service.listings import REPORT_CATEGORIES


class Asked(NamedTuple):
    """A filter: conditions on the report and on the result, empty where there is none; and the values they ask for."""

    of_report: str
    of_line: str
    values: dict[str, Any]


class _Form(NamedTuple):
    """What of a search is not a condition. ``person``: the filter that names whose."""

    with_lines: bool = True
    person: str | None = None
    by_update: bool = False
    is_descending: bool = True

    @property
    def moment(self) -> str:
        return "report.filed_at" if self.by_update else "report.effective_at"

    @property
    def direction(self) -> str:
        return "DESC" if self.is_descending else "ASC"


class ReportRow(NamedTuple):
    """As ``records.reports.models.Report``."""

    id: UUID
    version: int
    hospital_id: UUID
    person_id: UUID
    visit_id: UUID | None
    inbound_message_id: UUID
    effective_at: datetime
    issued_at: datetime | None
    filed_at: datetime
    status: str
    category: str
    identifier_system: str
    identifier_value: str
    code: str
    code_system: str
    name: str
    conclusion: str | None
    authors: dict[str, Any] | None
    accession_number: str | None
    based_on: list[dict[str, str]] | None
    study_instance_uid: str | None


class LineRow(NamedTuple):
    """As ``records.reports.models.Observation``."""

    position: int
    status: str
    code: str
    code_system: str
    name: str
    value: Decimal | None
    comparator: str | None
    text: str | None
    unit: str | None
    unit_code: str | None
    reference_low: Decimal | None
    reference_high: Decimal | None
    reference_text: str | None
    interpretation: str | None
    note: str | None
    component_count: int | None


class FoundRow(NamedTuple):
    """A report, or one result of it. ``root_id``: the record that stands for its person."""

    report: ReportRow
    line: LineRow | None
    root_id: UUID


# Reports are found and put in order first, and only then are their results read: as many as the page takes.
_PAGE = """
WITH readable AS (SELECT * FROM ({readable}) AS each_one{narrowed})
SELECT report.root_id, {fields}
FROM (
    SELECT report.*, readable.root_id FROM readable JOIN reports report ON report.person_id = readable.id
    WHERE {is_known}{conditions}
    ORDER BY {moment} {direction}, report.id {direction}
    OFFSET 0
) AS report {lines}
ORDER BY {moment} {direction}, report.id {direction}{positions}
LIMIT %(limit)s
"""
_LINES = """
JOIN observations line ON line.report_id = report.id AND line.report_version = report.version
    AND line.component_count IS DISTINCT FROM 0{conditions}
"""
_NARROWED = " WHERE root_id IN (SELECT root_id FROM persons WHERE id = ANY(%({0})s::uuid[]))"
_OF_REPORTS = """
(report.id, report.version) IN (SELECT * FROM unnest(%(report_ids)s::uuid[], %(versions)s::int[]))
"""
_POSITIONS = """
SELECT line.report_id, line.report_version, line.position
FROM unnest(%(report_ids)s::uuid[], %(versions)s::int[]) AS shown (report_id, report_version)
    JOIN observations line USING (report_id, report_version)
WHERE line.component_count IS DISTINCT FROM 0
ORDER BY line.position
"""
_COMPONENTS = """
SELECT line.report_id, line.report_version, {fields}
FROM unnest(%(report_ids)s::uuid[], %(versions)s::int[]) AS shown (report_id, report_version)
    JOIN observations line USING (report_id, report_version)
WHERE line.component_count = 0
ORDER BY line.position
"""
_PAIRS = "(report.id, line.position) IN (SELECT * FROM unnest(%({name}_ids)s::uuid[], %({name}_positions)s::int[]))"
_OF_PERSONS = "readable.root_id IN (SELECT root_id FROM persons WHERE id = ANY(%({name})s::uuid[]))"
_TOKENS = """
EXISTS (
    SELECT FROM unnest(%({name}_codes)s::text[], %({name}_systems)s::text[]) AS asked (code, system)
    WHERE asked.code = {code} AND (asked.system IS NULL OR asked.system = {system})
)
"""
_BASED_ON = """
EXISTS (
    SELECT FROM record_entries request JOIN persons own ON own.id = request.person_id
    WHERE request.id = ANY(%({name})s::uuid[]) AND request.resource_type = 'ServiceRequest' AND request.is_current
        AND request.hospital_id = report.hospital_id AND own.root_id = readable.root_id
        AND report.based_on @> jsonb_build_array(
            jsonb_build_object('system', request.identifier_system, 'value', request.identifier_value)
        )
)
"""
_OWN_OR_COMPONENT = """
{own} OR EXISTS (
    SELECT FROM observations part
    WHERE part.report_id = line.report_id AND part.report_version = line.report_version
        AND part.position > line.position AND part.position <= line.position + line.component_count AND {of_component}
)
"""
# A moment to the beginning and the end of a period (FHIR R4, section 3.1.1.4.4).
_COMPARED = {
    "eq": "({0} >= {1} AND {0} < {2})",
    "ne": "NOT ({0} >= {1} AND {0} < {2})",
    "gt": "{0} >= {2}",
    "sa": "{0} >= {2}",
    "ge": "{0} >= {1}",
    "lt": "{0} < {1}",
    "eb": "{0} < {1}",
    "le": "{0} < {2}",
}


def search_reports(session: Session, actor: Actor, search: Search, *, with_lines: bool) -> list[FoundRow]:
    """The current reports, or results of reports, that fit and that the actor may see: one more than a page of them."""
    asked = [_CONDITIONS[one.asks](one, f"f{number}", with_lines) for number, one in enumerate(search.filters)]
    persons = [f"f{number}" for number, one in enumerate(search.filters) if one.asks == "patient"]
    form = _Form(with_lines, persons[0] if persons else None, search.by_update, search.is_descending)
    if search.after is not None:
        asked.append(_after(search.after, form))
    conditions = ("report.is_current", *(one.of_report for one in asked if one.of_report))
    statement = _compose(consent.gate_of(actor), form, conditions, tuple(one.of_line for one in asked if one.of_line))
    values = {name: value for one in asked for name, value in one.values.items()}
    return _list(session, actor, statement, values | {"limit": search.count + 1}, with_lines=with_lines)


def list_lines(session: Session, actor: Actor, reports: Sequence[tuple[UUID, int]]) -> list[FoundRow]:
    """The results of these versions of reports, in the order of a search."""
    statement = _compose(consent.gate_of(actor), _Form(), (_OF_REPORTS,), ())
    return _list(session, actor, statement, {**_keys(reports), "limit": None}, with_lines=True)


def list_positions(session: Session, reports: Sequence[tuple[UUID, int]]) -> dict[tuple[UUID, int], list[int]]:
    """The positions of the results of these versions of reports. The caller has decided who may know of them."""
    found: dict[tuple[UUID, int], list[int]] = {}
    for report_id, version, position in statements.list_rows(session, _POSITIONS, _keys(reports)) if reports else ():
        found.setdefault((report_id, version), []).append(position)
    return found


def list_components(session: Session, reports: Sequence[tuple[UUID, int]]) -> dict[tuple[UUID, int], list[LineRow]]:
    """The components of the results of these versions of reports. The caller has decided who may know of them."""
    statement = compose(_COMPONENTS, fields=", ".join(f"line.{name}" for name in LineRow._fields))
    found: dict[tuple[UUID, int], list[LineRow]] = {}
    for report_id, version, *line in statements.list_rows(session, statement, _keys(reports)) if reports else ():
        found.setdefault((report_id, version), []).append(LineRow(*line))
    return found


@lru_cache(256)
def _compose(gate: consent.Gate, form: _Form, conditions: tuple[str, ...], of_lines: tuple[str, ...]) -> str:
    """One text for each form of a search, so that the database keeps its plan."""
    fields = [f"report.{name}" for name in ReportRow._fields]
    if form.with_lines:
        fields += [f"line.{name}" for name in LineRow._fields]
    return compose(
        _PAGE,
        readable=gate.readable,
        narrowed=_NARROWED.format(form.person) if form.person else "",
        fields=", ".join(fields),
        lines=compose(_LINES, conditions=_and(of_lines)) if form.with_lines else "",
        is_known=gate.is_known.format("report.id"),
        conditions=_and(conditions),
        moment=form.moment,
        direction=form.direction,
        positions=f", -line.position {form.direction}" if form.with_lines else "",
    )


def _and(conditions: tuple[str, ...]) -> str:
    return "".join(f" AND ({one})" for one in conditions)


def _after(place: Place, form: _Form) -> Asked:
    sign = "<" if form.direction == "DESC" else ">"
    values = {"after_moment": place.moment, "after_id": place.id, "after_position": -place.position}
    at = f"({form.moment}, report.id) {{0}} (%(after_moment)s, %(after_id)s)"
    if not form.with_lines:
        return Asked(at.format(sign), "", values)
    place_of_line = f"({form.moment}, report.id, -line.position)"
    return Asked(
        at.format(f"{sign}="), f"{place_of_line} {sign} (%(after_moment)s, %(after_id)s, %(after_position)s)", values
    )


def _list(
    session: Session, actor: Actor, statement: str, values: dict[str, Any], *, with_lines: bool
) -> list[FoundRow]:
    end = 1 + len(ReportRow._fields)
    return [
        FoundRow(ReportRow(*row[1:end]), LineRow(*row[end:]) if with_lines else None, row[0])
        for row in statements.list_rows(session, statement, values | consent.gate_values(actor))
    ]


def _keys(reports: Iterable[tuple[UUID, int]]) -> dict[str, Any]:
    shown = list(reports)
    return {"report_ids": [one for one, _ in shown], "versions": [version for _, version in shown]}


def _by_id(asked: Filter, name: str, with_lines: bool) -> Asked:
    named = [(found, position) for found, position in (split_id(one.code) for one in asked.tokens) if found]
    ids = [found for found, position in named if (position is not None) is with_lines]
    text, values = f"report.id = ANY(%({name}_ids)s::uuid[])", {f"{name}_ids": ids}
    if not with_lines:
        return Asked(text, "", values)
    positions = [position for _, position in named if position is not None]
    return Asked(text, compose(_PAIRS, name=name), values | {f"{name}_positions": positions})


def _by_person(asked: Filter, name: str, _with_lines: bool) -> Asked:
    ids = [read_id(one.id) for one in asked.references if one.resource_type in {None, "Patient"}]
    return Asked(compose(_OF_PERSONS, name=name), "", {name: [one for one in ids if one]})


def _by_visit(asked: Filter, name: str, _with_lines: bool) -> Asked:
    ids = [read_id(one.id) for one in asked.references if one.resource_type in {None, "Encounter"}]
    return Asked(f"report.visit_id = ANY(%({name})s::uuid[])", "", {name: [one for one in ids if one]})


def _by_request(asked: Filter, name: str, _with_lines: bool) -> Asked:
    ids = [read_id(one.id) for one in asked.references if one.resource_type in {None, "ServiceRequest"}]
    return Asked(compose(_BASED_ON, name=name), "", {name: [one for one in ids if one]})


def _by_category(asked: Filter, name: str, _with_lines: bool) -> Asked:
    own = [category for one in asked.tokens for category in REPORT_CATEGORIES.get(one.code, ())]
    return Asked(f"report.category = ANY(%({name})s::text[])", "", {name: own})


def _by_status(asked: Filter, name: str, with_lines: bool) -> Asked:
    text = f"{{0}}.status = ANY(%({name})s::text[])"
    return _of_either(text, {name: [one.code for one in asked.tokens]}, with_lines)


def _by_code(asked: Filter, name: str, with_lines: bool) -> Asked:
    text, values = _token(asked, name, "{0}.code", "{0}.code_system")
    return _of_either(text, values, with_lines)


def _by_any_code(asked: Filter, name: str, _with_lines: bool) -> Asked:
    own, values = _token(asked, name, "line.code", "line.code_system")
    of_component, _ = _token(asked, name, "part.code", "part.code_system")
    return Asked("", compose(_OWN_OR_COMPONENT, own=own, of_component=of_component), values)


def _of_either(text: str, values: dict[str, Any], with_lines: bool) -> Asked:
    return Asked("", text.format("line"), values) if with_lines else Asked(text.format("report"), "", values)


def _by_identifier(asked: Filter, name: str, with_lines: bool) -> Asked:
    if not with_lines:
        text, values = _token(asked, name, "report.identifier_value", "report.identifier_system")
        return Asked(text, "", values)
    # A result has an identifier when it came alone: the report was named after it.
    own_system = f"substr(report.identifier_system, {len(systems.ALONE) + 1})"
    text, values = _token(asked, name, "report.identifier_value", own_system)
    return Asked(f"starts_with(report.identifier_system, '{systems.ALONE}') AND {text}", "", values)


def _token(asked: Filter, name: str, code: str, system: str) -> tuple[str, dict[str, Any]]:
    values = {f"{name}_codes": [one.code for one in asked.tokens]}
    systems = {f"{name}_systems": [one.system for one in asked.tokens]}
    return compose(_TOKENS, name=name, code=code, system=system), values | systems


def _by_date(asked: Filter, name: str, _with_lines: bool) -> Asked:
    return _by_moment("report.effective_at", asked.dates, name)


def _by_update(asked: Filter, name: str, _with_lines: bool) -> Asked:
    return _by_moment("report.filed_at", asked.dates, name)


def _by_moment(column: str, dates: Sequence[DateValue], name: str) -> Asked:
    texts, values = ["false"], dict[str, Any]()
    for number, one in enumerate(dates):
        start, end = f"{name}_{number}_start", f"{name}_{number}_end"
        texts.append(_COMPARED[one.prefix].format(column, f"%({start})s", f"%({end})s"))
        values |= {start: one.start, end: one.end}
    return Asked(" OR ".join(texts), "", values)


_CONDITIONS: dict[str, Callable[[Filter, str, bool], Asked]] = {
    "_id": _by_id,
    "_lastUpdated": _by_update,
    "patient": _by_person,
    "date": _by_date,
    "identifier": _by_identifier,
    "code": _by_code,
    "any_code": _by_any_code,
    "category": _by_category,
    "status": _by_status,
    "encounter": _by_visit,
    "based_on": _by_request,
}
