"""Accounts of the platform itself: the security administrator looks after them."""

from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for

from accounts.administration import wording
from accounts.administration.pages.secrets import show_password
from accounts.administration.schemas import NewAdministrator, StaffChange
from accounts.models import Role
from accounts.service import personnel
from core import db
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("administrator_pages", __name__)

TEMPLATE = "accounts/operator_administrators.html"


@pages.get("/operator/administrators")
@requires("accounts:administrator:manage")
def show_administrators() -> Response:
    """Who runs the platform."""
    return show_page(TEMPLATE, **_list())


@pages.post("/operator/administrators")
@requires("accounts:administrator:manage")
def appoint_administrator() -> Response:
    """An account of one of the three roles; the password is shown this once."""
    try:
        body = read_form(NewAdministrator)
        with db.transaction() as session:
            opened = personnel.appoint_administrator(
                session,
                current_actor(),
                username=body.username,
                name=body.name,
                role=Role(body.role),
                employee_number=body.employee_number,
            )
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, form=request.form, **_list())
    return show_password(opened, url_for("administrator_pages.show_administrators"))


@pages.post("/operator/administrators/<uuid:staff_id>")
@requires("accounts:administrator:manage")
def switch_administrator(staff_id: UUID) -> Response:
    """Switch an account on or off."""
    try:
        is_enabled = read_form(StaffChange).is_enabled
        with db.transaction() as session:
            personnel.switch_staff(session, current_actor(), staff_id, of_platform=True, is_enabled=is_enabled)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, **_list())
    return cast(Response, redirect(url_for("administrator_pages.show_administrators"), 303))


@pages.post("/operator/administrators/<uuid:staff_id>/password")
@requires("accounts:administrator:manage")
def reset_administrator_password(staff_id: UUID) -> Response:
    """A new password for once, shown this once."""
    try:
        with db.transaction() as session:
            reset = personnel.reset_password(session, current_actor(), staff_id, of_platform=True)
    except Refusal as refusal:
        return show_refused(TEMPLATE, refusal, **_list())
    return show_password(reset, url_for("administrator_pages.show_administrators"))


def _list() -> dict[str, Any]:
    with db.snapshot() as session:
        return {"staff": personnel.list_staff(session, hospital_id=None), "words": wording}
