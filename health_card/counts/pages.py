"""The page of counts: cards issued by day and channel, and by state."""

from dataclasses import dataclass

from flask import Response

from core import db
from core.pages import show_page
from core.web import Pages, requires
from health_card.counts import service
from health_card.counts.service import CardCounts
from health_card.models import ApplyChannel

pages = Pages("card_count_pages", __name__)

# The chart, in units of its own: a bar a day, the channels one upon the other.
HEIGHT, BAR, STEP = 180, 20, 28


@dataclass(frozen=True)
class Piece:
    """A rectangle of the chart."""

    channel: str
    x: int
    y: float
    height: float


@pages.get("/operator/cards")
@requires("health_card:card:count")
def show_counts() -> Response:
    """The last 30 days as a chart and a table, and all living cards by state."""
    with db.snapshot() as session:
        counts = service.count_cards(session)
    return show_page(
        "health_card/card_counts.html",
        days=counts.days,
        states={state.name.lower(): number for state, number in counts.by_state.items()},
        channels=list(ApplyChannel),
        sums={channel: sum(each.by_channel[channel] for each in counts.days) for channel in ApplyChannel},
        pieces=_stack(counts),
        highest=max(each.total for each in counts.days),
        chart={"height": HEIGHT, "bar": BAR, "step": STEP, "width": STEP * service.DAYS},
    )


def _stack(counts: CardCounts) -> list[Piece]:
    scale = HEIGHT / max(1, *(each.total for each in counts.days))
    pieces = []
    for number, day in enumerate(counts.days):
        below = 0.0
        for channel in ApplyChannel:
            height = day.by_channel[channel] * scale
            below += height
            if height:
                x = number * STEP + (STEP - BAR) // 2
                pieces.append(Piece(channel.name.lower(), x, round(HEIGHT - below, 2), round(height, 2)))
    return pieces
