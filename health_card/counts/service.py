"""How many cards there are: issued a day and channel, and by state."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from sqlalchemy import Date, cast, func, select
from sqlalchemy.orm import Session

from core import clock
from core.clock import CITY_ZONE
from health_card.models import ApplyChannel, Card, CardState

DAYS = 30


@dataclass(frozen=True)
class DayCount:
    """Cards issued on one day of the city's calendar, by channel."""

    day: date
    by_channel: dict[ApplyChannel, int]

    @property
    def total(self) -> int:
        return sum(self.by_channel.values())


@dataclass(frozen=True)
class CardCounts:
    """``days``: the last 30, oldest first, empty ones included; ``by_state``: living cards."""

    days: list[DayCount]
    by_state: dict[CardState, int]


def count_cards(session: Session) -> CardCounts:
    """Count over all hospitals and districts; no person can be told from it."""
    today = clock.in_city(clock.now()).date()
    first = today - timedelta(days=DAYS - 1)
    day = cast(func.timezone(CITY_ZONE.key, Card.issued_at), Date)
    issued = (
        select(day, Card.channel, func.count())
        .where(Card.issued_at >= datetime.combine(first, time.min, CITY_ZONE))
        .group_by(day, Card.channel)
    )
    found = {(row_day, channel): number for row_day, channel, number in session.execute(issued)}
    days = [
        DayCount(each, {channel: found.get((each, channel), 0) for channel in ApplyChannel})
        for each in (first + timedelta(days=number) for number in range(DAYS))
    ]
    living = select(Card.state, func.count()).where(Card.replaced_at.is_(None)).group_by(Card.state)
    states = dict(session.execute(living).tuples().all())
    return CardCounts(days, {state: states.get(state, 0) for state in CardState})
