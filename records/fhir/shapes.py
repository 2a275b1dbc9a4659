"""Ordinary results and reports, read without building the models of FHIR: what most messages are made of.

The rules are taken from the models themselves, once, and only what they are certain to accept is read here. Whatever
else a resource has (extensions, narratives, kinds of values that are rare), and whatever might be wrong with it, is
the models' to read and to refuse.
"""

import re
import types
import typing
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import Annotated, Any

from fhir.resources.R4B import get_fhir_model_class

# Types that are read here; an element of another type leaves the resource to the models.
_KNOWN = {
    "CodeableConcept",
    "Coding",
    "Identifier",
    "ObservationComponent",
    "ObservationReferenceRange",
    "Period",
    "Quantity",
    "Range",
    "Reference",
}
# Not understood here (records.fhir.reading), and what would lead from references to identifiers and back.
_LEFT = {"implicitRules", "assigner"}
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_MOMENT = re.compile(
    r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-3]):[0-5][0-9])"
)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")

_Read = Callable[[Any], Any]


class _Unsure(Exception):
    """Left to the models."""


class Element:
    """What was read: elements by their names as the models give them; None where there is none."""

    def __init__(self, elements: dict[str, Any]) -> None:
        self.__dict__ = elements

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def read_plain(resource: Mapping[str, Any]) -> Element | None:
    """A DiagnosticReport or an Observation of JSON (decimals exact), when nothing in it needs the models.

    :returns: its elements as the model would have them; None: the model has to decide.
    """
    reads = {name: value for name, value in resource.items() if name != "resourceType"}
    try:
        return _reader_of(resource["resourceType"])(reads)
    except _Unsure:
        return None


@cache
def _reader_of(type_name: str) -> Callable[[Any], Element]:
    model: Any = get_fhir_model_class(type_name)
    readers: dict[str, _Read] = {}
    choices: dict[str, str] = {}
    needed, needed_choices = set(), set()
    for name, field in model.model_fields.items():
        element, told = field.alias or name, field.json_schema_extra or {}
        reader = None if name in _LEFT else _find_reader(field.annotation)
        if reader is not None:
            readers[element] = reader
        if field.is_required() or told.get("element_required"):
            needed.add(element)
        if told.get("one_of_many"):
            choices[element] = told["one_of_many"]
            if told.get("one_of_many_required"):
                needed_choices.add(told["one_of_many"])

    def read(value: Any) -> Element:
        if type(value) is not dict or not value or not needed <= value.keys():
            raise _Unsure
        try:
            elements = {name: readers[name](given) for name, given in value.items()}
        except KeyError:
            raise _Unsure from None
        chosen = [choices[name] for name in elements if name in choices]
        if len(set(chosen)) != len(chosen) or not needed_choices <= set(chosen):
            raise _Unsure
        return Element(elements)

    return read


def _find_reader(annotation: Any) -> _Read | None:
    """How an element of this type is read; None: not here."""
    origin = typing.get_origin(annotation)
    if origin in {typing.Union, types.UnionType}:
        kinds = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
        return _find_reader(kinds[0]) if len(kinds) == 1 else None
    if origin is list:
        one = _find_reader(typing.get_args(annotation)[0])
        return one and _list_of(one)
    if origin is Annotated:
        return _PRIMITIVES.get(type(typing.get_args(annotation)[1]).__name__)
    if annotation is bool:
        return _read_bool
    type_name = getattr(annotation, "__name__", "").removesuffix("Type")
    return _reader_of(type_name) if type_name in _KNOWN else None


def _list_of(one: _Read) -> _Read:
    def read(value: Any) -> list[Any]:
        if type(value) is not list or not value:
            raise _Unsure
        return [one(each) for each in value]

    return read


def _read_text(value: Any) -> str:
    # Neither control characters nor half a character, which the database cannot keep, are printable.
    if type(value) is not str or not value.isprintable() or not value or value.isspace():
        raise _Unsure
    return value


def _read_word(value: Any) -> str:
    if " " in _read_text(value):
        raise _Unsure
    return str(value)


def _read_id(value: Any) -> str:
    if type(value) is not str or not _ID.fullmatch(value):
        raise _Unsure
    return value


def _read_bool(value: Any) -> bool:
    if type(value) is not bool:
        raise _Unsure
    return value


def _read_decimal(value: Any) -> Decimal:
    if type(value) not in {Decimal, int} or not _DECIMAL.fullmatch(str(value)):
        raise _Unsure
    return Decimal(value)


def _read_moment(value: Any) -> datetime:
    if type(value) is not str or not _MOMENT.fullmatch(value):
        raise _Unsure
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise _Unsure from None


_PRIMITIVES: dict[str, _Read] = {
    "Code": _read_word,
    "DateTime": _read_moment,
    "Decimal": _read_decimal,
    "Id": _read_id,
    "Instant": _read_moment,
    "String": _read_text,
    "Uri": _read_word,
}
