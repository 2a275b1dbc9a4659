"""What a patient has confirmed is used up, once, by what it opens."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor
from core.ids import new_id
from health_card.confirmation.models import ANY, CodeConfirmation, ConfirmedCode
from health_card.confirmation.refusals import NotConfirmed
from health_card.models import Card, CardState, CodeRedemption, Holder, Relation
from health_card.service.identities import same_person_ids
from health_card.service.persons import is_holding

# Long enough to look at papers, too short for the next patient.
GOOD_FOR = timedelta(minutes=5)


@dataclass(frozen=True)
class Confirmed:
    """What was used up, and which login had confirmed it."""

    confirmation_id: UUID
    login_id: UUID


def note_confirmed_code(session: Session, actor: Actor, *, nonce: bytes, redemption_id: UUID, card: Card) -> None:
    """A desk has scanned a code of class C: its patient has confirmed, for any one purpose."""
    login_id = session.scalar(select(ConfirmedCode.login_id).filter_by(nonce=nonce))
    if login_id is None:
        # Made by an older version, in the last minute; it identifies and no more.
        return
    now = clock.now()
    session.add(
        CodeConfirmation(
            id=new_id(),
            redemption_id=redemption_id,
            hospital_id=actor.house_id,
            purpose=ANY,
            epoch=card.epoch,
            asked_by=actor.id,
            asked_at=now,
            expires_at=now + GOOD_FOR,
            answer="confirmed",
            answered_by=login_id,
            answered_at=now,
        )
    )


def consume_confirmation(
    session: Session, actor: Actor, *, purpose: str, person_id: UUID, by_self: bool = False
) -> Confirmed:
    """Use up what was confirmed for this person to this member of staff, within 5 minutes, for this purpose.

    A tap counts for what was asked, a code made with the PIN for any one purpose. Of two who use the same one, one is
    refused. A lost card, ended codes ("not me") and a login that acts no longer have confirmed nothing.

    :param purpose: records, account or credit.
    :param by_self: the person himself must have confirmed, not somebody who acts for him.
    :raises NotConfirmed: nothing such is left.
    """
    now = clock.now()
    mine = same_person_ids(person_id)
    holding = select(Holder.login_id).where(Holder.person_id.in_(mine), is_holding())
    if by_self:
        holding = holding.where(Holder.relation == Relation.SELF)
    good = (
        select(CodeConfirmation)
        .join(CodeRedemption, CodeRedemption.id == CodeConfirmation.redemption_id)
        .join(Card, Card.id == CodeRedemption.card_id)
        .where(Card.person_id.in_(mine), Card.state == CardState.NORMAL, Card.replaced_at.is_(None))
        .where(Card.epoch == CodeConfirmation.epoch)
        .where(CodeConfirmation.hospital_id == actor.house_id, CodeConfirmation.asked_by == actor.id)
        .where(CodeConfirmation.purpose.in_({purpose, ANY}))
        .where(CodeConfirmation.answer == "confirmed", CodeConfirmation.answered_at > now - GOOD_FOR)
        .where(CodeConfirmation.answered_by.in_(holding), CodeConfirmation.used_at.is_(None))
    )
    asked_first = good.order_by(CodeConfirmation.purpose == ANY, CodeConfirmation.answered_at).limit(1)
    found = session.scalars(asked_first.with_for_update(of=CodeConfirmation)).one_or_none()
    if found is None or found.answered_by is None:
        raise NotConfirmed
    found.used_at, found.used_by, found.used_for = now, actor.id, purpose
    session.flush()
    audit.record_act(
        session,
        actor,
        "health_card.confirmation.used",
        subject_id=person_id,
        of=("confirmation", found.id),
        facts={"purpose": purpose, "by": "pin" if found.purpose == ANY else "tap"},
    )
    return Confirmed(found.id, found.answered_by)
