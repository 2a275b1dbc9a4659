"""Who made a report, in HL7 v2 (OBR-32, OBR-34, OBX-16; sections 7.4.1 and 7.4.2)."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from records.hl7v2.parsing import Segment
from records.hl7v2.refusals import MessageNotUnderstood
from records.reports.authors import INTERPRETER, MOST_AUTHORS, PERFORMER, Author, keep_authors
from records.reports.incoming import LONGEST_IDENTIFIER

_INTERPRETERS, _TECHNICIANS, _OBSERVER = 32, 34, 16


def read_authors(obr: Segment, results: Sequence[Segment], documents: Sequence[Segment] = ()) -> dict[str, Any] | None:
    """Everybody who is named as having made the report or a result of it.

    :param results: in their order, which is that of the lines; ``documents`` are none of them.
    :raises MessageNotUnderstood: a name or number of more than 255 characters, or more than 50 people.
    """
    found: list[Author] = []
    if len(obr.fields) > _INTERPRETERS:
        found += _list_named(obr, _INTERPRETERS, INTERPRETER)
        found += _list_named(obr, _TECHNICIANS, PERFORMER)
    for obx in documents:
        if len(obx.fields) > _OBSERVER:
            found += _list_named(obx, _OBSERVER, PERFORMER)
    for position, obx in enumerate(results, start=1):
        if len(obx.fields) > _OBSERVER:
            found += _list_named(obx, _OBSERVER, PERFORMER, (position,))
    if len({(one.role, one.name, one.number) for one in found}) > MOST_AUTHORS:
        raise MessageNotUnderstood("OBR-32", f"At most {MOST_AUTHORS} people who made the report are expected.")
    return keep_authors(found, range(1, len(results) + 1))


def _list_named(segment: Segment, field: int, role: str, lines: tuple[int, ...] | None = None) -> Iterator[Author]:
    coding = segment.coding
    for one in coding.split(segment.raw(field), coding.repetition):
        components = coding.split(one, coding.component)
        # Of an NDL the first component is the person (CNN). Systems in the field write it as an XCN, which OBX-16 is.
        is_nested = field != _OBSERVER and (len(components) == 1 or _has_moment(components))
        parts = coding.split(components[0], coding.subcomponent) if is_nested else components
        texts = [coding.unescape(text).strip() for text in parts]
        number, family, given, middle = (texts[place] if place < len(texts) else "" for place in range(4))
        name = _whole_name((family, given, middle))
        if max(len(number), len(name)) > LONGEST_IDENTIFIER:
            where = f"{segment.name}-{field}"
            raise MessageNotUnderstood(where, f"At most {LONGEST_IDENTIFIER} characters are expected.")
        if number or name:
            yield Author(role, name or None, number or None, lines=lines)


def _has_moment(components: Sequence[str]) -> bool:
    """Whether the second component of an NDL is what it should be: since when, or nothing."""
    return re.fullmatch("[0-9.+-]*", components[1]) is not None


def _whole_name(parts: Sequence[str]) -> str:
    """Chinese names are written without a space between family and given name."""
    name = " ".join(part for part in parts if part)
    return name if name.isascii() else name.replace(" ", "")
