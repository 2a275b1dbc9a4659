"""The machine interface of consent, for the patient's phone."""

from flask import Response

from consent import service
from consent.schemas import GrantList, GrantPath, GrantShown
from core import db
from core.api import Api
from core.web import current_actor, present, requires

api = Api("consent", tag="Consent 授权", url_prefix="/api/v1")


@api.get("/grants", responses={200: GrantList})
@requires("consent:grant:read")
def list_grants() -> Response:
    """Who may see my records, and since when"""
    with db.snapshot() as session:
        grants = service.list_grants(session, current_actor())
    return present(GrantList(grants=[GrantShown.model_validate(grant) for grant in grants]))


@api.post("/grants/<uuid:grant_id>/revoke", responses={200: GrantShown})
@requires("consent:grant:revoke")
def revoke_grant(path: GrantPath) -> Response:
    """End a grant: the next request under it is refused"""
    with db.transaction() as session:
        grant = service.revoke_grant(session, current_actor(), grant_id=path.grant_id)
    return present(GrantShown.model_validate(grant))
