"""The machine interface of wishes for a correction: for the patient's phone, and for the staff that answers."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, current_config, present, requires
from records.rectifications import service
from records.rectifications.schemas import (
    RectificationAnswer,
    RectificationAsked,
    RectificationList,
    RectificationPath,
    RectificationQuery,
    RectificationShown,
)

api = Api("rectifications", tag="Rights 个人信息权利", url_prefix="/api/v1")


@api.get("/rights/rectifications", responses={200: RectificationList})
@requires("records:rectification:ask")
def list_own(query: RectificationQuery) -> Response:
    """What I have said is wrong in my records, and what the hospitals answered"""
    with db.snapshot() as session:
        found = service.list_own(session, current_actor(), before=query.before)
    return present(RectificationList(rectifications=[RectificationShown.model_validate(each) for each in found]))


@api.post("/rights/rectifications", responses={201: RectificationShown})
@requires("records:rectification:ask")
def ask_for_rectification(body: RectificationAsked) -> Response:
    """Say what is wrong in a report, study or entry, and what is right; the house that made it answers in time"""
    days = current_config().rectification_days
    with db.transaction() as session:
        asked = service.ask_for_rectification(session, current_actor(), days=days, **dict(body))
    return present(RectificationShown.model_validate(asked), 201)


@api.post("/rights/rectifications/<uuid:request_id>/withdrawal", responses={200: RectificationShown})
@requires("records:rectification:ask")
def withdraw_rectification(path: RectificationPath) -> Response:
    """Take it back before it was answered"""
    with db.transaction() as session:
        withdrawn = service.withdraw_rectification(session, current_actor(), request_id=path.request_id)
    return present(RectificationShown.model_validate(withdrawn))


@api.get("/rectification-requests", responses={200: RectificationList})
@requires("records:rectification:answer")
def list_of_house(query: RectificationQuery) -> Response:
    """What people say is wrong in what my hospital made"""
    with db.transaction() as session:
        found = service.list_of_house(session, current_actor(), **dict(query))
    return present(RectificationList(rectifications=[RectificationShown.model_validate(each) for each in found]))


@api.post("/rectification-requests/<uuid:request_id>/answer", responses={200: RectificationShown})
@requires("records:rectification:answer")
def answer_rectification(path: RectificationPath, body: RectificationAnswer) -> Response:
    """Accept, once the corrected version is filed, or decline and say why"""
    with db.transaction() as session:
        answered = service.answer_rectification(session, current_actor(), request_id=path.request_id, **dict(body))
    return present(RectificationShown.model_validate(answered))
