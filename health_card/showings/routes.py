"""A phone lets a hospital read a card."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from health_card.schemas import CardPath
from health_card.showings import service
from health_card.showings.schemas import Authorisation, AuthorisationShown

api = Api("showings", tag="Health card 健康卡", url_prefix="/api/v1")


@api.post("/cards/<uuid:card_id>/health-codes", responses={201: AuthorisationShown})
@requires("health_card:code:show")
def authorise(path: CardPath, body: Authorisation) -> Response:
    """Let one hospital's system read the card once, within 5 minutes"""
    with db.transaction() as session:
        text, expires_at = service.authorise_hospital(
            session, current_actor(), card_id=path.card_id, hospital_code=body.hospital_code
        )
    return present(AuthorisationShown(health_code=text, expires_at=expires_at), 201)
