"""What a login has opened, and what is new to it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent import service as consent
from core import clock, statements
from core.actor import Actor, ActorKind
from health_card import service as health_card
from records.timeline.models import SeenItem, TimelineEntry

# At every report and study that a patient opens, hence by hand. Opened again, nothing is written.
_MARK = """
INSERT INTO seen_items AS known (login_id, object_id, version, seen_at)
SELECT %(login_id)s, item.object_id, %(version)s, %(now)s FROM timeline_entries item
WHERE item.object_id = %(object_id)s AND NOT EXISTS (
    SELECT FROM seen_items seen
    WHERE seen.login_id = %(login_id)s AND seen.object_id = item.object_id AND seen.version >= %(version)s
)
ON CONFLICT (login_id, object_id) DO UPDATE SET version = excluded.version, seen_at = excluded.seen_at
    WHERE known.version < excluded.version
"""


@dataclass(frozen=True)
class Counted:
    """How many items there are, and how many of them the login has not opened."""

    count: int
    unread_count: int


def mark_seen(session: Session, actor: Actor, *, object_id: UUID, version: int = 1) -> None:
    """The login has this version of an item before its eyes. Only patients have marks."""
    if actor.kind is not ActorKind.PATIENT:
        return
    asked = {"login_id": actor.id, "object_id": object_id, "version": version, "now": clock.now()}
    statements.run(session, _MARK, asked)


def mark_all_seen(session: Session, actor: Actor, *, person_id: UUID | None = None) -> int:
    """Everything that the login may see now counts as read.

    :param person_id: only what is this person's; None: of all for whom the login acts.
    :returns: how many items were new.
    """
    unread = select(literal(actor.id), TimelineEntry.object_id, TimelineEntry.version, literal(clock.now())).where(
        consent.is_readable(actor, person_id=TimelineEntry.person_id, object_id=TimelineEntry.object_id),
        is_unread(actor),
    )
    if person_id is not None:
        unread = unread.where(TimelineEntry.person_id.in_(health_card.same_person_ids(person_id)))
    return _write(session, unread)


def is_unread(actor: Actor) -> ColumnElement[bool]:
    """Whether a line's newest version was never opened by this login; for use in a query on the timeline."""
    seen = select(SeenItem.object_id).where(
        SeenItem.login_id == actor.id,
        SeenItem.object_id == TimelineEntry.object_id,
        SeenItem.version >= TimelineEntry.version,
    )
    return ~seen.exists()


def count_between(
    session: Session,
    actor: Actor,
    *,
    person_id: UUID,
    spans: Iterable[tuple[datetime, datetime | None]],
) -> list[Counted]:
    """The items of a person that the actor may see, span by span: from (included), until (not included; None: open)."""
    columns = []
    for start, end in spans:
        inside = TimelineEntry.occurred_at >= start
        if end is not None:
            inside = and_(inside, TimelineEntry.occurred_at < end)
        columns += [func.count().filter(inside), func.count().filter(inside, is_unread(actor))]
    if not columns:
        return []
    counts = session.execute(
        select(*columns).where(
            TimelineEntry.person_id.in_(health_card.same_person_ids(person_id)),
            consent.is_readable(actor, person_id=TimelineEntry.person_id, object_id=TimelineEntry.object_id),
        )
    ).one()
    return [Counted(counts[at], counts[at + 1]) for at in range(0, len(counts), 2)]


def _write(session: Session, marks: object) -> int:
    new = insert(SeenItem).from_select(["login_id", "object_id", "version", "seen_at"], marks)  # type: ignore[arg-type]
    newer = new.on_conflict_do_update(
        index_elements=["login_id", "object_id"],
        set_={"version": new.excluded.version, "seen_at": new.excluded.seen_at},
        where=SeenItem.version < new.excluded.version,
    )
    return len(session.scalars(newer.returning(SeenItem.object_id)).all())
