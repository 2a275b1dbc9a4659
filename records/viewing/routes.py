"""The machine interface of views: where a phone opens a study, and the pictures that its page asks for."""

from urllib.parse import urlencode

from flask import Response, request, url_for

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.dicomweb import media, pictures
from records.viewing import service
from records.viewing.schemas import PicturePath, StudyViewShown, ViewPath

api = Api("viewing", tag="Records 健康档案")


@api.post("/api/v1/studies/<uuid:study_id>/views", responses={201: StudyViewShown})
@requires("records:study_view:ask")
def ask_view(path: ViewPath) -> Response:
    """Where my phone's browser can open this study: once, within a minute, and then for a quarter of an hour"""
    with db.transaction() as session:
        ticket = service.ask_view(session, current_actor(), study_id=path.study_id)
    address = url_for("viewing_pages.enter", study_id=path.study_id)
    # The ticket stands in an address: it works once, and for a minute.
    shown = StudyViewShown(address=f"{address}?{urlencode({'ticket': ticket.text})}", expires_at=ticket.expires_at)
    return present(shown, 201)


@api.get("/view/<uuid:study_id>/standing", responses={204: None})
@requires("records:image:read")
def check_standing(path: ViewPath) -> Response:
    """May what the browser holds of this study still be shown? Asked while somebody looks"""
    with db.snapshot() as session:
        service.check_standing(session, current_actor(), study_id=path.study_id)
    return Response(status=204, headers={"Cache-Control": "no-store"})


@api.get(
    "/view/<uuid:study_id>/series/<string:series>/instances/<string:instance>/frames/<int:frame>/rendered",
    openapi_extensions={"x-also-produces": [media.JPEG]},
)
@requires("records:image:read")
def show_picture(path: PicturePath) -> Response:
    """One frame as JPEG, as `/dicomweb` gives it, for the page of this study alone"""
    with db.transaction() as session:
        file = service.open_instance(
            session,
            current_actor(),
            study_id=path.study_id,
            series_uid=path.series,
            sop_uid=path.instance,
            frame=path.frame,
        )
    return pictures.answer_picture(file, path.frame, request)
