"""The machine interface of visits, for desks."""

from functools import partial

from flask import Response, request

from accounts import service as accounts
from core import db
from core.actor import Actor
from core.api import Api
from core.web import current_actor, current_config, current_identity, present, requires
from health_card import service as health_card
from records.visits import service
from records.visits.schemas import (
    CheckInShown,
    ConfirmationAsked,
    ConfirmationRequest,
    DisownedVisitShown,
    LookUpOpened,
    Scan,
    ScanHeader,
    VisitLineShown,
    VisitList,
    VisitPath,
    VisitQuery,
)
from records.visits.service import CheckIn, ScanContext

# What of a scan is its context: all but the code.
CONTEXT = sorted(Scan.model_fields.keys() - {"code"})

api = Api("visits", tag="Desk 登记窗口", url_prefix="/api/v1")


@api.post("/desk/scans", responses={201: CheckInShown})
@requires("records:visit:open")
def scan(header: ScanHeader, body: Scan) -> Response:
    """A desk scans a patient's code: who it is (masked), how well that was checked, and a visit, new or continued"""
    return present(CheckInShown.model_validate(scan_code(body, header.dpop)), 201)


@api.get("/visits", responses={200: VisitList})
@requires("records:visit:list")
def list_visits(query: VisitQuery) -> Response:
    """The visits at this hospital, newest first: those that are open, or those that have ended"""
    with db.transaction() as session:
        lines = service.read_visits(
            session, current_actor(), is_open=query.state == "open", before=query.before, limit=query.limit
        )
    return present(VisitList(visits=[VisitLineShown.model_validate(line) for line in lines]))


@api.post("/visits/<uuid:visit_id>/close", responses={200: CheckInShown})
@requires("records:visit:close")
def close_visit(path: VisitPath) -> Response:
    """The hospital has finished with this visit: what was shared for it ends at once. Saying it again is harmless"""
    with db.transaction() as session:
        service.close_visit(session, current_actor(), visit_id=path.visit_id)
        visit = service.get_check_in(session, current_actor(), visit_id=path.visit_id)
    return present(CheckInShown.model_validate(visit))


@api.post("/visits/<uuid:visit_id>/not-me", responses={200: DisownedVisitShown})
@requires("records:visit:disown")
def disown_visit(path: VisitPath) -> Response:
    """The patient says: that was not me. The hospital sees nothing any more, and all codes shown so far are dead"""
    with db.transaction() as session:
        visit = service.disown_visit(session, current_actor(), visit_id=path.visit_id)
    return present(DisownedVisitShown.model_validate(visit))


@api.post("/visits/<uuid:visit_id>/confirmations", responses={201: ConfirmationAsked})
@requires("health_card:confirmation:ask")
def ask_confirmation(path: VisitPath, body: ConfirmationRequest) -> Response:
    """Ask the patient to confirm on the phone; then ask GET /api/v1/desk/confirmations/{confirmation_id}"""
    with db.transaction() as session:
        asked = service.ask_confirmation(session, current_actor(), visit_id=path.visit_id, purpose=body.purpose)
    return present(ConfirmationAsked.model_validate(asked), 201)


@api.post("/desk/visits/<uuid:visit_id>/look-ups", responses={201: LookUpOpened})
@requires("health_card:person:look_up")
def look_up(path: VisitPath) -> Response:
    """The person of an open visit at this hospital, for corrections and cards: see `/desk/persons/{look_up_id}`"""
    with db.transaction() as session:
        look_up_id = service.look_up_visitor(session, current_actor(), visit_id=path.visit_id)
    return present(LookUpOpened(look_up_id=look_up_id), 201)


@api.post("/desk/visits/<uuid:visit_id>/confirmed-look-ups", responses={201: LookUpOpened})
@requires("health_card:holder:check")
def look_up_confirmed(path: VisitPath) -> Response:
    """Who confirmed on the phone at this open visit, to this member of staff within 5 minutes, with PIN or tap

    Uses that up. The look-up stands for the document in `/desk/holders/...`."""
    with db.transaction() as session:
        look_up_id = service.look_up_confirmed_visitor(session, current_actor(), visit_id=path.visit_id)
    return present(LookUpOpened(look_up_id=look_up_id), 201)


def scan_code(body: Scan, proof: str | None) -> CheckIn:
    """The scan itself, shared with the desk page: refused codes are counted outside the transaction.

    :param proof: the terminal's DPoP proof; a terminal without a key has none.
    """
    actor = current_actor()
    counting = health_card.counting_failures(
        f"{actor.hospital_id}/{body.terminal}", lock=partial(_lock, actor, body.terminal)
    )
    with counting, db.transaction() as session:
        terminal_id = accounts.check_terminal_proof(
            session,
            actor,
            code=body.terminal,
            proof=_bind(proof, body.code or body.carrier_number or ""),
            department=body.department,
        )
        return service.check_in(
            session,
            actor,
            text=body.code,
            issuer=current_config().issuer_code,
            terminal_id=terminal_id,
            context=ScanContext(**{name: getattr(body, name) for name in CONTEXT}),
            visit_days=current_config().visit_days,
        )


def _lock(actor: Actor, terminal: str, seconds: int) -> None:
    with db.transaction() as session:
        accounts.lock_terminal(session, actor, code=terminal, seconds=seconds)


def _bind(proof: str | None, code: str) -> accounts.TerminalProof:
    """A proof is good for this address, this sign-in and this code only. Scripts of a page cannot read its cookie:
    the token of its forms stands for it."""
    identity = current_identity()
    bearer = request.headers.get("Authorization", "").partition(" ")[2].strip()
    return accounts.TerminalProof(
        text=proof,
        method=request.method,
        address=f"{current_config().base_url}{request.path}",
        session_secret=identity.csrf_token if identity and identity.csrf_token else bearer,
        code=code,
    )
