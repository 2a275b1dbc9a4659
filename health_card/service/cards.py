"""A login's cards."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

from core.actor import Actor
from health_card.models import Card, CardState, Relation
from health_card.refusals import CardNotFound
from health_card.service.demographics import get_demographics
from health_card.service.holders import Holding, find_holding
from health_card.service.identities import same_person_ids
from health_card.service.living import living_cards, record_codes_ended
from health_card.service.persons import held_person_ids

# Whether a living card of the person in ``{0}`` is reported lost, for statements written by hand.
IS_CARD_LOST = f"""EXISTS (
    SELECT FROM persons named JOIN persons same ON same.root_id = named.root_id
        JOIN cards card ON card.person_id = same.id
    WHERE named.id = {{0}} AND card.replaced_at IS NULL AND card.state = {CardState.LOST.value}
)"""


@dataclass(frozen=True)
class CardView:
    """A card as it is shown. ``relation``: what its person is to the login that asks; None at a desk."""

    card_id: UUID
    number: str
    state: int
    channel: int
    name: str
    issued_at: datetime
    relation: Relation | None = None
    is_self: bool = False
    valid_until: datetime | None = None

    @property
    def state_text(self) -> str:
        """The state as people say it."""
        return _STATE_TEXTS[CardState(self.state)]


_STATE_TEXTS = {
    CardState.NORMAL: "正常",
    CardState.LOST: "已挂失",
    CardState.CANCELLED: "已注销",
    CardState.BEING_MADE: "制作中",
    CardState.NOT_ISSUED: "未发放",
}


def list_cards(session: Session, actor: Actor) -> list[CardView]:
    """The living cards of the persons whom the login may act for."""
    held = [
        (card, find_holding(session, actor, card.person_id))
        for card in session.scalars(_held_cards(actor).order_by(Card.issued_at))
    ]
    # Between the two questions a guardian's time may have run out.
    return [_view_held(session, card, holding) for card, holding in held if holding]


def list_card_numbers(session: Session, actor: Actor, *, person_id: UUID) -> list[str]:
    """The numbers of the living cards of one person, if the login may act for him."""
    same = _held_cards(actor).where(Card.person_id.in_(same_person_ids(person_id)))
    return [card.number for card in session.scalars(same.order_by(Card.issued_at))]


def revoke_codes(session: Session, actor: Actor, *, card_id: UUID) -> None:
    """Make every dynamic code that was ever shown for the card worthless, from the next scan on.

    :raises CardNotFound: not a card of this login.
    """
    card = get_held_card(session, actor, card_id, for_update=True)
    card.epoch += 1
    record_codes_ended(session, actor, card)


def get_held_card(session: Session, actor: Actor, card_id: UUID, *, for_update: bool = False) -> Card:
    """A living card of a person whom the login may act for.

    :raises CardNotFound: not a card of this login.
    """
    held = _held_cards(actor).where(Card.id == card_id)
    card = session.scalars(held.with_for_update() if for_update else held).one_or_none()
    if card is None:
        raise CardNotFound
    return card


def _held_cards(actor: Actor) -> Select[tuple[Card]]:
    return living_cards(held_person_ids(actor))


def view_card(session: Session, card: Card) -> CardView:
    """A card as shown; the caller has decided that it may be seen."""
    name = get_demographics(session, card.person_id).name
    return CardView(card.id, card.number, card.state, card.channel, name, card.issued_at)


def _view_held(session: Session, card: Card, holding: Holding) -> CardView:
    return replace(
        view_card(session, card),
        relation=holding.relation,
        is_self=holding.is_self,
        valid_until=holding.valid_until,
    )
