"""The switch of the older interface, for the operator."""

from typing import Any, cast

from flask import Response, redirect, url_for

from core import db
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires
from health_card.tencent import service
from health_card.tencent.schemas import AccessChange, NewAccess
from health_card.tencent.service import IssuedSecret

pages = Pages("tencent_pages", __name__)

TEMPLATE = "health_card/operator_tencent.html"


@pages.get("/operator/tencent")
@requires("health_card:tencent_app:manage")
def show_accesses() -> Response:
    """The hospitals that have access, and the form for one more."""
    return show_page(TEMPLATE, accesses=_list())


@pages.post("/operator/tencent")
@requires("health_card:tencent_app:manage")
def switch_on() -> Response:
    """Give a hospital access; its secret is on the answer and nowhere else."""
    try:
        body = read_form(NewAccess)
        with db.transaction() as session:
            issued = service.switch_on(session, current_actor(), hospital_code=body.hospital_code)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, accesses=_list())
    return _show_secret(issued)


@pages.post("/operator/tencent/<app_id>")
@requires("health_card:tencent_app:manage")
def change_access(app_id: str) -> Response:
    """Switch on or off, with or without dynamic codes."""
    try:
        body = read_form(AccessChange)
        with db.transaction() as session:
            service.change_access(session, current_actor(), app_id=app_id, **dict(body))
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, accesses=_list())
    return cast(Response, redirect(url_for("tencent_pages.show_accesses"), 303))


@pages.post("/operator/tencent/<app_id>/secret")
@requires("health_card:tencent_app:manage")
def rotate_secret(app_id: str) -> Response:
    """A new secret, shown this once."""
    try:
        with db.transaction() as session:
            issued = service.rotate_secret(session, current_actor(), app_id=app_id)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, accesses=_list())
    return _show_secret(issued)


def _show_secret(issued: IssuedSecret) -> Response:
    return show_page(TEMPLATE, status=201, issued=issued, accesses=_list())


def _list() -> list[Any]:
    with db.snapshot() as session:
        return service.list_accesses(session)
