"""Cards reported lost, restored, cancelled and issued anew: by phone, or at a desk that has seen the document."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actor import Actor, ActorKind
from health_card.card_life.refusals import CardReplaced, RestoreNeedsDesk
from health_card.card_life.states import CardAct, move_card, was_reported_by
from health_card.desk.service.look_ups import get_seen_document
from health_card.models import ApplyChannel, Card, CardState
from health_card.notices.service import tell
from health_card.refusals import CardNotFound
from health_card.service.cards import CardView, view_card
from health_card.service.identities import lock_person, same_person_ids
from health_card.service.living import living_cards
from health_card.service.persons import held_person_ids, issue_card

_TOLD = {
    CardAct.REPORT_LOST: "card_lost",
    CardAct.RESTORE: "card_restored",
    CardAct.CANCEL: "card_cancelled",
    CardAct.ISSUE: "card_restored",
}


def change_own_card(session: Session, actor: Actor, *, card_id: UUID, act: CardAct) -> CardView:
    """The holder reports a card lost, restores or cancels it. All its codes are dead at once.

    :raises CardNotFound: not a card of this login.
    :raises RestoreNeedsDesk: somebody else reported it lost.
    :raises CardStateForbids: its state does not allow it.
    """
    return _change(session, actor, _lock_own(session, actor, card_id), act)


def reissue_own_card(session: Session, actor: Actor, *, card_id: UUID) -> CardView:
    """A new card, with a new number, for the same person; the old one shows no codes any more.

    :raises: as ``change_own_card``.
    """
    return _reissue(session, actor, _lock_own(session, actor, card_id), ApplyChannel.APP)


def change_card_at_desk(session: Session, actor: Actor, *, look_up_id: UUID, card_id: UUID, act: CardAct) -> CardView:
    """As ``change_own_card``, for the person whose document the desk has seen; also hands out a card that waits.

    :raises LookUpNotFound: no such look-up, or it has run out.
    :raises DocumentNotSeen: no document was verified within it.
    :raises CardNotFound: not a card of this person.
    :raises CardStateForbids: its state does not allow it.
    """
    return _change(session, actor, _lock_at_desk(session, actor, look_up_id, card_id), act)


def reissue_card_at_desk(session: Session, actor: Actor, *, look_up_id: UUID, card_id: UUID) -> CardView:
    """As ``reissue_own_card``, for the person whose document the desk has seen.

    :raises: as ``change_card_at_desk``.
    """
    return _reissue(session, actor, _lock_at_desk(session, actor, look_up_id, card_id), ApplyChannel.WINDOW)


def list_cards_of(session: Session, person_id: UUID) -> list[CardView]:
    """The living cards of a person, with all records; the caller has decided that they may be seen."""
    living = living_cards(same_person_ids(person_id))
    return [view_card(session, card) for card in session.scalars(living.order_by(Card.issued_at, Card.id))]


def _change(session: Session, actor: Actor, card: Card, act: CardAct) -> CardView:
    if act is CardAct.RESTORE:
        _check_may_take_back(session, actor, card)
    move_card(session, actor, card, act)
    tell(session, person_id=card.person_id, kind=_TOLD[act], hospital_id=actor.hospital_id, of=("card", card.id))
    return view_card(session, card)


def _reissue(session: Session, actor: Actor, card: Card, channel: ApplyChannel) -> CardView:
    _check_may_take_back(session, actor, card)
    move_card(session, actor, card, CardAct.REPLACE)
    fresh = issue_card(session, lock_person(session, card.person_id), channel)
    tell(session, person_id=card.person_id, kind="card_reissued", hospital_id=actor.hospital_id, of=("card", fresh.id))
    return view_card(session, fresh)


def _check_may_take_back(session: Session, actor: Actor, card: Card) -> None:
    """Who found a lost phone must not be able to bring its card back into force."""
    by_phone = actor.kind is ActorKind.PATIENT
    if by_phone and card.state == CardState.LOST and not was_reported_by(session, actor, card.id):
        raise RestoreNeedsDesk


def _lock_own(session: Session, actor: Actor, card_id: UUID) -> Card:
    found = session.scalar(select(Card.person_id).where(Card.id == card_id, Card.person_id.in_(held_person_ids(actor))))
    return _lock(session, found, card_id)


def _lock_at_desk(session: Session, actor: Actor, look_up_id: UUID, card_id: UUID) -> Card:
    seen = get_seen_document(session, actor, look_up_id)
    theirs = select(Card.person_id).where(Card.id == card_id, Card.person_id.in_(same_person_ids(seen.person_id)))
    return _lock(session, session.scalar(theirs), card_id)


def _lock(session: Session, person_id: UUID | None, card_id: UUID) -> Card:
    if person_id is None:
        raise CardNotFound
    lock_person(session, person_id)
    card = session.get_one(Card, card_id, populate_existing=True)
    if card.replaced_at is not None:
        raise CardReplaced
    return card
