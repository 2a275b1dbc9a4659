"""The machine interface of exports, for the patient's phone."""

from collections.abc import Iterator
from typing import BinaryIO

from flask import Response

from core import db, storage
from core.api import Api
from core.web import current_actor, present, requires
from records.exports import service
from records.exports.schemas import ExportAsked, ExportList, ExportPath, ExportShown

api = Api("exports", tag="Records 健康档案", url_prefix="/api/v1")

_ZIP = "application/zip"


@api.post("/exports", responses={202: ExportShown})
@requires("records:export:order")
def ask_export(body: ExportAsked) -> Response:
    """Have everything about a person exported: FHIR R4 and pages to read, as a ZIP; made in the background"""
    with db.transaction() as session:
        export = service.ask_export(session, current_actor(), person_id=body.person_id)
        shown = ExportShown.model_validate(export)
    return present(shown, 202)


@api.get("/exports", responses={200: ExportList})
@requires("records:export:read")
def list_exports() -> Response:
    """What I asked for, how far each has come, and until when it can be downloaded"""
    with db.snapshot() as session:
        exports = [ExportShown.model_validate(each) for each in service.list_exports(session, current_actor())]
    return present(ExportList(exports=exports))


@api.post("/exports/<uuid:export_id>/cancel", responses={200: ExportShown})
@requires("records:export:order")
def cancel_export(path: ExportPath) -> Response:
    """Stop an export that is being made"""
    with db.transaction() as session:
        export = service.cancel_export(session, current_actor(), export_id=path.export_id)
        shown = ExportShown.model_validate(export)
    return present(shown)


@api.get("/exports/<uuid:export_id>/archive.zip", openapi_extensions={"x-also-produces": [_ZIP]})
@requires("records:export:read")
def download_export(path: ExportPath) -> Response:
    """The file, for seven days; index.html in it is where to begin reading"""
    with db.transaction() as session:
        file = service.open_export(session, current_actor(), export_id=path.export_id)
    stream = storage.open_file(file.storage_key, file.data_key)
    headers = {"Cache-Control": "no-store", "Content-Disposition": 'attachment; filename="health-record.zip"'}
    return Response(_chunks(stream), 200, headers, mimetype=_ZIP)


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while chunk := stream.read(storage.CHUNK_BYTES):
            yield chunk
