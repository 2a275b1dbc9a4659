"""Messages too big for a row: the same quarantine as in ``service``, with the body in a sealed file."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import audit, clock, statements, storage
from core.actor import Actor
from records.intake.models import InboundMessage
from records.intake.service import lock_key
from records.refusals import MessageDismissed

_IS_KEPT = """
SELECT id FROM inbound_messages
WHERE hospital_id = %(hospital_id)s AND channel = %(channel)s AND message_key = %(message_key)s
    AND digest = %(digest)s AND state = %(state)s
LIMIT 1
"""


@dataclass(frozen=True)
class FileArrival:
    """A message as it arrived, staged as a file. ``message_key`` is the sender's own id of it."""

    channel: str
    file: storage.Staged
    content_type: str
    message_key: str


def quarantine_file(session: Session, actor: Actor, arrival: FileArrival, *, reason: str) -> UUID:
    """Keep a file that could not be filed, whole, until somebody resolves it. Sent again, it is kept once.

    :param reason: the code of the refusal.
    """
    lock_key(session, actor.house_id, arrival.channel, arrival.message_key)
    waiting = session.scalars(_kept(actor, arrival, "quarantined")).first()
    if waiting is not None:
        return waiting.id
    message = InboundMessage(
        hospital_id=actor.house_id,
        channel=arrival.channel,
        message_key=arrival.message_key,
        digest=arrival.file.sha256,
        content_type=arrival.content_type,
        data_key=arrival.file.wrapped_key,
        storage_key=storage.keep(arrival.file),
        state="quarantined",
        reason=reason,
        received_at=clock.now(),
    )
    session.add(message)
    session.flush()
    audit.record_act(
        session,
        actor,
        "records.message.quarantined",
        of=("inbound_message", message.id),
        facts={"channel": arrival.channel, "reason": reason},
    )
    return message.id


def check_not_dismissed(session: Session, actor: Actor, arrival: FileArrival) -> None:
    """:raises MessageDismissed: the hospital has dismissed this very file."""
    if _is_kept(session, actor, arrival, "dismissed"):
        raise MessageDismissed


def list_kept_keys(session: Session, actor: Actor, channel: str, message_keys: list[str]) -> set[str]:
    """Of these keys of messages, those under which something of the hospital waits or was dismissed."""
    kept = select(InboundMessage.message_key).where(
        InboundMessage.hospital_id == actor.house_id,
        InboundMessage.channel == channel,
        InboundMessage.message_key.in_(message_keys),
        InboundMessage.state.in_(("quarantined", "dismissed")),
    )
    return set(session.scalars(kept))


def accept_waiting_file(session: Session, actor: Actor, arrival: FileArrival, *, person_id: UUID) -> None:
    """Let a file leave quarantine: sent again after what was missing had been put right, it was filed."""
    if not _is_kept(session, actor, arrival, "quarantined"):
        return
    for message in session.scalars(_kept(actor, arrival, "quarantined").with_for_update()).all():
        message.state, message.reason, message.person_id = "accepted", None, person_id
        session.flush()
        audit.record_act(
            session,
            actor,
            "records.message.accepted",
            subject_id=person_id,
            of=("inbound_message", message.id),
            facts={"channel": arrival.channel},
        )


def _is_kept(session: Session, actor: Actor, arrival: FileArrival, state: str) -> bool:
    """As ``_kept``; asked twice of every image that comes, hence by hand."""
    asked = {
        "hospital_id": actor.house_id,
        "channel": arrival.channel,
        "message_key": arrival.message_key,
        "digest": arrival.file.sha256,
        "state": state,
    }
    return statements.run(session, _IS_KEPT, asked) is not None


def _kept(actor: Actor, arrival: FileArrival, state: str) -> Select[tuple[InboundMessage]]:
    return select(InboundMessage).filter_by(
        hospital_id=actor.house_id,
        channel=arrival.channel,
        message_key=arrival.message_key,
        digest=arrival.file.sha256,
        state=state,
    )
