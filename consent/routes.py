"""The machine interface of consent, for the patient's phone."""

from flask import Response

from consent import service
from consent.models import Purpose
from consent.schemas import (
    GrantGiven,
    GrantList,
    GrantNarrowed,
    GrantPath,
    GrantQuery,
    GrantShown,
)
from core import db
from core.api import Api
from core.web import current_actor, present, requires

api = Api("consent", tag="Consent 授权", url_prefix="/api/v1")

GRANTS_A_PAGE = 50


@api.get("/grants", responses={200: GrantList})
@requires("consent:grant:read")
def list_grants(query: GrantQuery) -> Response:
    """Who may see my records, what of them, and since when; newest first, 50 at a time"""
    with db.snapshot() as session:
        grants = service.list_grants(
            session, current_actor(), wanted=query.as_filter(), before=query.before, limit=GRANTS_A_PAGE
        )
    return present(GrantList(grants=[GrantShown.of(grant) for grant in grants]))


@api.post("/grants", responses={201: GrantShown})
@requires("consent:grant:open")
def give_grant(body: GrantGiven) -> Response:
    """Let a hospital, a department of it or one of its staff see records"""
    with db.transaction() as session:
        grant = service.give_grant(
            session,
            current_actor(),
            person_id=body.person_id,
            recipient=body.recipient.as_recipient(),
            scope=body.scope.as_scope(),
            purpose=Purpose(body.purpose),
            expires_at=body.expires_at,
            notice_hash=body.notice_hash,
        )
    return present(GrantShown.of(grant), 201)


@api.post("/grants/<uuid:grant_id>/narrow", responses={200: GrantShown})
@requires("consent:grant:narrow")
def narrow_grant(path: GrantPath, body: GrantNarrowed) -> Response:
    """Let a grant in force show less: what is left out stays as it is, nothing becomes wider"""
    with db.transaction() as session:
        grant = service.narrow_grant(
            session, current_actor(), grant_id=path.grant_id, version=body.version, to=body.as_narrowing()
        )
    return present(GrantShown.of(grant))


@api.post("/grants/<uuid:grant_id>/revoke", responses={200: GrantShown})
@requires("consent:grant:revoke")
def revoke_grant(path: GrantPath) -> Response:
    """End a grant: the next request under it is refused"""
    with db.transaction() as session:
        grant = service.revoke_grant(session, current_actor(), grant_id=path.grant_id)
    return present(GrantShown.of(grant))
