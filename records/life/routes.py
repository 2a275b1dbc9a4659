"""The machine interface of a life."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.life import service
from records.life.schemas import LifeQuery, LifeShown

api = Api("life", tag="Records 健康档案", url_prefix="/api/v1")


@api.get("/life", responses={200: LifeShown})
@requires("records:timeline:read")
def read_life(query: LifeQuery) -> Response:
    """The stages of a life so far, how much there is of each and how much unread; births, vaccinations, deliveries"""
    with db.transaction() as session:
        life = service.get_life(session, current_actor(), person_id=query.person_id)
    return present(LifeShown.of(life))
