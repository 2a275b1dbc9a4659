"""The registry of apps, for the security administrator."""

from flask import Response

from accounts.apps import service
from accounts.apps.schemas import AppChange, AppCreated, AppKeySet, AppPath, Apps, AppShown, NewApp
from core import db
from core.api import Api
from core.web import current_actor, present, requires

api = Api("apps", tag="Administration 平台管理", url_prefix="/api/v1/operator")


@api.get("/apps", responses={200: Apps})
@requires("accounts:app:manage")
def list_apps() -> Response:
    """Apps that patients can let in"""
    with db.snapshot() as session:
        found = service.list_apps(session)
    return present(Apps(apps=[AppShown.model_validate(each) for each in found]))


@api.post("/apps", responses={201: AppCreated})
@requires("accounts:app:manage")
def register_app(body: NewApp) -> Response:
    """Register an app, public or with its keys"""
    with db.transaction() as session:
        added = service.register_app(
            session, current_actor(), client_id=body.client_id, details=body.as_details(), jwks=body.jwks
        )
    return present(AppCreated(id=added), 201)


@api.put("/apps/<uuid:app_id>", responses={204: None})
@requires("accounts:app:manage")
def change_app(path: AppPath, body: AppChange) -> Response:
    """Put an app's facts in place of the earlier ones; switched off, it and its tokens are out at once"""
    with db.transaction() as session:
        service.change_app(session, current_actor(), path.app_id, details=body.as_details(), is_enabled=body.is_enabled)
    return Response(status=204)


@api.put("/apps/<uuid:app_id>/jwks", responses={204: None})
@requires("accounts:app:manage")
def replace_app_keys(path: AppPath, body: AppKeySet) -> Response:
    """Put a key set in place of the earlier one; a public app is confidential from then on"""
    with db.transaction() as session:
        service.replace_app_keys(session, current_actor(), path.app_id, jwks=body.jwks)
    return Response(status=204)
