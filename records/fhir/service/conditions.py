"""Search filters to conditions on columns."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Text, and_, bindparam, cast, exists, false, func, or_, text
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.sql.elements import SQLCoreOperations

from health_card import service as health_card
from records.entries.models import RecordEntry
from records.fhir.parameters import DateValue, Filter
from records.reports.models import Report

Column = SQLCoreOperations[Any]
Condition = Callable[[Filter], ColumnElement[bool]]
# Of a report and a request; the persons are asked for once more, whoever else the statement asks for.
_SAME_PERSON = """EXISTS (
    SELECT FROM persons whose JOIN persons other ON other.root_id = whose.root_id
    WHERE whose.id = record_entries.person_id AND other.id = reports.person_id
)"""
_CATEGORY_PATH = "$.category[*] ? (@ == $code || @.coding[*].code == $code)"


def by_id(column: Column, position: Column | None = None) -> Condition:
    """Resource ids: of a row, or of a row and the position in it (``<id>.<position>``)."""

    def condition(asked: Filter) -> ColumnElement[bool]:
        named = [split_id(value.code) for value in asked.tokens]
        if position is None:
            return _any(column == found for found, at in named if found and at is None)
        return _any(and_(column == found, position == at) for found, at in named if found and at is not None)

    return condition


def by_person(column: Column) -> Condition:
    """Of these persons, by any of their records."""

    def condition(asked: Filter) -> ColumnElement[bool]:
        ids = [read_id(one.id) for one in asked.references if one.resource_type in {None, "Patient"}]
        return _any(column.in_(health_card.same_person_ids(found)) for found in ids if found)

    return condition


def by_visit(column: Column) -> Condition:
    """Under these visits."""

    def condition(asked: Filter) -> ColumnElement[bool]:
        ids = [read_id(one.id) for one in asked.references if one.resource_type in {None, "Encounter"}]
        return _any(column == found for found in ids if found)

    return condition


def is_based_on(asked: Filter) -> ColumnElement[bool]:
    """Reports that answer one of these requests: an order of its name, of the same hospital and person."""
    ids = [read_id(one.id) for one in asked.references if one.resource_type in {None, "ServiceRequest"}]
    name = func.jsonb_build_object("system", RecordEntry.identifier_system, "value", RecordEntry.identifier_value)
    return exists().where(
        RecordEntry.id.in_([found for found in ids if found]),
        RecordEntry.resource_type == "ServiceRequest",
        RecordEntry.is_current,
        RecordEntry.hospital_id == Report.hospital_id,
        text(_SAME_PERSON),
        Report.based_on.contains(func.jsonb_build_array(name)),
    )


def by_token(code: Column, system: Column, *, prefix: str = "") -> Condition:
    """A code, in its system where one is named.

    :param prefix: what the kept system has before the one that is asked for.
    """

    def condition(asked: Filter) -> ColumnElement[bool]:
        return _any(
            and_(code == one.code, system.startswith(prefix, autoescape=True))
            if one.system is None
            else and_(code == one.code, system == prefix + one.system)
            for one in asked.tokens
        )

    return condition


def by_code(column: Column, meanings: Mapping[str, tuple[str, ...]] | None = None) -> Condition:
    """A code whose system goes without saying.

    :param meanings: what of our own each code stands for; any other is nothing here.
    """

    def condition(asked: Filter) -> ColumnElement[bool]:
        codes = [one.code for one in asked.tokens]
        known = codes if meanings is None else [own for code in codes for own in meanings.get(code, ())]
        return column.in_(known)

    return condition


def by_category(content: Column) -> Condition:
    """A category anywhere in a kept resource."""

    def condition(asked: Filter) -> ColumnElement[bool]:
        path = cast(bindparam(None, _CATEGORY_PATH, type_=Text), JSONPATH)
        return _any(
            func.jsonb_path_exists(content, path, func.jsonb_build_object("code", cast(one.code, Text)))
            for one in asked.tokens
        )

    return condition


def by_moment(column: Column) -> Condition:
    """A moment within, before or after a period (FHIR R4, section 3.1.1.4.4)."""

    def condition(asked: Filter) -> ColumnElement[bool]:
        return _any(_compare(column, value) for value in asked.dates)

    return condition


def read_id(text: str) -> UUID | None:
    """An id of ours; None when it can be none."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def split_id(text: str) -> tuple[UUID | None, int | None]:
    """The id of a row, and the position in it where one is named; None when it can be none."""
    row, dot, position = text.partition(".")
    if not dot:
        return read_id(row), None
    is_number = position.isascii() and position.isdecimal() and len(position) < 5
    return (read_id(row), int(position)) if is_number else (None, None)


def _compare(column: Column, value: DateValue) -> ColumnElement[bool]:
    within = and_(column >= value.start, column < value.end)
    return {
        "eq": within,
        "ne": ~within,
        "gt": column >= value.end,
        "sa": column >= value.end,
        "ge": column >= value.start,
        "lt": column < value.start,
        "eb": column < value.start,
        "le": column < value.end,
    }[value.prefix]


def _any(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    return or_(false(), *conditions)
