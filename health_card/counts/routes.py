"""The machine interface of counts."""

from flask import Response

from core import db
from core.api import Api
from core.web import present, requires
from health_card.counts import service
from health_card.counts.schemas import CardCountsShown

api = Api("card_counts", tag="Batch issue 批量发卡", url_prefix="/api/v1/operator")


@api.get("/card-counts", responses={200: CardCountsShown})
@requires("health_card:card:count")
def count_cards() -> Response:
    """Cards issued by day and channel in the last 30 days, and all living cards by state"""
    with db.snapshot() as session:
        counts = service.count_cards(session)
    return present(CardCountsShown.of(counts))
