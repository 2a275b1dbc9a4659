"""A login's cards, and the codes that it shows for them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import audit, clock, keys
from core.actor import Actor
from health_card import codes
from health_card.models import Card, CardState, Relation
from health_card.refusals import CardNotFound, CardNotInForce
from health_card.service.demographics import get_demographics
from health_card.service.holders import Holding, find_holding
from health_card.service.persons import held_person_ids

KEY_PURPOSE = "code"
DYNAMIC_LIFE = timedelta(seconds=60)


@dataclass(frozen=True)
class CardView:
    """A card as its holder sees it. ``relation``: what its person is to the login that asks."""

    card_id: UUID
    number: str
    state: int
    channel: int
    name: str
    relation: Relation
    is_self: bool
    valid_until: datetime | None
    issued_at: datetime


@dataclass(frozen=True)
class ShownCode:
    """A code's text, and until when a desk accepts it (None: until the card is revoked)."""

    text: str
    expires_at: datetime | None


def list_cards(session: Session, actor: Actor) -> list[CardView]:
    """The living cards of the persons whom the login may act for."""
    held = [
        (card, find_holding(session, actor, card.person_id))
        for card in session.scalars(_held_cards(actor).order_by(Card.issued_at))
    ]
    # Between the two questions a guardian's time may have run out.
    return [_view(session, card, holding) for card, holding in held if holding]


def issue_code(session: Session, actor: Actor, *, card_id: UUID, kind: str, issuer: str) -> ShownCode:
    """A code for a desk to scan.

    :param kind: ``dynamic`` (signed, 60 seconds, once) or ``static``.
    :raises CardNotFound: not a card of this login.
    :raises CardNotInForce: the card is lost, cancelled or not issued.
    """
    card = _get_held(session, actor, card_id)
    if card.state != CardState.NORMAL:
        raise CardNotInForce
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
    ring = keys.ring(session, KEY_PURPOSE)
    now = clock.now()
    text = codes.write_dynamic(
        codes.Signer(ring.signing_kid, ring.signing_key),
        card_number=card.number,
        epoch=card.epoch,
        issuer=issuer,
        issued_at=now,
    )
    return ShownCode(text, now.replace(microsecond=0) + DYNAMIC_LIFE)


def revoke_codes(session: Session, actor: Actor, *, card_id: UUID) -> None:
    """Make every dynamic code that was ever shown for the card worthless, from the next scan on.

    :raises CardNotFound: not a card of this login.
    """
    card = _get_held(session, actor, card_id, for_update=True)
    card.epoch += 1
    audit.record_act(
        session,
        actor,
        "health_card.codes.revoked",
        subject_id=card.person_id,
        of=("card", card.id),
        facts={"epoch": card.epoch},
    )


def _held_cards(actor: Actor) -> Select[tuple[Card]]:
    return select(Card).where(Card.person_id.in_(held_person_ids(actor)), Card.replaced_at.is_(None))


def _get_held(session: Session, actor: Actor, card_id: UUID, *, for_update: bool = False) -> Card:
    held = _held_cards(actor).where(Card.id == card_id)
    card = session.scalars(held.with_for_update() if for_update else held).one_or_none()
    if card is None:
        raise CardNotFound
    return card


def _view(session: Session, card: Card, holding: Holding) -> CardView:
    return CardView(
        card_id=card.id,
        number=card.number,
        state=card.state,
        channel=card.channel,
        name=get_demographics(session, card.person_id).name,
        relation=holding.relation,
        is_self=holding.is_self,
        valid_until=holding.valid_until,
        issued_at=card.issued_at,
    )
