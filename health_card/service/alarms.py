"""What a person must be told at once about the codes of his card, and ending them."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit
from core.actor import Actor
from health_card.models import Card, CodeRedemption
from health_card.notices import service as notices
from health_card.notices.models import NoticeKind
from health_card.service.identities import same_person_ids


def raise_replay_alarm(
    session: Session, actor: Actor, *, person_id: UUID, earlier: CodeRedemption, terminal_id: UUID
) -> None:
    """A code that was used at one terminal is shown at another: somebody has a copy of it.

    The person is told once a terminal; the refusal that follows keeps this (``CodeRedeemed.keeps_changes``).
    """
    first = accounts.get_terminal(session, earlier.terminal_id)
    second = accounts.get_terminal(session, terminal_id)
    told = notices.tell(
        session,
        person_id=person_id,
        kind=NoticeKind.CODE_REPLAYED,
        facts={
            "terminal": second.code,
            "other_terminal": first.code,
            "other_hospital_id": str(first.hospital_id),
        },
        hospital_id=second.hospital_id,
        of=("redemption", earlier.id),
        key=f"code_replayed:{earlier.id}:{terminal_id}",
    )
    if told is not None:
        audit.record_act(
            session,
            actor,
            "health_card.alarm.raised",
            subject_id=person_id,
            of=("redemption", earlier.id),
            facts={"alarm": NoticeKind.CODE_REPLAYED.value},
        )


def end_codes(session: Session, actor: Actor, *, person_id: UUID) -> None:
    """Make every dynamic code that was ever shown for the person's cards worthless, from the next scan on.

    The caller has decided that the actor may. A person whose records were merged may have several living cards.
    """
    living = select(Card).where(Card.person_id.in_(same_person_ids(person_id)), Card.replaced_at.is_(None))
    for card in session.scalars(living.order_by(Card.id).with_for_update()).all():
        card.epoch += 1
        audit.record_act(
            session,
            actor,
            "health_card.codes.revoked",
            subject_id=card.person_id,
            of=("card", card.id),
            facts={"epoch": card.epoch},
        )
