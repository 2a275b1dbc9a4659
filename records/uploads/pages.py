"""Pages for a clinic without a system: a list is uploaded, checked, and confirmed."""

from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for

from core import db
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires
from records.uploads import service
from records.uploads.columns import COLUMNS
from records.uploads.refusals import UploadUnreadable
from records.uploads.routes import take_file
from records.uploads.schemas import CommitForm, UploadShown
from records.uploads.sheets import LARGEST_BYTES

pages = Pages("upload_pages", __name__)


@pages.get("/uploads")
@requires("records:upload:manage")
def show_uploads() -> Response:
    """The hospital's uploads, and the form for a new one."""
    return show_page("records/uploads.html", **_list_uploads())


@pages.post("/uploads")
@requires("records:upload:manage", largest_bytes=LARGEST_BYTES)
def send_list() -> Response:
    """A new list; what was found is shown under an address of its own."""
    try:
        sent = request.files.get("list")
        if sent is None or not sent.filename:
            raise UploadUnreadable
        shown = take_file(sent.stream)
    except Refusal as refusal:
        return show_refused("records/uploads.html", refusal, **_list_uploads())
    return _lead_to(shown.id)


@pages.get("/uploads/<uuid:upload_id>")
@requires("records:upload:manage")
def show_upload(upload_id: UUID) -> Response:
    """One upload: its errors, its confirmation, its result."""
    return show_page("records/upload.html", upload=_read(upload_id))


@pages.post("/uploads/<uuid:upload_id>/commit")
@requires("records:upload:manage")
def commit_upload(upload_id: UUID) -> Response:
    """The button: file what was checked."""
    try:
        form = read_form(CommitForm)
        with db.transaction() as session:
            service.commit_upload(
                session, current_actor(), upload_id=upload_id, leaves_out_errors=form.leaves_out_errors
            )
    except Refusal as refusal:
        return show_refused("records/upload.html", refusal, upload=_read(upload_id))
    return _lead_to(upload_id)


def _read(upload_id: UUID) -> UploadShown:
    with db.snapshot() as session:
        upload = service.get_upload(session, current_actor(), upload_id=upload_id)
        counted = service.count_reports(session, [upload.id])
    return UploadShown.of(upload, counted[upload.id])


def _list_uploads() -> dict[str, Any]:
    before = request.args.get("before", type=UUID)
    with db.snapshot() as session:
        uploads = service.list_uploads(session, current_actor(), before=before)
        counted = service.count_reports(session, [upload.id for upload in uploads])
    return {
        "uploads": [UploadShown.of(upload, counted[upload.id], with_errors=False) for upload in uploads],
        "next_before": uploads[-1].id if len(uploads) == service.PAGE else None,
        "columns": COLUMNS,
    }


def _lead_to(upload_id: UUID) -> Response:
    return cast(Response, redirect(url_for("upload_pages.show_upload", upload_id=upload_id), 303))
