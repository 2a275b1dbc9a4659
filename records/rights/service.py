"""What the law keeps of a person's records, what ends with him when they are deleted, and what is kept too long."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from consent.rights.service import Hold, HoldCode, begin_of_keeping, keep_since
from core import clock, statements
from health_card import service as health_card
from records.exports import service as exports
from records.rectifications import service as rectifications
from records.rights.models import RetentionCount

# A message for ever: it comes back every week.
COUNT_DUE = "records.retention_count_due"
_WEEKS_SHOWN = 52

# The last day of each kind, of all records of the person. What belongs to no stay in hospital counts as outpatient's.
_LAST = statements.compose(
    """
SELECT greatest(
        (SELECT max(coalesce(closed_at, opened_at)) FROM visits
        WHERE person_id IN ({same}) AND kind <> 'I' AND disowned_at IS NULL),
        (SELECT max(occurred_at) FROM timeline_entries WHERE person_id IN ({same}))
    ),
    (SELECT max(coalesce(closed_at, opened_at)) FROM visits
    WHERE person_id IN ({same}) AND kind = 'I' AND disowned_at IS NULL),
    EXISTS (SELECT FROM visits
    WHERE person_id IN ({same}) AND kind = 'I' AND closed_at IS NULL)
""",
    same=health_card.SAME_PERSON_IDS.format("%(person_id)s"),
)


# Of whole persons: a record is kept until the last of it may go. Who is in hospital is there today.
_BEYOND = """
WITH told AS (
    SELECT named.root_id, max(line.occurred_at) AS last_at, count(*) AS lines
    FROM timeline_entries line JOIN persons named ON named.id = line.person_id
    GROUP BY named.root_id
), came AS (
    SELECT named.root_id,
        max(coalesce(visit.closed_at, visit.opened_at)) FILTER (WHERE visit.kind <> 'I') AS last_visit,
        max(coalesce(visit.closed_at, %(now)s)) FILTER (WHERE visit.kind = 'I') AS last_discharge
    FROM visits visit JOIN persons named ON named.id = visit.person_id
    WHERE visit.disowned_at IS NULL
    GROUP BY named.root_id
)
SELECT count(*), coalesce(sum(told.lines), 0)
FROM told LEFT JOIN came ON came.root_id = told.root_id
WHERE told.last_at < %(outpatient)s
    AND (came.last_visit < %(outpatient)s) IS NOT FALSE AND (came.last_discharge < %(inpatient)s) IS NOT FALSE
"""


def count_beyond(session: Session) -> RetentionCount:
    """Count what is kept longer than it has to be, and write it down for the operator. Nothing is deleted."""
    now = clock.now()
    asked = {
        "now": now,
        "outpatient": begin_of_keeping(HoldCode.OUTPATIENT_RECORD, now),
        "inpatient": begin_of_keeping(HoldCode.INPATIENT_RECORD, now),
    }
    row = statements.run(session, _BEYOND, asked)
    assert row is not None
    counted = RetentionCount(counted_at=now, persons=int(row[0]), lines=int(row[1]))
    session.add(counted)
    return counted


def list_counts(session: Session) -> list[RetentionCount]:
    """The counts of the last year, newest first."""
    newest = select(RetentionCount).order_by(RetentionCount.counted_at.desc()).limit(_WEEKS_SHOWN)
    return list(session.scalars(newest))


def list_holds(session: Session, person_id: UUID) -> Iterator[Hold]:
    """How long the records of a person have to be kept, by his last visit and his last discharge."""
    row = statements.run(session, _LAST, {"person_id": person_id})
    assert row is not None
    last_visit, last_discharge, is_in_hospital = row
    if is_in_hospital:
        yield Hold(HoldCode.IN_HOSPITAL)
    yield from rectifications.list_holds(session, person_id)
    if last_visit is not None:
        yield keep_since(HoldCode.OUTPATIENT_RECORD, clock.in_city(last_visit).date())
    if last_discharge is not None:
        yield keep_since(HoldCode.INPATIENT_RECORD, clock.in_city(last_discharge).date())


def end_all(session: Session, person_id: UUID) -> None:
    """What was made of the records to be taken away, and what was written about them, becomes unreadable."""
    exports.end_exports_of(session, person_id=person_id)
    rectifications.forget_texts(session, person_id=person_id)
