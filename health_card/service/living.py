"""Living cards, those that no other card has replaced; and making worthless what was shown for them."""

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import audit
from core.actor import Actor
from health_card.models import Card


def living_cards(person_ids: Iterable[UUID] | Select[tuple[UUID]]) -> Select[tuple[Card]]:
    """The living cards of these records, in force or not. A person whose records were merged may have several."""
    return select(Card).where(Card.person_id.in_(person_ids), Card.replaced_at.is_(None))


def end_shown_codes(session: Session, person_ids: Iterable[UUID] | Select[tuple[UUID]]) -> list[Card]:
    """Make every dynamic code that was ever shown for these records' cards worthless, from the next scan on.

    The cards are locked in the order of their ids, so that two who end the codes of one family wait, and do not
    deadlock.
    """
    in_order = living_cards(person_ids).order_by(Card.id).with_for_update()
    cards = list(session.scalars(in_order, execution_options={"populate_existing": True}))
    for card in cards:
        card.epoch += 1
    session.flush()
    return cards


def record_codes_ended(session: Session, actor: Actor, card: Card) -> None:
    """Write down that somebody has ended the codes of a card."""
    facts = {"epoch": card.epoch}
    of = ("card", card.id)
    audit.record_act(session, actor, "health_card.codes.revoked", subject_id=card.person_id, of=of, facts=facts)
