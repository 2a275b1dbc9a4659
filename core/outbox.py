"""The outbox: an effect outside the database is a row, written in the transaction of its cause."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb
from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import clock, observe, statements
from core.appending import append_row
from core.db import Base, WithId
from core.ids import new_id

CHANNEL = "outbox"


_WRITE = """
INSERT INTO outbox_messages (id, topic, payload, key, request_id, created_at, due_at, attempts)
VALUES (%(id)s, %(topic)s, %(payload)s, %(key)s, %(request_id)s, %(created_at)s, %(due_at)s, %(attempts)s)
ON CONFLICT (key) DO NOTHING
RETURNING id
"""
_WAKE = "SELECT pg_notify(%(channel)s, %(topic)s)"


class OutboxMessage(WithId, Base):
    """One effect to be done. ``due_at`` is also the lease: a claimed message is due again when its worker died.

    ``held_by``: the lock by which the worker that holds it shows that it lives (``core.dispatch``).
    """

    __tablename__ = "outbox_messages"
    __table_args__ = (
        Index(
            "ix_outbox_messages_due",
            "due_at",
            "id",
            postgresql_where=text("done_at IS NULL AND dead_at IS NULL"),
        ),
        Index("ix_outbox_messages_held_by", "held_by", postgresql_where=text("held_by IS NOT NULL")),
    )

    topic: Mapped[str]
    payload: Mapped[dict[str, Any]]
    key: Mapped[str | None] = mapped_column(unique=True)
    request_id: Mapped[str]
    created_at: Mapped[datetime]
    due_at: Mapped[datetime]
    held_by: Mapped[int | None]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str | None]
    done_at: Mapped[datetime | None]
    dead_at: Mapped[datetime | None]


def announce(
    session: Session,
    topic: str,
    payload: Mapping[str, Any],
    *,
    key: str | None = None,
    due_at: datetime | None = None,
    wakes: bool = True,
) -> bool:
    """Write the message; it leaves when the caller's transaction commits.

    :param topic: past tense, ``package.thing_happened``.
    :param payload: ids and codes only, never personal data.
    :param key: the same key is announced once, however often it is tried.
    :param due_at: not before this time; at once when left out.
    :param wakes: False leaves it to the worker's next look, within a second. PostgreSQL lets transactions that notify
        commit one after the other only; where many people wait at desks for theirs, that is too dear.
    :returns: whether it is new; False: the key was announced before.
    """
    now = clock.now()
    message = {
        "id": str(new_id()),
        "topic": topic,
        "payload": dict(payload),
        "key": key,
        "request_id": observe.request_id(),
        "created_at": now.isoformat(),
        "due_at": (due_at or now).isoformat(),
        "attempts": 0,
    }
    if wakes:
        statements.run(session, _WAKE, {"channel": CHANNEL, "topic": topic})
    if key is None:
        append_row(session, OutboxMessage, message)
        return True
    return statements.run(session, _WRITE, message | {"payload": Jsonb(message["payload"])}) is not None
