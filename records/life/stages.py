"""The stages of a life: from the newborn to old age, and pregnancy beside them.

Whoever has a birth date is in exactly one stage of age at any moment. The ages are those in use in China: the newborn
28 days (WS 364), infants to 1 and toddlers to 3 years as in child health care, youth to 44, middle age to 59.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from core import clock

NEWBORN_DAYS = 28


class Stage(StrEnum):
    NEWBORN = "newborn"
    INFANT = "infant"
    TODDLER = "toddler"
    PRESCHOOL = "preschool"
    JUVENILE = "juvenile"
    YOUTH = "youth"
    PREGNANCY = "pregnancy"
    MIDDLE_AGE = "middle_age"
    OLD_AGE = "old_age"


# Each stage of age ends at the birthday at which the next one begins; the last has no end.
_ENDS_AT_YEARS = {
    Stage.INFANT: 1,
    Stage.TODDLER: 3,
    Stage.PRESCHOOL: 6,
    Stage.JUVENILE: 18,
    Stage.YOUTH: 45,
    Stage.MIDDLE_AGE: 60,
    Stage.OLD_AGE: None,
}


@dataclass(frozen=True)
class Span:
    """Days of the city: ``first_day`` included, ``end_day`` not; None: open."""

    first_day: date
    end_day: date | None

    def includes(self, day: date) -> bool:
        """Whether the day is one of them."""
        return self.first_day <= day and (self.end_day is None or day < self.end_day)

    def as_times(self) -> tuple[datetime, datetime | None]:
        """The moments at which the days begin in the city."""
        return _midnight(self.first_day), _midnight(self.end_day) if self.end_day else None


def list_spans(born: date) -> list[tuple[Stage, Span]]:
    """The stages of age of somebody born on this day, in their order, those to come included."""
    first_day = born + timedelta(days=NEWBORN_DAYS)
    spans = [(Stage.NEWBORN, Span(born, first_day))]
    for stage, years in _ENDS_AT_YEARS.items():
        end_day = anniversary(born, years) if years else None
        spans.append((stage, Span(first_day, end_day)))
        first_day = end_day or first_day
    return spans


def anniversary(born: date, years: int) -> date:
    """The birthday at this age; of somebody born on 29 February the 1 March of a common year."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


def join_spans(spans: list[Span]) -> list[Span]:
    """Closed spans in their order, those that touch or overlap made one."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: span.first_day):
        last = joined[-1] if joined else None
        if last and last.end_day and span.end_day and span.first_day <= last.end_day:
            joined[-1] = Span(last.first_day, max(last.end_day, span.end_day))
        else:
            joined.append(span)
    return joined


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, clock.CITY_ZONE)
