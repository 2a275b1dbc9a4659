"""The codes that a login shows for its cards."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock, keys
from core.actor import Actor
from health_card import codes
from health_card.confirmation.models import ConfirmedCode
from health_card.confirmation.service.pins import check_pin
from health_card.models import Card, CardState
from health_card.refusals import CardNotInForce, PayeeUnknown
from health_card.service.cards import get_held_card

KEY_PURPOSE = "code"
DYNAMIC_LIFE = timedelta(seconds=60)

# What the phone asks for -> class.
_CLASSES = {"dynamic": "D", "confirmed": "C", "payment": "P"}
_NEED_PIN = {"confirmed", "payment"}


@dataclass(frozen=True)
class ShownCode:
    """A code's text, and until when a desk accepts it (None: until the card is revoked)."""

    text: str
    expires_at: datetime | None


def issue_code(
    session: Session,
    actor: Actor,
    *,
    card_id: UUID,
    kind: str,
    issuer: str,
    pin: str | None = None,
    payment: codes.Payment | None = None,
) -> ShownCode:
    """A code for a desk to scan.

    :param kind: ``dynamic`` (signed, 60 seconds, once), ``static``, or made with the PIN: ``confirmed`` and
        ``payment``.
    :param payment: what a payment code may pay.
    :raises CardNotFound: not a card of this login.
    :raises CardNotInForce: the card is lost, cancelled or not issued.
    :raises PayeeUnknown: no such hospital.
    :raises PinNotSet, PinLocked, PinWrong: see ``confirmation.check_pin``.
    """
    assert (kind == "payment") == (payment is not None)
    card = get_held_card(session, actor, card_id)
    if card.state != CardState.NORMAL:
        raise CardNotInForce
    if payment is not None and payment.payee_id not in accounts.list_hospitals(session, {payment.payee_id}):
        raise PayeeUnknown
    if kind in _NEED_PIN:
        check_pin(session, actor, pin=pin or "")
    return write_code(session, actor, card=card, kind=kind, issuer=issuer, payment=payment)


def write_code(
    session: Session, actor: Actor, *, card: Card, kind: str, issuer: str, payment: codes.Payment | None = None
) -> ShownCode:
    """A code of a card, recorded. The caller has decided that the actor may show it.

    :param kind: as in ``issue_code``.
    """
    audit.record_act(
        session,
        actor,
        "health_card.code.shown",
        subject_id=card.person_id,
        of=("card", card.id),
        facts={"kind": kind},
    )
    if kind == "static":
        return ShownCode(codes.write_static(card.number, issuer), None)
    now = clock.now()
    text = codes.write_dynamic(
        signer(session),
        card_number=card.number,
        epoch=card.epoch,
        issuer=issuer,
        issued_at=now,
        kind=_CLASSES[kind],
        payment=payment,
    )
    if kind == "confirmed":
        session.add(ConfirmedCode(nonce=codes.nonce_of(text), login_id=actor.id, made_at=now))
    return ShownCode(text, now.replace(microsecond=0) + DYNAMIC_LIFE)


def signer(session: Session) -> codes.Signer:
    """The key that signs codes, certificates of devices and revocation lists now."""
    ring = keys.ring(session, KEY_PURPOSE)
    return codes.Signer(ring.signing_kid, ring.signing_key)
