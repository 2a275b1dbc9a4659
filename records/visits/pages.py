"""The desk: a field that a scanner types into, and who was just identified."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from flask import Response, redirect, request, url_for

from accounts import service as accounts
from core import db
from core.errors import Refusal
from core.pages import read_form, show_page, show_refused
from core.web import Pages, current_actor, current_config, requires
from health_card.confirmation import service as confirmation
from health_card.confirmation.service import AskedConfirmation
from records.visits import service
from records.visits.advice import advise
from records.visits.codes import CARRIER_KINDS, MEDICAL_STEPS, VISIT_KINDS
from records.visits.routes import scan_code
from records.visits.schemas import CheckInShown, ScanForm

pages = Pages("desk_pages", __name__)

# What stays chosen at this workplace from scan to scan; nothing of a patient.
SETTINGS_COOKIE = "yimatong_desk"
SETTINGS = ("terminal", "department", "medical_step", "visit_kind")
FIRST_SETTINGS = {"terminal": "", "department": "0300", "medical_step": "010101", "visit_kind": "O"}
SETTINGS_SECONDS = 365 * 24 * 3600
NEWEST_VISITS = 12

# Refused with these, the code is good and the desk has only to type something more.
_NEEDS_CERTIFICATE = {"health_card.second_factor_missing", "health_card.second_factor_wrong"}


@dataclass(frozen=True)
class DeskForm:
    """What stands in the form when the page is shown."""

    settings: dict[str, str]
    code: str = ""
    patient_number: str = ""
    certificate_number: str = ""
    asks_certificate: bool = False


@pages.get("/desk")
@requires("records:visit:open")
def show_desk() -> Response:
    """The desk, ready to scan; ``?visit=`` shows one open visit of this hospital again, ``&asked=`` how the patient
    answered what he was asked to confirm."""
    wanted, asked = request.args.get("visit", type=UUID), request.args.get("asked", type=UUID)
    shown = _read_check_in(wanted) if wanted else None
    return show_page(
        "records/desk.html",
        form=DeskForm(read_settings()),
        check_in=shown,
        asked=_read_confirmation(asked) if shown and asked else None,
        **_surroundings(),
    )


@pages.post("/desk")
@requires("records:visit:open")
def scan() -> Response:
    """One scan. What was found is shown under an address of its own, so that a reload scans nothing again."""
    try:
        body = _read_scan()
        checked_in = scan_code(body, body.terminal_proof)
    except Refusal as refusal:
        form = _form_after(refusal)
        advice = advise(refusal.code)
        reply = show_refused("records/desk.html", refusal, form=form, advice=advice, **_surroundings())
        return _remember_settings(reply, form.settings)
    reply = cast(Response, redirect(url_for("desk_pages.show_desk", visit=checked_in.visit_id), 303))
    return _remember_settings(reply, {name: getattr(body, name) for name in SETTINGS})


@pages.post("/desk/visits/<uuid:visit_id>/look-up")
@requires("health_card:person:look_up")
def look_up(visit_id: UUID) -> Response:
    """From an open visit to what else can be done for this person."""
    with db.transaction() as session:
        look_up_id = service.look_up_visitor(session, current_actor(), visit_id=visit_id)
    return cast(Response, redirect(f"/desk/persons/{look_up_id}", 303))


@pages.post("/desk/visits/<uuid:visit_id>/confirmations")
@requires("health_card:confirmation:ask")
def ask_confirmation(visit_id: UUID) -> Response:
    """Ask the patient to confirm on the phone that who acts for whom is dealt with here."""

    def ask() -> str:
        with db.transaction() as session:
            asked = service.ask_confirmation(session, current_actor(), visit_id=visit_id, purpose="account")
        return url_for("desk_pages.show_desk", visit=visit_id, asked=asked.confirmation_id)

    return _go_on(visit_id, ask)


@pages.post("/desk/visits/<uuid:visit_id>/holders")
@requires("health_card:holder:check")
def show_holders(visit_id: UUID) -> Response:
    """From a visit at which the patient has confirmed to the desk of holders, without the number of his document."""

    def open_look_up() -> str:
        with db.transaction() as session:
            look_up_id = service.look_up_confirmed_visitor(session, current_actor(), visit_id=visit_id)
        return f"/desk/holders/visitors/{look_up_id}"

    return _go_on(visit_id, open_look_up)


@pages.post("/desk/visits/<uuid:visit_id>/close")
@requires("records:visit:close")
def close(visit_id: UUID) -> Response:
    """The button at a visit: the hospital has finished with it."""
    with db.transaction() as session:
        service.close_visit(session, current_actor(), visit_id=visit_id)
    return cast(Response, redirect(url_for("desk_pages.show_desk", visit=visit_id), 303))


def _go_on(visit_id: UUID, act: Callable[[], str]) -> Response:
    """Lead on to where the act says, or say why not, with the way back to the visit."""
    try:
        return cast(Response, redirect(act(), 303))
    except Refusal as refusal:
        form, advice = DeskForm(read_settings()), advise(refusal.code)
        return show_refused("records/desk.html", refusal, form=form, advice=advice, back_to=visit_id, **_surroundings())


def _read_scan() -> ScanForm:
    # A Chinese input method turns a scanner's ":" into "：" and may widen letters; a code is plain ASCII.
    body = read_form(ScanForm)
    if body.code is None:
        return body
    return body.model_copy(update={"code": unicodedata.normalize("NFKC", body.code)})


def _read_check_in(visit_id: UUID) -> CheckInShown:
    with db.transaction() as session:
        return CheckInShown.model_validate(service.get_check_in(session, current_actor(), visit_id=visit_id))


def _read_confirmation(confirmation_id: UUID) -> AskedConfirmation:
    with db.snapshot() as session:
        return confirmation.get_confirmation(session, current_actor(), confirmation_id=confirmation_id)


def _surroundings() -> dict[str, Any]:
    """What the desk shows at every time: what can be chosen, and who was here last."""
    actor = current_actor()
    with db.snapshot() as session:
        terminals = {code: code for code in accounts.list_terminals(session, actor)}
        departments = accounts.list_departments(session, actor)
        visits = service.list_visits(session, actor, limit=NEWEST_VISITS)
    return {
        "terminals": terminals,
        "departments": departments,
        "hospital_id": actor.house_id,
        "proof_address": f"{current_config().base_url}{url_for('desk_pages.scan')}",
        "medical_steps": MEDICAL_STEPS,
        "visit_kinds": VISIT_KINDS,
        "visits": visits,
        "carrier_kinds": CARRIER_KINDS,
        "may_check_holders": actor.can("health_card:holder:check"),
        "may_serve_persons": actor.can("health_card:person:look_up"),
        "may_read_records": actor.can("records:shared_timeline:read"),
    }


def _form_after(refusal: Refusal) -> DeskForm:
    """The next scan starts with an empty field, unless this one lacks only the certificate number."""
    settings = {name: request.form.get(name, "") for name in SETTINGS}
    asks = refusal.code in _NEEDS_CERTIFICATE
    keeps = asks or refusal.code == "core.malformed_request"
    return DeskForm(
        settings=settings,
        code=request.form.get("code", "") if asks else "",
        patient_number=request.form.get("patient_number", "") if keeps else "",
        certificate_number="",
        asks_certificate=asks,
    )


def read_settings() -> dict[str, str]:
    """What was chosen at this workplace before."""
    kept = dict(parse_qsl(request.cookies.get(SETTINGS_COOKIE, "")))
    return {name: kept.get(name, FIRST_SETTINGS[name]) for name in SETTINGS}


def _remember_settings(reply: Response, settings: dict[str, str]) -> Response:
    reply.set_cookie(
        SETTINGS_COOKIE,
        urlencode(settings),
        max_age=SETTINGS_SECONDS,
        httponly=True,
        samesite="Strict",
        secure=current_config().is_secure_origin,
        path="/desk",
    )
    return reply
