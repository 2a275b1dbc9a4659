"""Keeping what was sent, recognising a repeat, and setting aside what cannot be filed."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, load_only

from accounts import service as accounts
from core import audit, clock, db, statements, storage
from core.actor import Actor
from core.vault import vault
from records.intake.models import InboundMessage

BODY = "inbound_messages.body"

_KNOWN = """
SELECT array_agg(asked.place)
FROM unnest(%(places)s::int[], %(channels)s::text[], %(keys)s::text[]) asked (place, channel, key)
WHERE EXISTS (
    SELECT FROM inbound_messages
    WHERE hospital_id = %(hospital_id)s AND channel = asked.channel AND message_key = asked.key AND state = 'accepted'
) OR EXISTS (
    SELECT FROM inbound_messages
    WHERE hospital_id = %(hospital_id)s AND channel = asked.channel AND message_key = asked.key
        AND state = 'quarantined'
)
"""


@dataclass(frozen=True)
class Arrival:
    """A message as it arrived at the edge. ``channel``: fhir, hl7v2 or dicomweb."""

    channel: str
    body: bytes
    content_type: str
    message_key: str | None = None


@dataclass(frozen=True)
class Kept:
    """A message about to be kept as filed, with the answer that a repeat gets again."""

    id: UUID
    arrival: Arrival
    person_id: UUID
    reply: str


@dataclass(frozen=True)
class WaitingMessage:
    """A message in quarantine, without what it says. ``reason``: the code of the refusal."""

    id: UUID
    hospital_name: str
    channel: str
    reason: str
    message_key: str | None
    received_at: datetime


def find_repeat(session: Session, actor: Actor, arrival: Arrival) -> InboundMessage | None:
    """The accepted message with this key, when it came before; two of one key at the same moment wait here."""
    if arrival.message_key is None:
        return None
    lock = message_lock(actor, arrival)
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(lock, 0))))
    return session.scalars(
        select(InboundMessage).filter_by(
            hospital_id=actor.house_id, channel=arrival.channel, message_key=arrival.message_key, state="accepted"
        )
    ).one_or_none()


def message_lock(actor: Actor, arrival: Arrival) -> str:
    """Who decides about a message of this key holds this advisory lock."""
    return f"{actor.house_id}/{arrival.channel}/{arrival.message_key}"


def find_known(session: Session, actor: Actor, arrivals: Mapping[int, Arrival]) -> set[int]:
    """The places of those whose key came before, whatever became of it; the caller holds their locks."""
    row = statements.run(
        session,
        _KNOWN,
        {
            "places": list(arrivals),
            "channels": [arrival.channel for arrival in arrivals.values()],
            "keys": [arrival.message_key for arrival in arrivals.values()],
            "hospital_id": actor.house_id,
        },
    )
    return set(row[0] or ()) if row else set()


def keep_all_accepted(session: Session, actor: Actor, kept: Sequence[Kept]) -> None:
    """As ``keep_accepted``, for many messages that nobody sent before."""
    rows = [
        _row_of(actor, one.arrival)
        | {"id": one.id, "state": "accepted", "reply": one.reply, "person_id": one.person_id}
        for one in kept
    ]
    db.copy_rows(session, InboundMessage, rows)
    for one in kept:
        audit.record_act(
            session,
            actor,
            "records.message.accepted",
            subject_id=one.person_id,
            of=("inbound_message", one.id),
            facts={"channel": one.arrival.channel},
        )


def keep_accepted(session: Session, actor: Actor, arrival: Arrival, *, person_id: UUID | None, reply: str) -> UUID:
    """Keep a message that was filed, with the answer that a repeat gets again.

    When the same message waits in quarantine (sent again after what was missing had been put right), it leaves it.
    """
    return _keep(session, actor, arrival, person_id=person_id, reply=reply, reason=None)


def quarantine(session: Session, actor: Actor, arrival: Arrival, *, reason: str) -> UUID:
    """Keep a message that could not be filed, whole, until somebody resolves it. Sent again, it is kept once.

    :param reason: the code of the refusal.
    """
    return _keep(session, actor, arrival, person_id=None, reply=None, reason=reason)


def list_quarantine(
    session: Session, actor: Actor, *, before: UUID | None = None, limit: int = 50
) -> list[WaitingMessage]:
    """What waits in quarantine, newest first: the actor's own hospital's, or all of it for one who acts for none.

    :param before: the id of the last line of the page before.
    """
    waiting = select(InboundMessage).where(InboundMessage.state == "quarantined")
    if actor.hospital_id is not None:
        waiting = waiting.where(InboundMessage.hospital_id == actor.hospital_id)
    if before is not None:
        waiting = waiting.where(InboundMessage.id < before)
    columns = load_only(
        InboundMessage.hospital_id,
        InboundMessage.channel,
        InboundMessage.reason,
        InboundMessage.message_key,
        InboundMessage.received_at,
    )
    messages = session.scalars(waiting.options(columns).order_by(InboundMessage.id.desc()).limit(limit)).all()
    hospitals = accounts.list_hospitals(session, {message.hospital_id for message in messages})
    audit.record_act(session, actor, "records.quarantine.listed", facts={"lines": len(messages)})
    return [
        WaitingMessage(
            id=message.id,
            hospital_name=hospitals[message.hospital_id].name,
            channel=message.channel,
            reason=message.reason or "",
            message_key=message.message_key,
            received_at=message.received_at,
        )
        for message in messages
    ]


def read_body(message: InboundMessage) -> bytes:
    """What was sent, byte for byte."""
    if message.storage_key is not None:
        with storage.open_file(message.storage_key, message.data_key) as stream:
            return stream.read()
    assert message.body_sealed is not None
    return vault().unwrap(message.data_key).unseal_bytes(message.body_sealed, context=BODY)


def is_same_content(message: InboundMessage, arrival: Arrival) -> bool:
    """Whether a repeat says the same; another content under a used key is a mistake of the sender."""
    return message.digest == _digest(arrival.body)


def _keep(
    session: Session,
    actor: Actor,
    arrival: Arrival,
    *,
    person_id: UUID | None,
    reply: str | None,
    reason: str | None,
) -> UUID:
    message = _find_waiting(session, actor, arrival) or _new_message(actor, arrival)
    message.state = "quarantined" if reason else "accepted"
    message.reason, message.reply, message.person_id = reason, reply, person_id
    session.add(message)
    session.flush()
    audit.record_act(
        session,
        actor,
        f"records.message.{message.state}",
        subject_id=person_id,
        of=("inbound_message", message.id),
        facts={"channel": arrival.channel} | ({"reason": reason} if reason else {}),
    )
    return message.id


def _find_waiting(session: Session, actor: Actor, arrival: Arrival) -> InboundMessage | None:
    waiting = select(InboundMessage).filter_by(
        hospital_id=actor.house_id,
        channel=arrival.channel,
        message_key=arrival.message_key,
        digest=_digest(arrival.body),
        state="quarantined",
    )
    return session.scalars(waiting.order_by(InboundMessage.id).limit(1)).one_or_none()


def _new_message(actor: Actor, arrival: Arrival) -> InboundMessage:
    return InboundMessage(**_row_of(actor, arrival))


def _row_of(actor: Actor, arrival: Arrival) -> dict[str, Any]:
    data_key, wrapped = vault().new_key()
    return {
        "hospital_id": actor.house_id,
        "channel": arrival.channel,
        "message_key": arrival.message_key,
        "digest": _digest(arrival.body),
        "content_type": arrival.content_type,
        "data_key": wrapped,
        "body_sealed": data_key.seal_bytes(arrival.body, context=BODY),
        "received_at": clock.now(),
    }


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()
