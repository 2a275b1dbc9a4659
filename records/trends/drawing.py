"""A trend as a picture: where its dots, lines and words stand, in units of the picture."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from core import clock
from records.trends.service import Trend, TrendPoint

WIDTH, HEIGHT = 720, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 696, 20, 220
_MARKS = 4
# As much as a day needs below the picture, also on a phone.
_ROOM = 180
_ROUND = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


@dataclass(frozen=True)
class Dot:
    """A result in the picture."""

    x: float
    y: float
    point: TrendPoint


@dataclass(frozen=True)
class Words:
    """A number beside the picture, or a day below it; ``anchor``: at which end of the words ``at`` is."""

    at: float
    words: str
    anchor: str = "middle"


@dataclass(frozen=True)
class Band:
    """What is usual by the city's default for everybody: one range, or none is drawn."""

    top: float
    height: float
    words: str


@dataclass(frozen=True)
class Drawing:
    """``dots``: oldest first."""

    dots: list[Dot]
    marks: list[Words]
    days: list[Words]
    band: Band | None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = _RIGHT


def draw(trend: Trend) -> Drawing | None:
    """The picture of a trend; None when fewer than two results can be compared."""
    measured = [(point, point.value) for point in reversed(trend.points) if point.value is not None]
    if len(measured) < 2:
        return None
    usual = _one_range(trend)
    steps = _find_steps([value for _, value in measured], usual)
    lowest, highest = steps[0], steps[-1]
    begin, end = measured[0][0].performed_at, measured[-1][0].performed_at
    dots = [
        Dot(_across(point.performed_at, begin, end), _down(value, lowest, highest), point) for point, value in measured
    ]
    return Drawing(
        dots=dots,
        marks=[Words(_down(step, lowest, highest), f"{step.normalize():f}") for step in steps],
        days=_choose_days(dots),
        band=_band(usual, lowest, highest),
    )


def _one_range(trend: Trend) -> tuple[Decimal | None, Decimal | None] | None:
    """Where ranges differ by sex and age none is drawn: the table says which held for each result."""
    bounds = {(one.low, one.high) for one in trend.item.ranges}
    return bounds.pop() if len(bounds) == 1 else None


def _find_steps(values: list[Decimal], usual: tuple[Decimal | None, Decimal | None] | None) -> list[Decimal]:
    """Round numbers from below the lowest result, or bound of the range, to above the highest."""
    shown = values + [bound for bound in usual or () if bound is not None]
    lowest, highest = min(shown), max(shown)
    about = (highest - lowest) / _MARKS or abs(highest) / 10 or Decimal(1)
    power = Decimal(1).scaleb(about.adjusted())
    step = next(power * each for each in _ROUND if power * each >= about)
    first, last = (lowest / step).to_integral_value(ROUND_FLOOR), (highest / step).to_integral_value(ROUND_CEILING)
    return [step * number for number in range(int(first), int(max(last, first + 1)) + 1)]


def _band(usual: tuple[Decimal | None, Decimal | None] | None, lowest: Decimal, highest: Decimal) -> Band | None:
    if usual is None:
        return None
    low, high = usual
    top = _down(high if high is not None else highest, lowest, highest)
    bottom = _down(low if low is not None else lowest, lowest, highest)
    words = f"{low}–{high}" if low is not None and high is not None else f"≤ {high}" if low is None else f"≥ {low}"
    return Band(top, round(bottom - top, 1), words)


def _choose_days(dots: list[Dot]) -> list[Words]:
    """The first and the last day, and of those between as many as have room."""
    chosen = [dots[0]]
    for dot in dots[1:-1]:
        if dot.x - chosen[-1].x >= _ROOM and dots[-1].x - dot.x >= _ROOM:
            chosen.append(dot)
    if dots[-1].x - chosen[-1].x >= _ROOM:
        chosen.append(dots[-1])
    return [Words(dot.x, _day(dot.point.performed_at), _anchor(dot.x)) for dot in chosen]


def _anchor(x: float) -> str:
    if x < _LEFT + 40:
        return "start"
    return "end" if x > _RIGHT - 40 else "middle"


def _day(moment: datetime) -> str:
    return clock.in_city(moment).strftime("%Y-%m-%d")


def _across(moment: datetime, begin: datetime, end: datetime) -> float:
    part = (moment - begin) / (end - begin) if end > begin else 0.5
    return round(_LEFT + 16 + part * (_RIGHT - _LEFT - 32), 1)


def _down(value: Decimal, lowest: Decimal, highest: Decimal) -> float:
    return round(_BOTTOM - float((value - lowest) / (highest - lowest)) * (_BOTTOM - _TOP), 1)
