"""Hospitals: the list, and one hospital with its branches, departments, terminals and staff."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, request, url_for
from sqlalchemy.orm import Session

from accounts.administration import wording
from accounts.administration.pages.secrets import show_password
from accounts.administration.schemas import (
    BranchChange,
    DepartmentChange,
    HospitalChange,
    HospitalSearch,
    NewBranch,
    NewDepartment,
    NewHospital,
    NewStaff,
    NewTerminal,
    StaffChange,
    StaffNamingChosen,
    StaffPostingReceived,
)
from accounts.departments import DEPARTMENTS
from accounts.models import Role, StaffNaming
from accounts.service import branches, hospitals, personnel, postings, terminals
from core import db
from core.errors import Refusal
from core.pages import read_form, read_query, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("hospital_pages", __name__)

LIST, ONE = "accounts/operator_hospitals.html", "accounts/operator_hospital.html"


@pages.get("/operator/hospitals")
@requires("accounts:hospital:manage")
def show_hospitals() -> Response:
    """Hospitals by code, a page at a time, and the form for a new one."""
    return show_page(LIST, **_list())


@pages.post("/operator/hospitals")
@requires("accounts:hospital:manage")
def register_hospital() -> Response:
    """Admit a hospital, and go on to its page."""
    try:
        body = read_form(NewHospital)
        with db.transaction() as session:
            hospital_id = hospitals.register_hospital(session, current_actor(), **dict(body))
    except Refusal as refusal:
        return show_refused(LIST, refusal, form=request.form, **_list())
    return _lead_to(hospital_id)


@pages.get("/operator/hospitals/<uuid:hospital_id>")
@requires("accounts:hospital:manage")
def show_hospital(hospital_id: UUID) -> Response:
    """One hospital with all that belongs to it."""
    return show_page(ONE, **_one(hospital_id))


@pages.post("/operator/hospitals/<uuid:hospital_id>")
@requires("accounts:hospital:manage")
def change_hospital(hospital_id: UUID) -> Response:
    """Change its facts."""
    return _change(
        hospital_id,
        lambda session: hospitals.change_hospital(
            session, current_actor(), hospital_id, **dict(read_form(HospitalChange))
        ),
    )


@pages.post("/operator/hospitals/<uuid:hospital_id>/branches")
@requires("accounts:hospital:manage")
def add_branch(hospital_id: UUID) -> Response:
    """Add a branch."""
    return _change(
        hospital_id,
        lambda session: branches.add_branch(session, current_actor(), hospital_id, **dict(read_form(NewBranch))),
        "branches",
    )


@pages.post("/operator/hospitals/<uuid:hospital_id>/branches/<uuid:branch_id>")
@requires("accounts:hospital:manage")
def change_branch(hospital_id: UUID, branch_id: UUID) -> Response:
    """Change a branch."""
    return _change(
        hospital_id,
        lambda session: branches.change_branch(
            session, current_actor(), hospital_id, branch_id, **dict(read_form(BranchChange))
        ),
        "branches",
    )


@pages.post("/operator/hospitals/<uuid:hospital_id>/departments")
@requires("accounts:hospital:manage")
def add_department(hospital_id: UUID) -> Response:
    """Add a department."""
    return _change(
        hospital_id,
        lambda session: branches.add_department(
            session, current_actor(), hospital_id, **dict(read_form(NewDepartment))
        ),
        "departments",
    )


@pages.post("/operator/hospitals/<uuid:hospital_id>/departments/<uuid:department_id>")
@requires("accounts:hospital:manage")
def change_department(hospital_id: UUID, department_id: UUID) -> Response:
    """Change a department."""
    return _change(
        hospital_id,
        lambda session: branches.change_department(
            session, current_actor(), hospital_id, department_id, **dict(read_form(DepartmentChange))
        ),
        "departments",
    )


@pages.post("/operator/hospitals/<uuid:hospital_id>/terminals")
@requires("accounts:terminal:manage")
def enrol_terminal(hospital_id: UUID) -> Response:
    """Enrol a terminal."""
    return _change(
        hospital_id,
        lambda session: terminals.enrol_terminal(
            session, current_actor(), hospital_id=hospital_id, **dict(read_form(NewTerminal))
        ),
        "terminals",
    )


@pages.post("/operator/hospitals/<uuid:hospital_id>/staff")
@requires("accounts:staff:manage")
def open_staff_account(hospital_id: UUID) -> Response:
    """An account for a registrar or doctor; the password is shown this once."""
    try:
        body = read_form(NewStaff)
        with db.transaction() as session:
            opened = personnel.open_staff_account(
                session,
                current_actor(),
                hospital_id=hospital_id,
                username=body.username,
                name=body.name,
                role=Role(body.role),
                department=body.department,
            )
    except Refusal as refusal:
        return show_refused(ONE, refusal, **_one(hospital_id))
    return show_password(opened, _address(hospital_id, "staff"))


@pages.post("/operator/hospitals/<uuid:hospital_id>/staff/<uuid:staff_id>")
@requires("accounts:staff:manage")
def switch_staff(hospital_id: UUID, staff_id: UUID) -> Response:
    """Switch an account on or off."""
    return _change(
        hospital_id,
        lambda session: personnel.switch_staff(
            session, current_actor(), staff_id, of_platform=False, is_enabled=read_form(StaffChange).is_enabled
        ),
        "staff",
    )


@pages.post("/operator/hospitals/<uuid:hospital_id>/staff/<uuid:staff_id>/department")
@requires("accounts:staff:manage")
def post_staff(hospital_id: UUID, staff_id: UUID) -> Response:
    """Say where somebody works from now on."""
    return _change(
        hospital_id,
        lambda session: postings.post_staff(
            session, current_actor(), staff_id, department=read_form(StaffPostingReceived).department
        ),
        "staff",
    )


@pages.post("/operator/hospitals/<uuid:hospital_id>/staff-naming")
@requires("accounts:hospital:manage")
def choose_staff_naming(hospital_id: UUID) -> Response:
    """Say how patients are told who looked."""
    return _change(
        hospital_id,
        lambda session: hospitals.choose_staff_naming(
            session, current_actor(), hospital_id, naming=StaffNaming(read_form(StaffNamingChosen).staff_naming)
        ),
        "naming",
    )


@pages.post("/operator/hospitals/<uuid:hospital_id>/staff/<uuid:staff_id>/password")
@requires("accounts:staff:manage")
def reset_staff_password(hospital_id: UUID, staff_id: UUID) -> Response:
    """A new password for once, shown this once."""
    with db.transaction() as session:
        reset = personnel.reset_password(session, current_actor(), staff_id, of_platform=False)
    return show_password(reset, _address(hospital_id, "staff"))


def _change(hospital_id: UUID, act: Callable[[Session], object], anchor: str = "") -> Response:
    """Do one thing to a hospital and show it again: as it is now, or with why not."""
    try:
        with db.transaction() as session:
            act(session)
    except Refusal as refusal:
        return show_refused(ONE, refusal, **_one(hospital_id))
    return _lead_to(hospital_id, anchor)


def _lead_to(hospital_id: UUID, anchor: str = "") -> Response:
    return cast(Response, redirect(_address(hospital_id, anchor), 303))


def _address(hospital_id: UUID, anchor: str) -> str:
    return url_for("hospital_pages.show_hospital", hospital_id=hospital_id, _anchor=anchor or None)


def _list() -> dict[str, Any]:
    wanted = read_query(HospitalSearch)
    with db.snapshot() as session:
        found = hospitals.search_hospitals(session, text=wanted.text, after=wanted.after, limit=wanted.limit + 1)
    page, rest = found[: wanted.limit], found[wanted.limit :]
    return {"hospitals": page, "next_after": page[-1].code if rest else None, "wanted": wanted, "words": wording}


def _one(hospital_id: UUID) -> dict[str, Any]:
    with db.snapshot() as session:
        return {
            "hospital": hospitals.get_hospital_file(session, hospital_id),
            "branches": branches.list_branches(session, hospital_id),
            "departments": branches.list_department_files(session, hospital_id),
            "terminals": terminals.list_terminal_files(session, hospital_id),
            "staff": personnel.list_staff(session, hospital_id=hospital_id),
            "standard_departments": DEPARTMENTS,
            "house_departments": branches.list_house_departments(session, hospital_id),
            "words": wording,
        }
