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
from records.fhir.parameters import DateValue, Filter, Search
from records.fhir.service.conditions import read_id, split_id
from records.fhir.service.listings import REPORT_CATEGORIES

# A condition as text, and the values that it asks for.
Asked = tuple[str, dict[str, Any]]


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


class FoundRow(NamedTuple):
    """A report, or one result of it. ``root_id``: the record that stands for its person."""

    report: ReportRow
    line: LineRow | None
    root_id: UUID


_PAGE = """
WITH readable AS (SELECT * FROM ({readable}) AS each_one{narrowed})
SELECT readable.root_id, {fields}
FROM readable JOIN reports report ON report.person_id = readable.id{joined}
WHERE {is_known}{conditions}
ORDER BY {order}
LIMIT %(limit)s
"""
_JOINED = " JOIN observations line ON line.report_id = report.id AND line.report_version = report.version"
_NARROWED = " WHERE root_id IN (SELECT root_id FROM persons WHERE id = ANY(%({0})s::uuid[]))"
_OF_REPORTS = """
(report.id, report.version) IN (SELECT * FROM unnest(%(report_ids)s::uuid[], %(versions)s::int[]))
"""
_POSITIONS = """
SELECT line.report_id, line.report_version, line.position
FROM unnest(%(report_ids)s::uuid[], %(versions)s::int[]) AS shown (report_id, report_version)
    JOIN observations line USING (report_id, report_version)
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
    moment = "report.filed_at" if search.by_update else "report.effective_at"
    direction, sign = ("DESC", "<") if search.is_descending else ("ASC", ">")
    order = (moment, "report.id", "-line.position" if with_lines else "0")
    if search.after is not None:
        after = f"({', '.join(order)}) {sign} (%(after_moment)s, %(after_id)s, %(after_position)s)"
        place = {"after_moment": search.after.moment, "after_id": search.after.id}
        asked.append((after, place | {"after_position": -search.after.position}))
    statement = _compose(
        consent.gate_of(actor),
        with_lines,
        persons[0] if persons else None,
        ("report.is_current", *(text for text, _ in asked)),
        ", ".join(f"{one} {direction}" for one in order[: 3 if with_lines else 2]),
    )
    values = {name: value for _, given in asked for name, value in given.items()}
    return _list(session, actor, statement, values | {"limit": search.count + 1}, with_lines=with_lines)


def list_lines(session: Session, actor: Actor, reports: Sequence[tuple[UUID, int]]) -> list[FoundRow]:
    """The results of these versions of reports, in the order of a search."""
    order = "report.effective_at DESC, report.id DESC, line.position"
    statement = _compose(consent.gate_of(actor), True, None, (_OF_REPORTS,), order)
    return _list(session, actor, statement, {**_keys(reports), "limit": None}, with_lines=True)


def list_positions(session: Session, reports: Sequence[tuple[UUID, int]]) -> dict[tuple[UUID, int], list[int]]:
    """The positions of the results of these versions of reports. The caller has decided who may know of them."""
    found: dict[tuple[UUID, int], list[int]] = {}
    for report_id, version, position in statements.list_rows(session, _POSITIONS, _keys(reports)) if reports else ():
        found.setdefault((report_id, version), []).append(position)
    return found


@lru_cache(256)
def _compose(gate: consent.Gate, with_lines: bool, person: str | None, conditions: tuple[str, ...], order: str) -> str:
    """One text for each form of a search, so that the database keeps its plan.

    :param person: the filter that names the person: all others are none of the search's.
    """
    fields = [f"report.{name}" for name in ReportRow._fields]
    return compose(
        _PAGE,
        readable=gate.readable,
        narrowed=_NARROWED.format(person) if person else "",
        fields=", ".join([*fields, *(f"line.{name}" for name in LineRow._fields)] if with_lines else fields),
        joined=_JOINED if with_lines else "",
        is_known=gate.is_known.format("report.id"),
        conditions="".join(f" AND ({one})" for one in conditions),
        order=order,
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
        return text, values
    positions = [position for _, position in named if position is not None]
    return f"{text} AND {compose(_PAIRS, name=name)}", values | {f"{name}_positions": positions}


def _by_person(asked: Filter, name: str, _with_lines: bool) -> Asked:
    ids = [read_id(one.id) for one in asked.references if one.resource_type in {None, "Patient"}]
    return compose(_OF_PERSONS, name=name), {name: [one for one in ids if one]}


def _by_visit(asked: Filter, name: str, _with_lines: bool) -> Asked:
    ids = [read_id(one.id) for one in asked.references if one.resource_type in {None, "Encounter"}]
    return f"report.visit_id = ANY(%({name})s::uuid[])", {name: [one for one in ids if one]}


def _by_category(asked: Filter, name: str, _with_lines: bool) -> Asked:
    own = [category for one in asked.tokens for category in REPORT_CATEGORIES.get(one.code, ())]
    return f"report.category = ANY(%({name})s::text[])", {name: own}


def _by_status(asked: Filter, name: str, with_lines: bool) -> Asked:
    column = "line.status" if with_lines else "report.status"
    return f"{column} = ANY(%({name})s::text[])", {name: [one.code for one in asked.tokens]}


def _by_code(asked: Filter, name: str, with_lines: bool) -> Asked:
    row = "line" if with_lines else "report"
    return _by_token(asked, name, f"{row}.code", f"{row}.code_system")


def _by_identifier(asked: Filter, name: str, with_lines: bool) -> Asked:
    if not with_lines:
        return _by_token(asked, name, "report.identifier_value", "report.identifier_system")
    # A result has an identifier when it came alone: the report was named after it.
    own_system = f"substr(report.identifier_system, {len(systems.ALONE) + 1})"
    text, values = _by_token(asked, name, "report.identifier_value", own_system)
    return f"starts_with(report.identifier_system, '{systems.ALONE}') AND {text}", values


def _by_token(asked: Filter, name: str, code: str, system: str) -> Asked:
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
    return " OR ".join(texts), values


_CONDITIONS: dict[str, Callable[[Filter, str, bool], Asked]] = {
    "_id": _by_id,
    "_lastUpdated": _by_update,
    "patient": _by_person,
    "date": _by_date,
    "identifier": _by_identifier,
    "code": _by_code,
    "category": _by_category,
    "status": _by_status,
    "encounter": _by_visit,
}
