"""Counts of cards as they are given out."""

from datetime import date

from pydantic import Field

from core.api import Shown
from health_card.counts.service import CardCounts
from health_card.models import ApplyChannel


class DayShown(Shown):
    day: date = Field(description="of the calendar in Asia/Shanghai")
    app: int
    kiosk: int
    window: int
    batch: int


class CardCountsShown(Shown):
    days: list[DayShown] = Field(description="cards issued, the last 30 days, oldest first")
    normal: int = Field(description="living cards by state")
    lost: int
    cancelled: int
    being_made: int
    not_issued: int

    @classmethod
    def of(cls, counts: CardCounts) -> "CardCountsShown":
        days = [
            DayShown(day=each.day, **{channel.name.lower(): each.by_channel[channel] for channel in ApplyChannel})
            for each in counts.days
        ]
        return cls(days=days, **{state.name.lower(): number for state, number in counts.by_state.items()})
