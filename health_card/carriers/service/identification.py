"""A carrier is read at a desk: whose is it."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit
from core.actor import Actor
from health_card.carriers.models import Carrier, Kind
from health_card.carriers.numbers import check_number, number_index
from health_card.carriers.refusals import CarrierUnknown
from health_card.models import Card, CardState
from health_card.refusals import CodeRevoked
from health_card.service.identities import same_person_ids
from health_card.service.living import living_cards
from health_card.service.scans import Identified, take_turn
from health_card.service.second_factor import check_second_factor

# A lost phone is no reason to turn away who brings another card; a cancelled health card is.
_GOOD = (CardState.NORMAL, CardState.LOST, CardState.BEING_MADE)


def identify_carrier(
    session: Session, actor: Actor, *, kind: Kind, number: str, certificate_number: str | None = None
) -> Identified:
    """Whose carrier it is. Like a static code, it starts a registration and opens no records.

    :param certificate_number: as read from the patient's document; needed unless the ID card itself was read.
    :raises CarrierNumberInvalid: the number cannot be one of its kind.
    :raises CarrierUnknown: it is bound to nobody.
    :raises SecondFactorMissing: a carrier alone.
    :raises SecondFactorWrong: another person's certificate number.
    :raises CodeRevoked: the person's card is cancelled or not issued.
    """
    index = number_index(kind, check_number(kind, number))
    carrier = session.scalars(select(Carrier).where(Carrier.number_index == index, Carrier.ended_at.is_(None))).first()
    if carrier is None:
        raise CarrierUnknown
    if kind is not Kind.ID_CARD:
        check_second_factor(session, carrier.person_id, certificate_number)
    card_id = _find_good_card(session, carrier.person_id)
    take_turn(session, carrier.person_id)
    audit.record_act(
        session,
        actor,
        "health_card.carrier.read",
        subject_id=carrier.person_id,
        of=("carrier", carrier.id),
        facts={"kind": kind.value},
    )
    return Identified(carrier.person_id, card_id, "M", None)


def _find_good_card(session: Session, person_id: UUID) -> UUID:
    """The person's own card, that of the carrier's record first."""
    good = living_cards(same_person_ids(person_id)).where(Card.state.in_(_GOOD)).with_only_columns(Card.id)
    found = session.scalar(good.order_by((Card.person_id == person_id).desc(), Card.issued_at).limit(1))
    if found is None:
        raise CodeRevoked
    return found
