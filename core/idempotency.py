"""Idempotency keys: the same intent sent twice has one effect and gets the same reply."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import clock
from core.db import Base
from core.errors import IdempotencyKeyMissing, IdempotencyKeyReused


class IdempotentReply(Base):
    """What was answered to an intent, kept in the transaction of its effect."""

    __tablename__ = "idempotent_replies"

    owner_id: Mapped[UUID] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_digest: Mapped[bytes]
    reply: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]


def check_key(key: str | None) -> str:
    """:raises IdempotencyKeyMissing: no key, or one that is not 8 to 128 printable ASCII characters."""
    if key is None or not re.fullmatch(r"[!-~]{8,128}", key):
        raise IdempotencyKeyMissing
    return key


def do_once(
    session: Session,
    *,
    owner_id: UUID,
    operation: str,
    key: str,
    request: Mapping[str, Any],
    act: Callable[[], dict[str, Any]],
) -> tuple[dict[str, Any], bool]:
    """Do ``act`` unless this key did it before; a second call at the same moment waits for the first.

    :param request: what makes the intent; the same key with another request is refused.
    :param act: does the work in ``session`` and returns the reply as a JSON object.
    :returns: the reply, and whether it is a replay.
    :raises IdempotencyKeyReused: the key belongs to another request.
    """
    digest = hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).digest()
    identity = {"owner_id": owner_id, "operation": operation, "key": key}
    claimed = session.scalar(
        insert(IdempotentReply)
        .values(**identity, request_digest=digest, created_at=clock.now())
        .on_conflict_do_nothing()
        .returning(IdempotentReply.key)
    )
    if claimed is None:
        return _replay(session, (owner_id, operation, key), digest), True
    reply = act()
    session.execute(update(IdempotentReply).filter_by(**identity).values(reply=reply))
    return reply, False


def _replay(session: Session, identity: tuple[UUID, str, str], digest: bytes) -> dict[str, Any]:
    earlier = session.get_one(IdempotentReply, identity)
    if earlier.request_digest != digest:
        raise IdempotencyKeyReused
    if earlier.reply is None:
        raise RuntimeError("an idempotency key was committed without its reply")
    return earlier.reply
