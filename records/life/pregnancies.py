"""Pregnancies: from dates that results say, and from what hospitals and maternal care have entered.

- A last menstrual period or an expected day of delivery: dates written as a text result under LOINC 8665-2 and 11778-8.
  A pregnancy lasts 280 days from the first of them to the second (Naegele's rule); several results about one of them
  lie close together and are one.
- A pregnancy as a condition (ICD-10 Z32.1, Z33 to Z36, O10 to O48; SNOMED CT 77386006): it begins with its onset,
  unless a pregnancy of which a date is known is under way then.
- A delivery (ICD-10 O80 to O84 and Z37), the end of a pregnancy without one (O00 to O08), or the end of the condition:
  the pregnancy ends on that day. A delivery of which nothing else is known was preceded by 280 days.
"""

import re
from collections.abc import Iterable
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from core.actor import Actor
from records.entries.coded import CodedEntry
from records.life.stages import Span, join_spans
from records.reports import service as reports

LAST_PERIOD, EXPECTED_DELIVERY = "8665-2", "11778-8"
_LENGTH, _DAY = timedelta(days=280), timedelta(days=1)
# A delivery may come this long after the expected day and still be that of the same pregnancy.
_OVERDUE = timedelta(days=28)
_WRITTEN_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_PREGNANT = re.compile(r"Z32\.?1|Z3[3-6]|O[1-3]\d|O4[0-8]")
_DELIVERED = re.compile(r"O8[0-4]|Z37")
_ENDED = re.compile(r"O0[0-8]")
_SNOMED_PREGNANT = ("http://snomed.info/sct", "77386006")


def list_pregnancies(session: Session, actor: Actor, *, person_id: UUID, entered: Iterable[CodedEntry]) -> list[Span]:
    """The pregnancies of a person in their order, as far as the actor may see what they are known by.

    :param entered: the person's conditions, the earliest first.
    """
    said = reports.list_texts(session, actor, person_id=person_id, codes=(LAST_PERIOD, EXPECTED_DELIVERY))
    spans = []
    for code, text in said:
        day = _read_day(text)
        if day is not None:
            first_day = day if code == LAST_PERIOD else day - _LENGTH
            spans.append(Span(first_day, first_day + _LENGTH))
    return combine(join_spans(spans), list(entered))


def is_delivery(entry: CodedEntry) -> bool:
    """Whether an entry says that a child was born to this person."""
    return _says(entry, _DELIVERED)


def combine(dated: list[Span], entered: list[CodedEntry]) -> list[Span]:
    """The pregnancies of which dates are known, and those of which entries alone tell, each ended when it ended.

    :param dated: in their order, apart from each other.
    :param entered: the earliest first.
    """
    spans = list(dated)
    for entry in entered:
        is_pregnancy = _says(entry, _PREGNANT) or _SNOMED_PREGNANT in entry.codes
        if is_pregnancy and not any(span.includes(entry.on) for span in spans):
            spans.append(Span(entry.on, entry.on + _LENGTH))
    ends = [(entry.on, is_delivery(entry)) for entry in entered if is_delivery(entry) or _says(entry, _ENDED)]
    ends += [(entry.ended_on, False) for entry in entered if entry.ended_on and _says(entry, _PREGNANT)]
    ended: list[Span] = []
    for day, is_birth in sorted(ends):
        if any(_is_about(span, day) for span in ended):
            # Of several entries about one end, the earliest tells the day.
            continue
        under_way = next((span for span in spans if _is_about(span, day)), None)
        if under_way is not None:
            spans.remove(under_way)
            ended.append(Span(under_way.first_day, day + _DAY))
        elif is_birth:
            ended.append(Span(day - _LENGTH, day + _DAY))
    return sorted([*spans, *ended], key=lambda span: span.first_day)


def _is_about(span: Span, day: date) -> bool:
    """Whether an end on this day is that of this pregnancy."""
    return span.end_day is not None and Span(span.first_day, span.end_day + _OVERDUE).includes(day)


def _says(entry: CodedEntry, pattern: re.Pattern[str]) -> bool:
    return any(system == "icd-10" and pattern.match(code.upper()) for system, code in entry.codes)


def _read_day(text: str) -> date | None:
    found = _WRITTEN_DAY.fullmatch(text.strip())
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None
