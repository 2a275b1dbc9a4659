"""Telling a person: a row, and an outbox message that carries it to the phone."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from core import clock, outbox, statements
from core.appending import append_row
from core.ids import new_id
from health_card.models import Person
from health_card.notices.models import Notice, NoticeKind

WRITTEN_TOPIC = "health_card.notice_written"

_TELL_ONCE = """
INSERT INTO notices (id, person_id, kind, facts, hospital_id, object_kind, object_id, key, own_only, created_at)
VALUES (%(id)s, %(person_id)s, %(kind)s, %(facts)s, %(hospital_id)s, %(object_kind)s, %(object_id)s, %(key)s,
    %(own_only)s, %(created_at)s)
ON CONFLICT (key) DO NOTHING
RETURNING id
"""


def tell(
    session: Session,
    *,
    person_id: UUID,
    kind: str,
    facts: Mapping[str, Any] | None = None,
    hospital_id: UUID | None = None,
    of: tuple[str, UUID] | None = None,
    key: str | None = None,
    own_only: bool = False,
) -> UUID | None:
    """Tell a person what happened, in the transaction in which it happens. That act has its own audit row.

    :param kind: one of ``NoticeKind``.
    :param facts: ids and codes only. ``terminal`` and ``other_hospital_id`` are used by the texts.
    :param hospital_id: where it happened.
    :param of: kind and id of the thing concerned, for example ``("visit", id)``.
    :param key: the same key is told once, however often it is tried.
    :param own_only: the person himself is told, and nobody who acts for him.
    :returns: the notice's id, or None when the key was told before.
    """
    notice_id = new_id()
    notice = {
        "id": str(notice_id),
        "person_id": str(person_id),
        "kind": NoticeKind(kind).value,
        "facts": dict(facts or {}),
        "hospital_id": str(hospital_id) if hospital_id else None,
        "object_kind": of[0] if of else None,
        "object_id": str(of[1]) if of else None,
        "key": key,
        "own_only": own_only,
        "created_at": clock.now().isoformat(),
    }
    if key is None:
        append_row(session, Notice, notice)
    elif statements.run(session, _TELL_ONCE, notice | {"facts": Jsonb(notice["facts"])}) is None:
        return None
    # A desk waits for this commit, and commits that carry a NOTIFY wait for each other.
    outbox.announce(session, WRITTEN_TOPIC, {"notice_id": str(notice_id)}, wakes=False)
    return notice_id


def is_told_already(
    session: Session, *, person_id: UUID, kind: str, hospital_id: UUID, within: timedelta, own_only: bool = False
) -> bool:
    """Whether an unseen notice of this kind, from this hospital and to the same readers, is as young as this.

    Whoever asks about the same person at this moment waits until we have committed: of many things at once only the
    first is told.
    """
    root_id = session.scalars(select(Person.root_id).where(Person.id == person_id)).one()
    lock = func.hashtextextended(f"told/{root_id}/{kind}", 0)
    session.execute(select(func.pg_advisory_xact_lock(lock)))
    young = select(Notice.id).where(
        Notice.person_id.in_(select(Person.id).where(Person.root_id == root_id)),
        Notice.kind == kind,
        Notice.hospital_id == hospital_id,
        Notice.own_only.is_(own_only),
        Notice.created_at > clock.now() - within,
        Notice.seen_at.is_(None),
    )
    return session.scalar(young.limit(1)) is not None


def keep_notices_own(session: Session, *, person_id: UUID, object_id: UUID, own_only: bool) -> None:
    """From now on only the person himself reads the notices about this thing, or again all who act for him."""
    records = select(Person.id).where(Person.root_id.in_(select(Person.root_id).where(Person.id == person_id)))
    about = Notice.person_id.in_(records), Notice.object_id == object_id
    session.execute(update(Notice).where(*about).values(own_only=own_only))
