"""The operations: each takes what was sent apart and calls the services that everybody calls."""

from typing import Protocol
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from core.actor import Actor
from health_card.certificates import check_certificate
from health_card.models import Card as CardRow
from health_card.notices.service import tell
from health_card.service.demographics import get_plain_demographics
from health_card.service.identities import get_root
from health_card.service.numbers import bind_patient_number, get_patient_number
from health_card.service.scans import Identified, redeem_code
from health_card.showings import service as showings
from health_card.showings.models import UseKind
from health_card.showings.service import Use
from health_card.tencent import translation
from health_card.tencent.refusals import FieldMissing
from health_card.tencent.schemas import (
    Binding,
    Card,
    QRCodeRequest,
    QRCodeShown,
    UseReport,
    Verification,
    Verified,
)
from health_card.tencent.service import Scope, check_house, check_scope

NO_PROOF = accounts.TerminalProof(text=None, method="POST", address="")


class OpenVisit(Protocol):
    """Open or continue the visit of a redeemed code, as a desk's scan does. Visits stand above this package: the
    composition root says what does it."""

    def __call__(
        self,
        session: Session,
        actor: Actor,
        *,
        found: Identified,
        terminal_id: UUID,
        terminal: str,
        medical_step: str,
        department: str,
    ) -> UUID: ...


def read_by_health_code(session: Session, actor: Actor, health_code: str, *, issuer: str) -> Card:
    """The card that the phone authorised this hospital to read."""
    check_scope(actor, Scope.READ)
    return _read(session, actor, showings.take_authorisation(session, actor, text=health_code), issuer)


def read_by_qr_code(session: Session, actor: Actor, text: str, *, issuer: str) -> Card:
    """The card that a genuine code names, when it was shown to this hospital."""
    check_scope(actor, Scope.READ)
    return _read(session, actor, showings.find_card_of_code(session, text=text, issuer=issuer), issuer)


def read_by_card_number(session: Session, actor: Actor, number: str, *, issuer: str) -> Card:
    """The card of this number, when it was shown to this hospital."""
    check_scope(actor, Scope.READ)
    return _read(session, actor, showings.find_card(session, number=number), issuer)


def show_code(session: Session, actor: Actor, body: QRCodeRequest, *, issuer: str) -> QRCodeShown:
    """A static code to print, or a dynamic one for a card that this system registered on the patient's phone."""
    is_dynamic = body.code_type == "0"
    check_scope(actor, Scope.SHOW_DYNAMIC if is_dynamic else Scope.SHOW)
    card = showings.find_card(session, number=body.health_card_id)
    showings.check_certificate_of_card(session, card, kind=body.id_type, number=body.id_number)
    kind = "dynamic" if is_dynamic else "static"
    return translation.describe_code(card, showings.show_code_here(session, actor, card=card, kind=kind, issuer=issuer))


def bind(session: Session, actor: Actor, body: Binding, *, issuer: str) -> None:
    """Bind this hospital's patient number to a person whose card was shown to it."""
    check_scope(actor, Scope.BIND)
    card = showings.find_card_of_code(session, text=body.qr_code_text, issuer=issuer)
    showings.check_shown_here(session, actor, card)
    bind_patient_number(session, actor, person_id=card.person_id, number=body.patid)


def verify(session: Session, actor: Actor, body: Verification, *, issuer: str, open_visit: OpenVisit) -> Verified:
    """Redeem a code at an enrolled terminal as a desk does, and open or continue the visit. The person is told at once.

    Without a department there is no visit: he is only identified.
    """
    check_scope(actor, Scope.VERIFY)
    if body.hospital_code:
        check_house(session, actor, body.hospital_code)
    # Requests of this interface cannot carry the proof of a terminal that has a key.
    terminal_id = accounts.check_terminal_proof(session, actor, code=body.terminal_id, proof=NO_PROOF)
    found = redeem_code(
        session,
        actor,
        text=body.qr_code_text,
        issuer=issuer,
        terminal_id=terminal_id,
        certificate_number=body.id_card or None,
    )
    card = session.get_one(CardRow, found.card_id)
    is_signed = found.redemption_id is not None
    use = Use(UseKind.VERIFIED, department=body.department or "", redemption_id=found.redemption_id)
    is_new = is_signed and showings.record_use(session, actor, card=card, use=use)
    visit_id = None
    if body.department:
        visit_id = open_visit(
            session,
            actor,
            found=found,
            terminal_id=terminal_id,
            terminal=body.terminal_id,
            medical_step=body.medical_step,
            department=body.department,
        )
    elif is_new:
        _tell_identified(session, actor, card, body)
    plain = get_plain_demographics(session, card.person_id)
    return translation.describe_verified(
        card, plain, phid=_phid(session, card), visit_id=visit_id, masked=not is_signed
    )


def report_use(session: Session, actor: Actor, body: UseReport, *, issuer: str) -> None:
    """Keep what a hospital says of the use of a card."""
    check_scope(actor, Scope.REPORT)
    check_house(session, actor, body.hospital_code)
    use = Use(
        UseKind.REPORTED,
        used_at=body.time,
        scene=body.scene,
        department=body.department or "",
        channel=body.card_channel,
        cost_type=body.card_cost_types or "",
    )
    showings.record_use(session, actor, card=_find_used_card(session, body, issuer), use=use)


def _find_used_card(session: Session, body: UseReport, issuer: str) -> CardRow:
    if body.qr_code_text:
        return showings.find_card_of_code(session, text=body.qr_code_text, issuer=issuer)
    if not body.id_card_number or not body.name:
        raise FieldMissing(["req.qrCodeText, or req.idCardNumber and req.name"])
    certificate = check_certificate(body.id_card_type, body.id_card_number)
    return showings.find_card_of_person(session, certificate=certificate, name=body.name)


def _tell_identified(session: Session, actor: Actor, card: CardRow, body: Verification) -> None:
    tell(
        session,
        person_id=card.person_id,
        kind="identified",
        facts={"terminal": body.terminal_id, "step": body.medical_step, "department": ""},
        hospital_id=actor.house_id,
        of=("card", card.id),
    )


def _read(session: Session, actor: Actor, card: CardRow, issuer: str) -> Card:
    plain = showings.read_shown_card(session, actor, card)
    patid = get_patient_number(session, actor, card.person_id)
    return translation.describe_card(card, plain, phid=_phid(session, card), patid=patid, issuer=issuer)


def _phid(session: Session, card: CardRow) -> str:
    return str(get_root(session, card.person_id).id)
