"""The machine interface of letting apps in, for the patient's phone."""

from flask import Response

from consent.apps import service
from consent.apps.schemas import (
    AppAccessList,
    AppAccessPath,
    AppAccessShown,
    AppAgreement,
    AppAgreementShown,
    AppRequestNumber,
    AppRequestPath,
    AppRequestShown,
)
from core import db, limits
from core.api import Api
from core.web import current_actor, present, requires

api = Api("consent_apps", tag="Consent 授权", url_prefix="/api/v1")

LOOK_UPS_PER_MINUTE = 10


@api.post("/app-requests", responses={200: AppRequestShown})
@requires("consent:app:answer")
def take_up_request(body: AppRequestNumber) -> Response:
    """What an app asks for, by the number that its page shows; from then on only this login can answer"""
    actor = current_actor()
    limits.count("app_request_look_up", str(actor.id), per_minute=LOOK_UPS_PER_MINUTE)
    with db.transaction() as session:
        asked = service.take_up_request(session, actor, number=body.number)
    return present(AppRequestShown.of(asked))


@api.post("/app-requests/<uuid:request_id>/agreement", responses={201: AppAgreementShown})
@requires("consent:app:answer")
def agree(path: AppRequestPath, body: AppAgreement) -> Response:
    """Let the app read one person's records, once the six digits are typed on the page where it began"""
    with db.transaction() as session:
        agreed = service.agree(
            session,
            current_actor(),
            path.request_id,
            person_id=body.person_id,
            scopes=body.scopes,
            sensitive=body.shows_sensitive,
        )
    return present(AppAgreementShown.model_validate(agreed), 201)


@api.post("/app-requests/<uuid:request_id>/refusal", responses={204: None})
@requires("consent:app:answer")
def decline(path: AppRequestPath) -> Response:
    """Let the app read nothing"""
    with db.transaction() as session:
        service.decline(session, current_actor(), path.request_id)
    return Response(status=204)


@api.get("/apps", responses={200: AppAccessList})
@requires("consent:app:read")
def list_accesses() -> Response:
    """Which apps may read my records, what of them, and until when"""
    with db.snapshot() as session:
        found = service.list_accesses(session, current_actor())
    return present(AppAccessList(apps=[AppAccessShown.of(access) for access in found]))


@api.post("/apps/<uuid:access_id>/revoke", responses={200: AppAccessShown})
@requires("consent:app:revoke")
def revoke_access(path: AppAccessPath) -> Response:
    """End what an app may read of a person: its next request is refused"""
    with db.transaction() as session:
        ended = service.revoke_access(session, current_actor(), access_id=path.access_id)
    return present(AppAccessShown.of(ended))
