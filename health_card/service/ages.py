"""Who decides at which age: under 14 a guardian, from 14 with the minor's own consent, from 18 the person alone."""

from datetime import UTC, date, datetime, time
from enum import StrEnum

from core import clock

CONSENT_AGE, ADULT_AGE = 14, 18


class LifeStage(StrEnum):
    """``child``: under 14; ``minor``: 14 to 17; ``adult``: also whoever's birth date is not known."""

    CHILD = "child"
    MINOR = "minor"
    ADULT = "adult"


def birthday(born: date, years: int) -> datetime:
    """When somebody turns this old: the first moment of that day in the city.

    Who was born on 29 February turns older on 1 March: no earlier than the last day of the year before is over.
    """
    try:
        day = born.replace(year=born.year + years)
    except ValueError:
        day = date(born.year + years, 3, 1)
    return datetime.combine(day, time.min, clock.CITY_ZONE).astimezone(UTC)


def last_birth_date(years: int) -> date:
    """Whoever was born on this day or before it is so old today, as ``birthday`` counts."""
    today = clock.in_city(clock.now()).date()
    try:
        return today.replace(year=today.year - years)
    except ValueError:
        return date(today.year - years, 2, 28)


def life_stage(born: date | None) -> LifeStage:
    """The stage at this moment."""
    now = clock.now()
    if born is None or birthday(born, ADULT_AGE) <= now:
        return LifeStage.ADULT
    return LifeStage.MINOR if birthday(born, CONSENT_AGE) <= now else LifeStage.CHILD


def guardian_until(born: date | None, *, has_consented: bool) -> datetime | None:
    """Until when a guardian may act; None when no age ends it.

    :param has_consented: the minor himself agreed, which counts from 14 on.
    """
    if born is None or life_stage(born) is LifeStage.ADULT:
        return None
    return birthday(born, ADULT_AGE if has_consented else CONSENT_AGE)
