"""What waits: a hospital sees its own, who acts for none (the operator) sees all."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, load_only

from accounts import service as accounts
from core import audit, storage
from core.actor import Actor
from records.intake import service as intake
from records.intake.models import InboundMessage
from records.quarantine.reading import read_text
from records.quarantine.refusals import MessageNotFound, PurposeMissing

_SHOWN = load_only(
    InboundMessage.hospital_id,
    InboundMessage.channel,
    InboundMessage.state,
    InboundMessage.reason,
    InboundMessage.message_key,
    InboundMessage.received_at,
    InboundMessage.resolution,
    InboundMessage.resolution_reason,
    InboundMessage.resolved_at,
)


@dataclass(frozen=True)
class Filter:
    """Which messages are asked for. ``state``: quarantined or dismissed; moments bound when they came."""

    state: str = "quarantined"
    reason: str | None = None
    channel: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class WaitingMessage:
    """A message, without what it says. ``reason``: the code of the refusal that put it aside, when it still counts."""

    id: UUID
    hospital_name: str
    channel: str
    state: str
    reason: str | None
    message_key: str | None
    received_at: datetime
    resolution: str | None
    resolution_reason: str | None
    resolved_at: datetime | None


@dataclass(frozen=True)
class MessageText:
    """What a message says. ``is_cut``: its end is left out."""

    text: str
    is_cut: bool


def list_quarantine(
    session: Session, actor: Actor, *, wanted: Filter | None = None, before: UUID | None = None, limit: int = 50
) -> list[WaitingMessage]:
    """What waits in quarantine, newest first.

    :param before: the id of the last line of the page before.
    """
    wanted = wanted or Filter()
    waiting = _visible(actor).where(InboundMessage.state == wanted.state)
    if wanted.reason:
        waiting = waiting.where(InboundMessage.reason == wanted.reason)
    if wanted.channel:
        waiting = waiting.where(InboundMessage.channel == wanted.channel)
    if wanted.since:
        waiting = waiting.where(InboundMessage.received_at >= wanted.since)
    if wanted.until:
        waiting = waiting.where(InboundMessage.received_at < wanted.until)
    if before is not None:
        waiting = waiting.where(InboundMessage.id < before)
    messages = session.scalars(waiting.options(_SHOWN).order_by(InboundMessage.id.desc()).limit(limit)).all()
    audit.record_act(session, actor, "records.quarantine.listed", facts={"lines": len(messages)})
    return _show(session, messages)


def count_reasons(session: Session, actor: Actor) -> dict[str, int]:
    """How many messages wait for each reason, the most frequent first."""
    waiting = _visible(actor).where(InboundMessage.state == "quarantined").subquery()
    counted = select(waiting.c.reason, func.count()).group_by(waiting.c.reason)
    return dict(session.execute(counted.order_by(func.count().desc(), waiting.c.reason)).tuples().all())


def get_message(session: Session, actor: Actor, *, message_id: UUID) -> WaitingMessage:
    """One message, without what it says.

    :raises MessageNotFound: none such of the actor's hospital.
    """
    return _show(session, [find_message(session, actor, message_id)])[0]


def read_message(session: Session, actor: Actor, *, message_id: UUID, purpose: str | None = None) -> MessageText:
    """What a message says, decoded; the act is recorded.

    :param purpose: a code of ``words.PURPOSES``; whoever acts for no hospital must say one.
    :raises MessageNotFound: none such of the actor's hospital.
    :raises PurposeMissing: the operator gave none.
    """
    message = find_message(session, actor, message_id)
    if actor.hospital_id is None and purpose is None:
        raise PurposeMissing
    audit.record_act(
        session,
        actor,
        "records.message.read",
        of=("inbound_message", message.id),
        purpose=purpose,
        facts={"channel": message.channel},
    )
    if message.storage_key is not None:
        with storage.open_file(message.storage_key, message.data_key) as stream:
            return MessageText(*read_text(message.channel, stream))
    return MessageText(*read_text(message.channel, io.BytesIO(intake.read_body(message))))


def find_message(session: Session, actor: Actor, message_id: UUID) -> InboundMessage:
    """A message that waits, was dismissed, or was resolved from quarantine.

    :raises MessageNotFound: none such of the actor's hospital.
    """
    mine = _visible(actor).where(InboundMessage.id == message_id)
    aside = (InboundMessage.state != "accepted") | InboundMessage.resolution.is_not(None)
    message = session.scalars(mine.where(aside)).one_or_none()
    if message is None:
        raise MessageNotFound
    return message


def _visible(actor: Actor) -> Select[tuple[InboundMessage]]:
    messages = select(InboundMessage)
    return messages if actor.hospital_id is None else messages.filter_by(hospital_id=actor.hospital_id)


def _show(session: Session, messages: Iterable[InboundMessage]) -> list[WaitingMessage]:
    hospitals = accounts.list_hospitals(session, {message.hospital_id for message in messages})
    names = [name for name in WaitingMessage.__dataclass_fields__ if name != "hospital_name"]
    return [
        WaitingMessage(
            hospital_name=hospitals[message.hospital_id].name, **{name: getattr(message, name) for name in names}
        )
        for message in messages
    ]
