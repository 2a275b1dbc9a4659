"""A desk asks, the phone answers within a minute."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit, clock
from core.actor import Actor
from health_card.confirmation.models import ANY, CodeConfirmation
from health_card.confirmation.refusals import (
    ConfirmationAnswered,
    ConfirmationExpired,
    ConfirmationNotFound,
    ConfirmationNotPossible,
)
from health_card.models import Card, CodeRedemption
from health_card.notices.models import NoticeKind
from health_card.notices.service import tell
from health_card.service.persons import held_person_ids

LIFE = timedelta(seconds=60)


@dataclass(frozen=True)
class PendingConfirmation:
    """What waits for an answer on the phone. ``purpose``: records, account or credit."""

    confirmation_id: UUID
    card_id: UUID
    hospital_name: str
    purpose: str
    asked_at: datetime
    expires_at: datetime


@dataclass(frozen=True)
class AskedConfirmation:
    """A request as the desk sees it. ``state``: waiting, confirmed, refused or expired."""

    confirmation_id: UUID
    purpose: str
    state: str
    expires_at: datetime


def ask_confirmation(session: Session, actor: Actor, *, redemption_id: UUID | None, purpose: str) -> AskedConfirmation:
    """Ask whoever showed this code to confirm; asked again while it waits, it is the same request.

    Whoever acts for the person is told at once, on the phone too.

    The caller has checked that the redemption is one of the actor's hospital.

    :param redemption_id: of a dynamic code; None when the visit was opened with a static one.
    :param purpose: records, account or credit.
    :raises ConfirmationNotPossible: no phone showed that code.
    """
    if redemption_id is None:
        raise ConfirmationNotPossible
    now = clock.now()
    redemption = session.get_one(CodeRedemption, redemption_id, with_for_update=True)
    card = session.get_one(Card, redemption.card_id)
    waiting = session.scalars(
        select(CodeConfirmation)
        .filter_by(redemption_id=redemption_id, purpose=purpose)
        .where(CodeConfirmation.answer.is_(None), CodeConfirmation.expires_at > now)
    ).first()
    if waiting is not None:
        return _show(waiting)
    asked = CodeConfirmation(
        redemption_id=redemption_id,
        hospital_id=actor.house_id,
        purpose=purpose,
        epoch=card.epoch,
        asked_by=actor.id,
        asked_at=now,
        expires_at=now + LIFE,
    )
    session.add(asked)
    session.flush()
    audit.record_act(
        session,
        actor,
        "health_card.confirmation.asked",
        subject_id=card.person_id,
        of=("confirmation", asked.id),
        facts={"purpose": purpose},
    )
    tell(
        session,
        person_id=card.person_id,
        kind=NoticeKind.CONFIRMATION_ASKED,
        facts={"purpose": purpose, "expires_at": asked.expires_at.isoformat()},
        hospital_id=actor.house_id,
        of=("confirmation", asked.id),
    )
    return _show(asked)


def get_confirmation(session: Session, actor: Actor, *, confirmation_id: UUID) -> AskedConfirmation:
    """How a request of the actor's hospital stands.

    :raises ConfirmationNotFound: none such there.
    """
    found = session.scalars(
        select(CodeConfirmation)
        .filter_by(id=confirmation_id, hospital_id=actor.house_id)
        .where(CodeConfirmation.purpose != ANY)
    ).one_or_none()
    if found is None:
        raise ConfirmationNotFound
    return _show(found)


def list_pending(session: Session, actor: Actor) -> list[PendingConfirmation]:
    """What waits for the login's answer now, oldest first."""
    waiting = _held(actor).where(CodeConfirmation.answer.is_(None), CodeConfirmation.expires_at > clock.now())
    rows = session.execute(waiting.order_by(CodeConfirmation.asked_at)).all()
    houses = accounts.list_hospitals(session, {asked.hospital_id for asked, _ in rows})
    return [
        PendingConfirmation(
            confirmation_id=asked.id,
            card_id=card.id,
            hospital_name=houses[asked.hospital_id].name,
            purpose=asked.purpose,
            asked_at=asked.asked_at,
            expires_at=asked.expires_at,
        )
        for asked, card in rows
    ]


def answer_confirmation(session: Session, actor: Actor, *, confirmation_id: UUID, answer: str) -> None:
    """Confirm or refuse; the same answer again changes nothing.

    :param answer: confirmed or refused.
    :raises ConfirmationNotFound: not a request to this login.
    :raises ConfirmationAnswered: answered otherwise before.
    :raises ConfirmationExpired: more than 60 seconds ago.
    """
    mine = _held(actor).where(CodeConfirmation.id == confirmation_id).with_for_update(of=CodeConfirmation)
    row = session.execute(mine).one_or_none()
    if row is None:
        raise ConfirmationNotFound
    asked, card = row
    if asked.answer == answer:
        return
    if asked.answer is not None:
        raise ConfirmationAnswered
    now = clock.now()
    if now >= asked.expires_at:
        raise ConfirmationExpired
    asked.answer, asked.answered_by, asked.answered_at = answer, actor.id, now
    audit.record_act(
        session,
        actor,
        "health_card.confirmation.answered",
        subject_id=card.person_id,
        of=("confirmation", asked.id),
        facts={"purpose": asked.purpose, "answer": answer},
    )


def _show(asked: CodeConfirmation) -> AskedConfirmation:
    unanswered = "waiting" if clock.now() < asked.expires_at else "expired"
    return AskedConfirmation(asked.id, asked.purpose, asked.answer or unanswered, asked.expires_at)


def _held(actor: Actor) -> Select[tuple[CodeConfirmation, Card]]:
    return (
        select(CodeConfirmation, Card)
        .join(CodeRedemption, CodeRedemption.id == CodeConfirmation.redemption_id)
        .join(Card, Card.id == CodeRedemption.card_id)
        .where(Card.person_id.in_(held_person_ids(actor)))
    )
