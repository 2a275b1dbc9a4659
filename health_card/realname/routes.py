"""The machine interface of face and bank checks, for the patient's phone."""

from flask import Response

from core import db, limits
from core.api import Api
from core.web import current_actor, current_config, present, requires
from health_card.desk.schemas import AssuranceShown
from health_card.realname import service
from health_card.realname.schemas import OwnVerification
from health_card.realname.verification import ask_verification

api = Api("realname", tag="Health card 健康卡", url_prefix="/api/v1")

TRIES_PER_MINUTE = 5


@api.post("/persons/self/verifications", responses={200: AssuranceShown})
@requires("health_card:own_identity:verify")
def verify_own_identity(body: OwnVerification) -> Response:
    """Raise how well my identity is known, by a face or bank check that I passed at the real-name source

    The levels, weakest first: asserted, document, bank, face. A higher one stays."""
    actor = current_actor()
    limits.count("own_verifications", str(actor.id), per_minute=TRIES_PER_MINUTE)
    with db.snapshot() as session:
        asked = service.get_own_identity(session, actor)
    verified = ask_verification(current_config().realname, way=body.way, token=body.token, identity=asked)
    with db.transaction() as session:
        level = service.record_verification(session, actor, asked=asked, verified=verified)
    return present(AssuranceShown(assurance=level.value))
