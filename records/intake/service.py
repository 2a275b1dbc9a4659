"""Keeping what was sent, recognising a repeat, and setting aside what cannot be filed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, union_all
from sqlalchemy.orm import Session

from core import audit, clock, storage
from core.actor import Actor
from core.appending import append_rows
from core.vault import vault
from records.intake.models import InboundMessage
from records.refusals import MessageDismissed

BODY = "inbound_messages.body"

# The places of those whose key came before, whatever became of it; the caller holds their locks. Of those without a
# key: which are waiting or were dismissed, by what they say. Its parameters: ``ask_known``. OFFSET keeps each question
# a look at an index by message: asked the other way round, all that a hospital ever sent would be read each time.
KNOWN = """
SELECT asked.place
FROM jsonb_to_recordset(%(arrivals)s) asked (place int, channel text, key text, digest bytea)
WHERE EXISTS (
    SELECT FROM inbound_messages
    WHERE hospital_id = %(hospital_id)s AND channel = asked.channel AND message_key = asked.key AND state = 'accepted'
    OFFSET 0
) OR EXISTS (
    SELECT FROM inbound_messages
    WHERE hospital_id = %(hospital_id)s AND channel = asked.channel AND message_key = asked.key AND state <> 'accepted'
    OFFSET 0
) OR asked.key IS NULL AND (
    EXISTS (
        SELECT FROM inbound_messages
        WHERE hospital_id = %(hospital_id)s AND channel = asked.channel AND message_key IS NULL
            AND digest = asked.digest AND state = 'quarantined'
        OFFSET 0
    ) OR EXISTS (
        SELECT FROM inbound_messages
        WHERE hospital_id = %(hospital_id)s AND channel = asked.channel AND message_key IS NULL
            AND digest = asked.digest AND state = 'dismissed'
        OFFSET 0
    )
)
"""


@dataclass(frozen=True)
class Arrival:
    """A message as it arrived at the edge. ``channel``: fhir, hl7v2, dicom or upload."""

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


def find_repeat(session: Session, actor: Actor, arrival: Arrival) -> InboundMessage | None:
    """The accepted message with this key, when it came before; two of one key at the same moment wait here.

    :raises MessageDismissed: the hospital has dismissed this very message. A machine that goes on sending it does not
        undo what a person decided.
    """
    key, own = arrival.message_key, _sent_by(actor, arrival)
    lock_key(session, actor.house_id, arrival.channel, key or _digest(arrival.body).hex())
    dismissed = own.where(InboundMessage.state == "dismissed", InboundMessage.digest == _digest(arrival.body))
    if key is None:
        found = session.scalars(dismissed.where(InboundMessage.message_key.is_(None))).all()
    else:
        accepted = own.where(InboundMessage.state == "accepted").where(InboundMessage.message_key == key)
        found = session.scalars(select(InboundMessage).from_statement(union_all(accepted, dismissed))).all()
    # What was accepted in the meantime, because it was reopened, counts for more.
    repeat = next((message for message in found if message.state == "accepted"), None)
    if repeat is None and found:
        raise MessageDismissed
    return repeat


def lock_key(session: Session, hospital_id: UUID, channel: str, message_key: str) -> None:
    """Whoever files or resolves a message of this key at this moment waits until we have committed.

    :param message_key: of a message without one its digest, in hexadecimal digits.
    """
    lock = _lock(hospital_id, channel, message_key)
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(lock, 0))))


def message_lock(actor: Actor, arrival: Arrival) -> str:
    """Who decides about a message of this key holds this advisory lock."""
    return _lock(actor.house_id, arrival.channel, arrival.message_key or _digest(arrival.body).hex())


def _lock(hospital_id: UUID, channel: str, message_key: str) -> str:
    return f"{hospital_id}/{channel}/{message_key}"


def ask_known(actor: Actor, arrivals: Mapping[int, Arrival]) -> dict[str, Any]:
    """The parameters of ``KNOWN``."""
    asked = [
        {
            "place": place,
            "channel": one.channel,
            "key": one.message_key,
            # As PostgreSQL reads bytes.
            "digest": f"\\x{_digest(one.body).hex()}",
        }
        for place, one in arrivals.items()
    ]
    return {"arrivals": json.dumps(asked), "hospital_id": actor.house_id}


def keep_all_accepted(session: Session, actor: Actor, kept: Sequence[Kept]) -> None:
    """As ``keep_accepted``, for many messages that nobody sent before; written with what else is appended."""
    rows = [
        _row_of(actor, one.arrival)
        | {"id": one.id, "state": "accepted", "reply": one.reply, "person_id": one.person_id}
        for one in kept
    ]
    append_rows(session, InboundMessage, rows)
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
    :raises MessageDismissed: the hospital has dismissed this very message.
    """
    find_repeat(session, actor, arrival)
    return _keep(session, actor, arrival, person_id=None, reply=None, reason=reason)


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
    waiting = _sent_by(actor, arrival).filter_by(
        message_key=arrival.message_key, digest=_digest(arrival.body), state="quarantined"
    )
    return session.scalars(waiting.order_by(InboundMessage.id).limit(1).with_for_update()).one_or_none()


def _sent_by(actor: Actor, arrival: Arrival) -> Select[tuple[InboundMessage]]:
    return select(InboundMessage).filter_by(hospital_id=actor.house_id, channel=arrival.channel)


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
