"""Pregnancies as the results say them: a last menstrual period or an expected day of delivery.

Both are dates written as a text result under LOINC 8665-2 and 11778-8. A pregnancy lasts 280 days from the first of
them to the second (Naegele's rule); several results about one of them lie close together and are one.
"""

import re
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from core.actor import Actor
from records.life.stages import Span, join_spans
from records.reports import service as reports

LAST_PERIOD, EXPECTED_DELIVERY = "8665-2", "11778-8"
_LENGTH = timedelta(days=280)
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")


def list_pregnancies(session: Session, actor: Actor, *, person_id: UUID) -> list[Span]:
    """The pregnancies of a person in their order, as far as the actor may see what they are known by."""
    said = reports.list_texts(session, actor, person_id=person_id, codes=(LAST_PERIOD, EXPECTED_DELIVERY))
    spans = []
    for code, text in said:
        day = _read_day(text)
        if day is not None:
            first_day = day if code == LAST_PERIOD else day - _LENGTH
            spans.append(Span(first_day, first_day + _LENGTH))
    return join_spans(spans)


def _read_day(text: str) -> date | None:
    found = _DAY.fullmatch(text.strip())
    try:
        return date(*map(int, found.groups())) if found else None
    except ValueError:
        return None
