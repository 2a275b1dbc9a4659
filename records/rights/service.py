"""What the law keeps of a person's records, and what ends with him when they are deleted."""

from collections.abc import Iterator
from uuid import UUID

from sqlalchemy.orm import Session

from consent.rights.service import Hold, HoldCode, keep_since
from core import clock, statements
from health_card import service as health_card
from records.exports import service as exports
from records.rectifications import service as rectifications

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
