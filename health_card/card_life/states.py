"""The states of a card and the ways between them, as one table.

===========  ======================================  =============  ======================
act          from                                    to             who
===========  ======================================  =============  ======================
report_lost  normal                                  lost           holder, desk
restore      lost                                    normal         holder, desk
cancel       normal, lost, being made                cancelled      holder, desk, platform
apply_again  cancelled                               normal         holder, desk
issue        being made, not issued                  normal         desk, platform
withhold     normal, lost, being made                not issued     platform
replace      normal, lost                            (as it was)    holder, desk
===========  ======================================  =============  ======================

Every act ends all codes that were ever shown for the card.
"""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from core import audit, clock
from core.actor import Actor, ActorKind
from health_card.card_life.models import CardChange
from health_card.card_life.refusals import CardActForbidden, CardReplaced, CardStateForbids
from health_card.models import Card, CardState


class CardAct(StrEnum):
    REPORT_LOST = "report_lost"
    RESTORE = "restore"
    CANCEL = "cancel"
    APPLY_AGAIN = "apply_again"
    ISSUE = "issue"
    WITHHOLD = "withhold"
    REPLACE = "replace"


@dataclass(frozen=True)
class Move:
    """From which states, to which (None: as it was), and by whom."""

    leaves: frozenset[CardState]
    to: CardState | None
    by: frozenset[ActorKind]


_HOLDER_OR_DESK = frozenset({ActorKind.PATIENT, ActorKind.STAFF})
_IN_USE = frozenset({CardState.NORMAL, CardState.LOST})

MOVES = {
    CardAct.REPORT_LOST: Move(frozenset({CardState.NORMAL}), CardState.LOST, _HOLDER_OR_DESK),
    CardAct.RESTORE: Move(frozenset({CardState.LOST}), CardState.NORMAL, _HOLDER_OR_DESK),
    CardAct.CANCEL: Move(_IN_USE | {CardState.BEING_MADE}, CardState.CANCELLED, _HOLDER_OR_DESK | {ActorKind.SYSTEM}),
    CardAct.APPLY_AGAIN: Move(frozenset({CardState.CANCELLED}), CardState.NORMAL, _HOLDER_OR_DESK),
    CardAct.ISSUE: Move(
        frozenset({CardState.BEING_MADE, CardState.NOT_ISSUED}),
        CardState.NORMAL,
        frozenset({ActorKind.STAFF, ActorKind.SYSTEM}),
    ),
    CardAct.WITHHOLD: Move(_IN_USE | {CardState.BEING_MADE}, CardState.NOT_ISSUED, frozenset({ActorKind.SYSTEM})),
    CardAct.REPLACE: Move(_IN_USE, None, _HOLDER_OR_DESK),
}


def move_card(session: Session, actor: Actor, card: Card, act: CardAct) -> None:
    """Change a card's state, if it still is one that the act may leave; of two at the same moment one is refused.

    :raises CardActForbidden: somebody else's to do.
    :raises CardReplaced: the card is no longer a living one.
    :raises CardStateForbids: its state does not allow it.
    """
    move, was = MOVES[act], card.state
    if actor.kind not in move.by:
        raise CardActForbidden
    now = clock.now()
    values = {"replaced_at": now} if move.to is None else {"state": int(move.to)}
    moved = session.scalar(
        update(Card)
        .where(Card.id == card.id, Card.replaced_at.is_(None), Card.state == was, Card.state.in_(move.leaves))
        .values(epoch=Card.epoch + 1, **values)
        .returning(Card.id)
        .execution_options(synchronize_session=False)
    )
    session.refresh(card)
    if moved is None:
        raise CardReplaced if card.replaced_at is not None else CardStateForbids(state=card.state)
    session.add(
        CardChange(
            card_id=card.id,
            act=act.value,
            from_state=was,
            to_state=card.state,
            epoch=card.epoch,
            actor_kind=actor.kind.value,
            actor_id=actor.id,
            hospital_id=actor.hospital_id,
            changed_at=now,
        )
    )
    audit.record_act(
        session,
        actor,
        f"health_card.card.{_PAST[act]}",
        subject_id=card.person_id,
        of=("card", card.id),
        facts={"from": was, "to": card.state, "epoch": card.epoch},
    )


_PAST = {
    CardAct.REPORT_LOST: "reported_lost",
    CardAct.RESTORE: "restored",
    CardAct.CANCEL: "cancelled",
    CardAct.APPLY_AGAIN: "applied_for_again",
    CardAct.ISSUE: "issued",
    CardAct.WITHHOLD: "withheld",
    CardAct.REPLACE: "replaced",
}


def was_reported_by(session: Session, actor: Actor, card_id: UUID) -> bool:
    """Whether the actor is the one who last reported the card lost."""
    reported = select(CardChange).where(CardChange.card_id == card_id, CardChange.act == CardAct.REPORT_LOST)
    last = session.scalars(reported.order_by(CardChange.changed_at.desc(), CardChange.id.desc()).limit(1)).one_or_none()
    return last is not None and (last.actor_kind, last.actor_id) == (actor.kind, actor.id)
