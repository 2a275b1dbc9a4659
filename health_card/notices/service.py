"""Telling a person: a row, and an outbox message that carries it to the phone."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from core import clock, outbox, statements
from core.appending import append_row
from core.ids import new_id
from health_card.notices.models import Notice, NoticeKind

WRITTEN_TOPIC = "health_card.notice_written"

_TELL_ONCE = """
INSERT INTO notices (id, person_id, kind, facts, hospital_id, object_kind, object_id, key, created_at)
VALUES (%(id)s, %(person_id)s, %(kind)s, %(facts)s, %(hospital_id)s, %(object_kind)s, %(object_id)s, %(key)s,
    %(created_at)s)
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
) -> UUID | None:
    """Tell a person what happened, in the transaction in which it happens. That act has its own audit row.

    :param kind: one of ``NoticeKind``.
    :param facts: ids and codes only. ``terminal`` and ``other_hospital_id`` are used by the texts.
    :param hospital_id: where it happened.
    :param of: kind and id of the thing concerned, for example ``("visit", id)``.
    :param key: the same key is told once, however often it is tried.
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
        "created_at": clock.now().isoformat(),
    }
    if key is None:
        append_row(session, Notice, notice)
    elif statements.run(session, _TELL_ONCE, notice | {"facts": Jsonb(notice["facts"])}) is None:
        return None
    # A desk waits for this commit, and commits that carry a NOTIFY wait for each other.
    outbox.announce(session, WRITTEN_TOPIC, {"notice_id": str(notice_id)}, wakes=False)
    return notice_id
