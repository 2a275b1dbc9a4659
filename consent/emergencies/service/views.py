"""An emergency access as it is shown: what was opened, how it stands, and how it was reviewed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.emergencies.models import EmergencyAccess
from consent.emergencies.reasons import ReviewFinding
from consent.models import Grant
from core import clock
from core.actor import ActorKind
from health_card import service as health_card

TEXT, REVIEW = "emergency_accesses.text", "emergency_accesses.review"


@dataclass(frozen=True)
class EmergencyView:
    """One emergency access, without what was written about it.

    :ivar person_name: masked.
    :ivar sensitivities: the sensitive kinds that were opened with it.
    :ivar state: in_force, ended (by the doctor, the review or the patient), or expired.
    :ivar ended_at: when it ended or will end.
    :ivar review: waiting, overdue, justified or not_justified.
    """

    id: UUID
    grant_id: UUID
    person_id: UUID
    person_name: str
    hospital_id: UUID
    hospital_name: str
    staff_id: UUID
    staff_name: str
    department: str
    visit_id: UUID
    way: str
    reason: str
    sensitivities: list[str]
    state: str
    opened_at: datetime
    ended_at: datetime
    review: str
    review_due_at: datetime
    reviewed_at: datetime | None
    reviewer_name: str | None
    finding: str | None


def show(session: Session, accesses: Sequence[EmergencyAccess]) -> list[EmergencyView]:
    """In the order in which they come."""
    asked = select(Grant).where(Grant.id.in_({access.grant_id for access in accesses}))
    grants = {grant.id: grant for grant in session.scalars(asked)}
    hospitals = accounts.list_hospitals(session, {access.hospital_id for access in accesses})
    staff = {id_ for access in accesses for id_ in (access.staff_id, access.reviewed_by) if id_}
    names = accounts.describe_actors(session, {(ActorKind.STAFF.value, id_) for id_ in staff})
    persons = {id_: health_card.get_demographics(session, id_).name for id_ in {each.person_id for each in accesses}}
    return [
        EmergencyView(
            id=access.id,
            grant_id=access.grant_id,
            person_id=access.person_id,
            person_name=persons[access.person_id],
            hospital_id=access.hospital_id,
            hospital_name=hospitals[access.hospital_id].name,
            staff_id=access.staff_id,
            staff_name=names[access.staff_id],
            department=access.department,
            visit_id=access.visit_id,
            way=access.way,
            reason=access.reason,
            sensitivities=list(grants[access.grant_id].sensitivities),
            state=_state(grants[access.grant_id]),
            opened_at=access.opened_at,
            ended_at=end_of(grants[access.grant_id]),
            review=_review(access),
            review_due_at=access.review_due_at,
            reviewed_at=access.reviewed_at,
            reviewer_name=names[access.reviewed_by] if access.reviewed_by else None,
            finding=access.finding,
        )
        for access in accesses
    ]


def end_of(grant: Grant) -> datetime:
    """When nothing was, or will be, seen under it any more."""
    return min(grant.expires_at, grant.revoked_at or grant.expires_at)


def _state(grant: Grant) -> str:
    if grant.revoked_at is not None:
        return "ended"
    return "in_force" if grant.expires_at > clock.now() else "expired"


def _review(access: EmergencyAccess) -> str:
    if access.finding is not None:
        return "justified" if ReviewFinding(access.finding).is_justified else "not_justified"
    return "overdue" if access.review_due_at <= clock.now() else "waiting"
