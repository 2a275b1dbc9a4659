"""The page of hospitals' image archives, for whoever runs the platform."""

from typing import Any, cast

from flask import Response, redirect, request, url_for

from core import db
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, current_config, requires
from records.pacs import service
from records.pacs.schemas import ImageArchiveForm

pages = Pages("image_archive_pages", __name__, url_prefix="/operator/image-archives")

TEMPLATE = "records/operator_archives.html"


@pages.get("")
@requires("accounts:overview:read")
def show_archives() -> Response:
    """Every archive, and the form for one more."""
    return show_page(TEMPLATE, **_list())


@pages.post("")
@requires("records:image_archive:manage")
def register_archive() -> Response:
    """Register an archive, or another address or secret."""
    try:
        body = read_form(ImageArchiveForm)
        with db.transaction() as session:
            service.register_archive(
                session,
                current_actor(),
                hospital_code=body.hospital_code,
                archive=body.to_archive(),
                profile=current_config().profile,
            )
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, form=request.form, **_list())
    return _back()


@pages.post("/<hospital_code>/close")
@requires("records:image_archive:manage")
def close_archive(hospital_code: str) -> Response:
    """Ask it no more."""
    try:
        with db.transaction() as session:
            service.close_archive(session, current_actor(), hospital_code=hospital_code)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, **_list())
    return _back()


def _back() -> Response:
    return cast(Response, redirect(url_for("image_archive_pages.show_archives"), 303))


def _list() -> dict[str, Any]:
    with db.snapshot() as session:
        return {"archives": service.list_archives(session)}
