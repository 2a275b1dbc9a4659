"""What a chart is asked for, in the address of its page."""

from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from pydantic import Field

from core import clock
from core.api import Received
from records.life.stages import Stage
from records.timeline.service import TimelineFilter

_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)


class ChartQuery(Received):
    """``open``: a report, study or entry. ``trend``: an item over time instead. The rest narrows the timeline."""

    open: UUID | None = None
    trend: str | None = Field(None, max_length=64)
    trend_before: str | None = Field(None, max_length=64)
    before: UUID | None = None
    kind: str | None = Field(None, max_length=48, pattern=r"^(report|study|entry)(:[a-z_-]+)?$")
    hospital_id: UUID | None = None
    since: date | None = Field(None, ge=_FIRST_DAY, le=_LAST_DAY)
    until: date | None = Field(None, ge=_FIRST_DAY, le=_LAST_DAY)
    stage: Stage | None = None

    def as_filter(self) -> TimelineFilter:
        """Without the stage; days are those of the city, both included."""
        kind, _, category = (self.kind or "").partition(":")
        return TimelineFilter(
            kind=kind or None,
            category=category or None,
            hospital_id=self.hospital_id,
            occurred_from=_midnight(self.since) if self.since else None,
            occurred_until=_midnight(self.until + timedelta(days=1)) if self.until else None,
        )

    def narrowing(self) -> dict[str, Any]:
        """What stays in the addresses of the page's links."""
        kept = self.model_dump(mode="json", exclude_none=True)
        return {name: kept[name] for name in ("kind", "hospital_id", "since", "until", "stage") if name in kept}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, clock.CITY_ZONE)
