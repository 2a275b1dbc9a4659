"""Telling a person: a row, and an outbox message that carries it to the phone."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import clock, outbox
from core.ids import new_id
from health_card.notices.models import Notice, NoticeKind

WRITTEN_TOPIC = "health_card.notice_written"


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
    told = (
        insert(Notice)
        .values(
            id=new_id(),
            person_id=person_id,
            kind=NoticeKind(kind).value,
            facts=dict(facts or {}),
            hospital_id=hospital_id,
            object_kind=of[0] if of else None,
            object_id=of[1] if of else None,
            key=key,
            created_at=clock.now(),
        )
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(Notice.id)
    )
    notice_id = session.scalar(told)
    if notice_id is not None:
        # A desk waits for this commit, and commits that carry a NOTIFY wait for each other.
        outbox.announce(session, WRITTEN_TOPIC, {"notice_id": str(notice_id)}, wakes=False)
    return notice_id
