"""The machine interface of requests: for the phone that answers, and for the doctor who asks."""

from typing import cast
from uuid import UUID

from flask import Flask, Response, current_app

from consent.requests import live, service
from consent.requests.schemas import (
    AccessRequestList,
    AccessRequestPath,
    AccessRequestQuery,
    AccessRequestShown,
    AddressedWish,
    AskedAccess,
    Denial,
    GrantedPart,
    LastEvent,
)
from core import clock, db, limits
from core.api import Api
from core.web import current_actor, present, requires

api = Api("access_requests", tag="Consent 授权", url_prefix="/api/v1")

TRIES_PER_MINUTE = 20
_FIND_VISITOR = "yimatong.requests.find_visitor"


def install(app: Flask, *, find_visitor: service.FindVisitor) -> None:
    """Say who finds whose visit it is: visits are kept above consent."""
    app.extensions[_FIND_VISITOR] = find_visitor


@api.get("/access-requests", responses={200: AccessRequestList})
@requires("consent:access_request:read")
def list_requests(query: AccessRequestQuery) -> Response:
    """What I was asked to show, or whom I decide for, newest first; `state=requested` is what waits for an answer"""
    with db.snapshot() as session:
        found = service.list_requests(
            session, current_actor(), wanted=query.as_filter(), before=query.before, limit=query.limit
        )
    return present(AccessRequestList.of(found))


@api.get("/access-requests/<uuid:request_id>", responses={200: AccessRequestShown})
@requires("consent:access_request:read")
def get_request(path: AccessRequestPath) -> Response:
    """One request: who asks, why, for what, until when"""
    with db.snapshot() as session:
        found = service.get_request(session, current_actor(), request_id=path.request_id)
    return present(AccessRequestShown.of(found))


@api.post("/access-requests/<uuid:request_id>/grant", responses={200: AccessRequestShown})
@requires("consent:access_request:answer")
def grant_request(path: AccessRequestPath, body: GrantedPart) -> Response:
    """Grant it, or a part of it; what is not named is granted as it was asked, but nothing sensitive"""
    with db.transaction() as session:
        service.grant_request(
            session,
            current_actor(),
            request_id=path.request_id,
            version=body.version,
            part=body.as_part(clock.now()),
        )
        found = service.get_request(session, current_actor(), request_id=path.request_id)
    return present(AccessRequestShown.of(found))


@api.post("/access-requests/<uuid:request_id>/deny", responses={200: AccessRequestShown})
@requires("consent:access_request:answer")
def deny_request(path: AccessRequestPath, body: Denial) -> Response:
    """Say no; with `blocks_hospital` this hospital may not ask again"""
    with db.transaction() as session:
        service.deny_request(session, current_actor(), request_id=path.request_id, **dict(body))
        found = service.get_request(session, current_actor(), request_id=path.request_id)
    return present(AccessRequestShown.of(found))


@api.post("/sent-access-requests", responses={201: AskedAccess})
@requires("consent:access_request:ask")
def ask_patient(body: AddressedWish) -> Response:
    """Ask a patient to show more: at an open visit of my hospital, or whom it knows by its number; his phone is told"""
    return present(AskedAccess(id=send_request(body)), 201)


@api.get("/sent-access-requests", responses={200: AccessRequestList})
@requires("consent:access_request:ask")
def list_sent_requests(query: AccessRequestQuery) -> Response:
    """What I have asked patients, newest first, and what they answered"""
    with db.transaction() as session:
        found = service.list_sent_requests(
            session, current_actor(), wanted=query.as_filter(), before=query.before, limit=query.limit
        )
    return present(AccessRequestList.of(found))


@api.get("/sent-access-requests/<uuid:request_id>", responses={200: AccessRequestShown})
@requires("consent:access_request:ask")
def get_sent_request(path: AccessRequestPath) -> Response:
    """One request of mine, or what a code that was shown at my hospital asks"""
    with db.snapshot() as session:
        found = service.get_sent_request(session, current_actor(), request_id=path.request_id)
    return present(AccessRequestShown.of(found))


@api.post("/sent-access-requests/<uuid:request_id>/withdraw", responses={200: AccessRequestShown})
@requires("consent:access_request:ask")
def withdraw_request(path: AccessRequestPath) -> Response:
    """Take back what I asked. Again: changes nothing"""
    with db.transaction() as session:
        service.withdraw_request(session, current_actor(), request_id=path.request_id)
        found = service.get_sent_request(session, current_actor(), request_id=path.request_id)
    return present(AccessRequestShown.of(found))


@api.get(
    "/sent-access-requests/<uuid:request_id>/events",
    responses={200: None, 204: None},
    openapi_extensions={"x-also-produces": [live.EVENT_STREAM]},
)
@requires("consent:access_request:ask")
def follow_request(path: AccessRequestPath, header: LastEvent) -> Response:
    """Server-sent events: how a request stands, as soon as it changes; 204 when nothing can come any more"""
    standing = service.look_at_state(current_actor(), request_id=path.request_id)
    return live.present_event(standing, last_event_id=header.last_event_id)


def find_visitor() -> service.FindVisitor:
    """What finds whose visit it is in the running application."""
    return cast("service.FindVisitor", current_app.extensions[_FIND_VISITOR])


def send_request(wish: AddressedWish) -> UUID:
    """The asking itself, shared with the doctor's page."""
    actor = current_actor()
    limits.count("access_requests", str(actor.id), per_minute=TRIES_PER_MINUTE)
    with db.transaction() as session:
        return service.ask_known_patient(
            session,
            actor,
            visit_id=wish.visit_id,
            patient_number=wish.patient_number,
            wish=wish.as_wish(),
            find_visitor=find_visitor(),
        )
