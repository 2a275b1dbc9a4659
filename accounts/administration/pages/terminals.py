"""Terminals: what is said against them, and one terminal with its key."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

from flask import Response, redirect, url_for
from sqlalchemy.orm import Session

from accounts.administration import wording
from accounts.administration.pages.secrets import show_enrolment_code
from accounts.administration.schemas import TerminalChange
from accounts.service import branches, hospitals, terminal_keys, terminals
from core import db
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, requires

pages = Pages("terminal_pages", __name__)

LIST, ONE = "accounts/operator_terminals.html", "accounts/operator_terminal.html"


@pages.get("/operator/terminals")
@requires("accounts:terminal:manage")
def show_flags() -> Response:
    """What waits to be looked into."""
    return show_page(LIST, **_list())


@pages.post("/operator/terminals/flags/<uuid:flag_id>")
@requires("accounts:terminal:manage")
def clear_flag(flag_id: UUID) -> Response:
    """It was looked into."""
    try:
        with db.transaction() as session:
            terminals.clear_flag(session, current_actor(), flag_id)
    except Refusal as refusal:
        return show_refused(LIST, refusal, **_list())
    return cast(Response, redirect(url_for("terminal_pages.show_flags"), 303))


@pages.get("/operator/terminals/<uuid:terminal_id>")
@requires("accounts:terminal:manage")
def show_terminal(terminal_id: UUID) -> Response:
    """One terminal."""
    return show_page(ONE, **_one(terminal_id))


@pages.post("/operator/terminals/<uuid:terminal_id>")
@requires("accounts:terminal:manage")
def change_terminal(terminal_id: UUID) -> Response:
    """Move it to another branch, or switch it on or off."""
    return _change(
        terminal_id,
        lambda session: terminals.change_terminal(
            session, current_actor(), terminal_id, **dict(read_form(TerminalChange))
        ),
    )


@pages.post("/operator/terminals/<uuid:terminal_id>/enrolment-code")
@requires("accounts:terminal:manage")
def issue_enrolment_code(terminal_id: UUID) -> Response:
    """A code to bring its key with, shown this once."""
    with db.transaction() as session:
        issued = terminal_keys.issue_enrolment_code(session, current_actor(), terminal_id)
        terminal = terminals.get_terminal_file(session, terminal_id)
    return show_enrolment_code(issued, terminal.code, url_for("terminal_pages.show_terminal", terminal_id=terminal_id))


@pages.post("/operator/terminals/<uuid:terminal_id>/revoke-key")
@requires("accounts:terminal:manage")
def revoke_key(terminal_id: UUID) -> Response:
    """End its key."""
    return _change(
        terminal_id, lambda session: terminal_keys.revoke_terminal_key(session, current_actor(), terminal_id)
    )


def _change(terminal_id: UUID, act: Callable[[Session], object]) -> Response:
    try:
        with db.transaction() as session:
            act(session)
    except Refusal as refusal:
        return show_refused(ONE, refusal, **_one(terminal_id))
    return cast(Response, redirect(url_for("terminal_pages.show_terminal", terminal_id=terminal_id), 303))


def _list() -> dict[str, Any]:
    with db.snapshot() as session:
        return {"flags": terminals.list_open_flags(session), "words": wording}


def _one(terminal_id: UUID) -> dict[str, Any]:
    with db.snapshot() as session:
        terminal = terminals.get_terminal_file(session, terminal_id)
        return {
            "terminal": terminal,
            "hospital": hospitals.get_hospital_file(session, terminal.hospital_id),
            "branches": branches.list_branches(session, terminal.hospital_id),
            "words": wording,
        }
