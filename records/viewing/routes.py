"""The machine interface of views: where a phone opens a study, and the pictures that its page asks for."""

from collections.abc import Iterator
from typing import Literal
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, request, url_for

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.dicomweb import media, pictures
from records.dicomweb.standing import ask_again
from records.dicomweb.wado import CACHE_CONTROL
from records.images.service import InstanceFile
from records.viewing import copies, first_looks, service
from records.viewing.schemas import CopyQuery, PicturePath, StudyViewShown, ViewPath

_ZIP = "application/zip"
_AS_ZIP = {"x-also-produces": [_ZIP]}

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
    return send_picture(path)


def send_picture(path: PicturePath) -> Response:
    """The picture itself, shared with other addresses."""
    look = pictures.read_look(request.args)
    with db.transaction() as session:
        file = service.open_instance(
            session,
            current_actor(),
            study_id=path.study_id,
            series_uid=path.series,
            sop_uid=path.instance,
            frame=path.frame,
        )
        ready = first_looks.find_look(session, file, frame=path.frame, look=look)
    return pictures.answer_picture(file, path.frame, request) if ready is None else _send_ready(file, path.frame, ready)


def _send_ready(file: InstanceFile, frame: int, picture: bytes) -> Response:
    reply = Response(picture, mimetype=media.JPEG, headers={"Cache-Control": CACHE_CONTROL})
    reply.set_etag(f"{file.sha256.hex()}-{frame}-first")
    reply.make_conditional(request)
    return reply


@api.get("/view/<uuid:study_id>/dicom.zip", openapi_extensions=_AS_ZIP)
@requires("records:study:copy")
def copy_originals(path: ViewPath, query: CopyQuery) -> Response:
    """The study as DICOM files, to take away"""
    return send_copy(path.study_id, "dicom", query.use)


@api.get("/view/<uuid:study_id>/jpeg.zip", openapi_extensions=_AS_ZIP)
@requires("records:study:copy")
def copy_pictures(path: ViewPath, query: CopyQuery) -> Response:
    """The study as JPEG pictures, to take away"""
    return send_copy(path.study_id, "jpeg", query.use)


def send_copy(study_id: UUID, form: Literal["dicom", "jpeg"], use: str) -> Response:
    """The copy itself, shared with other addresses."""
    with db.transaction() as session:
        files = service.open_copy(session, current_actor(), study_id=study_id, form=form, use=use)
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="study-{form}.zip"'}
    return Response(_write_copy(files, form, is_shared=use == "shared"), 200, headers, mimetype=_ZIP)


def _write_copy(files: list[InstanceFile], form: str, *, is_shared: bool) -> Iterator[bytes]:
    if form == "jpeg":
        return copies.write_pictures(files, ask_again(), shared=is_shared)
    write = copies.write_shared_originals if is_shared else copies.write_originals
    return write(files, ask_again())
