"""Telling a person: a row, and an outbox message that carries it to the phone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy import select, update
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

# In one order for everybody, so that two who tell several persons wait instead of locking each other out.
_LOCK_TOLD = """
SELECT count(pg_advisory_xact_lock(hashtextextended('told/' || root_id || '/' || %(kind)s, 0)))
FROM (SELECT DISTINCT root_id FROM persons WHERE id = ANY(%(person_ids)s) ORDER BY root_id) told
"""

_COLUMNS = "id, person_id, kind, facts, hospital_id, object_kind, object_id, key, own_only, created_at"
_TELL_OF_MANY = statements.compose(
    """
WITH asked AS (
    SELECT DISTINCT ON (own.root_id, news.hospital_id, news.own_only) news.*, own.root_id
    FROM jsonb_populate_recordset(NULL::notices, %(notices)s) news JOIN persons own ON own.id = news.person_id
    ORDER BY own.root_id, news.hospital_id, news.own_only, news.id
), written AS (
    INSERT INTO notices ({columns})
    SELECT {columns} FROM asked
    WHERE NOT EXISTS (
        SELECT FROM persons same JOIN notices young ON young.person_id = same.id
        WHERE same.root_id = asked.root_id AND young.kind = asked.kind AND young.hospital_id = asked.hospital_id
            AND young.own_only = asked.own_only AND young.created_at > %(young)s AND young.seen_at IS NULL
    )
    ON CONFLICT (key) DO NOTHING
    RETURNING id
)
SELECT array_agg(id) FROM written
""",
    columns=_COLUMNS,
)


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


@dataclass(frozen=True)
class News:
    """One thing to be told to a person unless he has just been told of another of its kind; see ``tell``."""

    person_id: UUID
    hospital_id: UUID
    of: tuple[str, UUID]
    facts: Mapping[str, Any]
    key: str
    own_only: bool


def tell_of_many(session: Session, *, kind: str, news: Sequence[News], within: timedelta) -> None:
    """Tell each of the persons, of many things of one hospital at once only of one.

    Of nothing when an unseen notice of this kind, from this hospital and to the same readers, is as young as this.
    Whoever tells the same person at this moment waits until we have committed.
    """
    if not news:
        return
    statements.run(session, _LOCK_TOLD, {"kind": kind, "person_ids": [one.person_id for one in news]})
    now = clock.now()
    notices = [
        vars(one)
        | {"id": new_id(), "kind": NoticeKind(kind).value, "facts": dict(one.facts), "created_at": now.isoformat()}
        | {"object_kind": one.of[0], "object_id": one.of[1]}
        for one in news
    ]
    asked = {"notices": json.dumps(notices, default=str), "young": now - within}
    row = statements.run(session, _TELL_OF_MANY, asked)
    for notice_id in (row[0] if row else None) or ():
        outbox.announce(session, WRITTEN_TOPIC, {"notice_id": str(notice_id)}, wakes=False)


def keep_notices_own(session: Session, *, person_id: UUID, object_id: UUID, own_only: bool) -> None:
    """From now on only the person himself reads the notices about this thing, or again all who act for him."""
    records = select(Person.id).where(Person.root_id.in_(select(Person.root_id).where(Person.id == person_id)))
    about = Notice.person_id.in_(records), Notice.object_id == object_id
    session.execute(update(Notice).where(*about).values(own_only=own_only))
