"""The machine interface of uploads, for the staff of a clinic without a system of its own."""

from typing import IO

from flask import Response

from core import db, storage
from core.api import Api
from core.web import current_actor, present, requires
from records.uploads import service, template
from records.uploads.schemas import CommitForm, FileBody, UploadList, UploadPath, UploadQuery, UploadShown
from records.uploads.sheets import LARGEST_BYTES

api = Api("uploads", tag="Records 健康档案", url_prefix="/api/v1/uploads")

_CSV = "text/csv"
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def take_file(stream: IO[bytes]) -> UploadShown:
    """Seal a list, check all of it, and keep what was found."""
    body = stream.read()
    groups = service.read_groups(body)
    with storage.Staging() as staging:
        listed = staging.new_file()
        listed.write(body)
        listed.finish()
        with db.transaction() as session:
            upload = service.check_list(session, current_actor(), listed=listed, groups=groups)
            counted = service.count_reports(session, [upload.id])
    return UploadShown.of(upload, counted[upload.id])


@api.get("/template.csv", openapi_extensions={"x-also-produces": [_CSV]})
@requires("records:upload:manage")
def read_csv_template() -> Response:
    """The list to fill in, as CSV"""
    return _offer(template.write_csv(), _CSV, "template.csv")


@api.get("/template.xlsx", openapi_extensions={"x-also-produces": [_WORKBOOK]})
@requires("records:upload:manage")
def read_workbook_template() -> Response:
    """The list to fill in, as .xlsx, with an explanation of the columns"""
    return _offer(template.write_workbook(), _WORKBOOK, "template.xlsx")


@api.post("", responses={200: UploadShown})
@requires("records:upload:manage", largest_bytes=LARGEST_BYTES)
def check_list(raw: FileBody) -> Response:
    """Check a list of results (CSV or .xlsx, at most 5,000 rows and 5 MB); nothing is filed yet"""
    return present(take_file(raw.stream))


@api.get("", responses={200: UploadList})
@requires("records:upload:manage")
def list_uploads(query: UploadQuery) -> Response:
    """The hospital's uploads, newest first, 50 a page"""
    with db.snapshot() as session:
        uploads = service.list_uploads(session, current_actor(), before=query.before)
        counted = service.count_reports(session, [upload.id for upload in uploads])
    shown = [UploadShown.of(upload, counted[upload.id], with_errors=False) for upload in uploads]
    return present(UploadList(uploads=shown))


@api.get("/<uuid:upload_id>", responses={200: UploadShown})
@requires("records:upload:manage")
def get_upload(path: UploadPath) -> Response:
    """One upload: what is wrong with which row, and how many reports are filed"""
    with db.snapshot() as session:
        upload = service.get_upload(session, current_actor(), upload_id=path.upload_id)
        counted = service.count_reports(session, [upload.id])
    return present(UploadShown.of(upload, counted[upload.id]))


@api.post("/<uuid:upload_id>/commit", responses={202: UploadShown})
@requires("records:upload:manage")
def commit_upload(path: UploadPath, body: CommitForm) -> Response:
    """File the reports of a checked list, in the background"""
    with db.transaction() as session:
        upload = service.commit_upload(
            session, current_actor(), upload_id=path.upload_id, leaves_out_errors=body.leaves_out_errors
        )
        counted = service.count_reports(session, [upload.id])
    return present(UploadShown.of(upload, counted[upload.id]), 202)


@api.get("/<uuid:upload_id>/result.csv", openapi_extensions={"x-also-produces": [_CSV]})
@requires("records:upload:manage")
def export_result(path: UploadPath) -> Response:
    """What became of every report, as CSV"""
    with db.transaction() as session:
        result = service.export_result(session, current_actor(), upload_id=path.upload_id)
    return _offer(result, _CSV, f"upload-{path.upload_id}.csv")


def _offer(content: bytes, media_type: str, name: str) -> Response:
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, 200, headers, mimetype=media_type)
