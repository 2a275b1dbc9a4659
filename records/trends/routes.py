"""The machine interface of trends, for those who read them."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.trends import service
from records.trends.schemas import TrendPath, TrendQuery, TrendShown

api = Api("trends", tag="Records 健康档案", url_prefix="/api/v1")


@api.get("/persons/<uuid:person_id>/trends/<item>", responses={200: TrendShown})
@requires("records:trend:read")
def read_trend(path: TrendPath, query: TrendQuery) -> Response:
    """All results of one item across hospitals, in one unit: one's own, or of a patient who shares them"""
    with db.transaction() as session:
        trend = service.read_trend(
            session,
            current_actor(),
            person_id=path.person_id,
            item=path.item,
            before=query.last_line(),
            limit=query.limit,
        )
    return present(TrendShown.model_validate(trend))
