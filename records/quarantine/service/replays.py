"""All messages of one reason, tried again in the background."""

from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import audit, clock, outbox
from core.actor import Actor, ActorKind
from core.errors import Refusal
from records.intake.models import InboundMessage
from records.quarantine.models import BulkReplay
from records.quarantine.refusals import ReplayNotFound
from records.quarantine.service.resolving import replay_message

ASKED_TOPIC = "records.bulk_replay_asked"
PAGE = 20


def open_replay(session: Session, actor: Actor, *, reason: str) -> BulkReplay:
    """Have everything that waits for this reason now tried again: the actor's own hospital's, or every hospital's.

    :param reason: the code of a refusal.
    """
    newest = _waiting(actor.hospital_id, reason).order_by(InboundMessage.id.desc()).limit(1)
    now, last_id = clock.now(), session.scalar(newest)
    replay = BulkReplay(
        hospital_id=actor.hospital_id,
        reason=reason,
        created_by=actor.id,
        created_by_kind=actor.kind.value,
        created_at=now,
        last_id=last_id or UUID(int=0),
        ended_at=None if last_id else now,
    )
    session.add(replay)
    session.flush()
    if last_id:
        outbox.announce(session, ASKED_TOPIC, {"replay_id": str(replay.id)})
    audit.record_act(
        session, actor, "records.bulk_replay.opened", of=("bulk_replay", replay.id), facts={"reason": reason}
    )
    return replay


def get_replay(session: Session, actor: Actor, *, replay_id: UUID) -> BulkReplay:
    """:raises ReplayNotFound: none such that the actor's hospital (or the operator) asked for."""
    replay = session.scalars(_asked(actor).where(BulkReplay.id == replay_id)).one_or_none()
    if replay is None:
        raise ReplayNotFound
    return replay


def list_replays(session: Session, actor: Actor) -> list[BulkReplay]:
    """The newest that the actor's hospital (or the operator) asked for."""
    return list(session.scalars(_asked(actor).order_by(BulkReplay.id.desc()).limit(PAGE)))


def replay_next(session: Session, *, replay_id: UUID, card_issuer: str, visit_days: int) -> bool:
    """Try the next message of a bulk replay, in the name of who asked for it; returns whether more are left.

    :param card_issuer: the platform's issuer code, as DICOM files name it.
    :param visit_days: after how many days a visit is over.
    """
    replay = session.scalars(select(BulkReplay).where(BulkReplay.id == replay_id).with_for_update()).one()
    if replay.ended_at is not None:
        return False
    waiting = _waiting(replay.hospital_id, replay.reason).where(InboundMessage.id <= replay.last_id)
    if replay.done_id is not None:
        waiting = waiting.where(InboundMessage.id > replay.done_id)
    message_id = session.scalar(waiting.order_by(InboundMessage.id).limit(1))
    if message_id is None:
        replay.ended_at = clock.now()
        return False
    actor = Actor(ActorKind(replay.created_by_kind), replay.created_by, frozenset(), hospital_id=replay.hospital_id)
    try:
        is_filed = (
            replay_message(session, actor, message_id=message_id, card_issuer=card_issuer, visit_days=visit_days).state
            == "accepted"
        )
    except Refusal as refusal:
        # Resolved by somebody else at this moment, or refused half way: then the caller's transaction must not stay.
        raise PassedOver(message_id) from refusal
    replay.done_id = message_id
    replay.filed, replay.kept = replay.filed + is_filed, replay.kept + (not is_filed)
    return True


class PassedOver(Exception):
    """This message cannot be tried now; nothing of the try may stay."""

    def __init__(self, message_id: UUID) -> None:
        super().__init__()
        self.message_id = message_id


def pass_over(session: Session, *, replay_id: UUID, message_id: UUID) -> None:
    """Go on behind a message that cannot be tried now."""
    replay = session.scalars(select(BulkReplay).where(BulkReplay.id == replay_id).with_for_update()).one()
    if replay.done_id is None or replay.done_id < message_id:
        replay.done_id, replay.kept = message_id, replay.kept + 1


def _waiting(hospital_id: UUID | None, reason: str) -> Select[tuple[UUID]]:
    waiting = select(InboundMessage.id).filter_by(state="quarantined", reason=reason)
    return waiting if hospital_id is None else waiting.filter_by(hospital_id=hospital_id)


def _asked(actor: Actor) -> Select[tuple[BulkReplay]]:
    return select(BulkReplay).where(BulkReplay.hospital_id.is_not_distinct_from(actor.hospital_id))
