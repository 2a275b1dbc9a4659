"""What emergency accesses take in and give out."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from consent.emergencies.reasons import FINDINGS, GROUNDS, EmergencyReason, ReviewFinding
from consent.emergencies.service.reviewing import ReviewQueue
from consent.emergencies.service.views import EmergencyView
from core.api import Received, Shown

SHORTEST_TEXT, LONGEST_TEXT = 10, 1000
STATES = "in_force; ended: by the doctor, the review or the patient; expired"
REVIEWS = "waiting, overdue, justified or not_justified"


class EmergencyPath(Received):
    access_id: UUID


class EmergencyAlarmPath(Received):
    alarm_id: UUID


class EmergencyQuery(Received):
    queue: ReviewQueue = Field(
        ReviewQueue.WAITING, description="waiting for a review, of these overdue, reviewed, or not_justified"
    )
    before: UUID | None = Field(None, description="the id of the last one of the page before")


class EmergencyAlarmQuery(Received):
    is_seen: bool = Field(False, description="those that the audit administrator has looked into")
    before: UUID | None = Field(None, description="the id of the last one of the page before")


class EmergencyReviewRequest(Received):
    finding: ReviewFinding = Field(
        description="emergency_confirmed: it was right. no_emergency, could_have_been_asked, beyond_need, "
        "not_treating: it was not; then it ends, the patient is told, and the audit administrator takes up the case"
    )
    text: str = Field(min_length=SHORTEST_TEXT, max_length=LONGEST_TEXT, description="why; kept sealed")


class EmergencyShown(Shown):
    id: UUID
    grant_id: UUID
    visit_id: UUID
    person_name: str = Field(description="masked")
    hospital_name: str
    department: str = Field(description="where the doctor acted, standard 4-digit code")
    staff_name: str
    reason: str = Field(
        description="life_at_risk, unconscious, cannot_answer, minor_without_guardian or public_health_duty"
    )
    sensitivities: list[str] = Field(description="the sensitive kinds that were opened with it")
    state: str = Field(description=STATES)
    opened_at: datetime
    ended_at: datetime = Field(description="when it ended, or will end by itself")
    review: str = Field(description=REVIEWS)
    review_due_at: datetime
    reviewed_at: datetime | None
    finding: str | None = Field(description="of the review")


class EmergencyLineShown(Shown):
    """As platform and hospital list them: who the patient is, only the hospital is told."""

    id: UUID
    person_name: str | None = Field(description="masked; to the reviewer of the hospital alone")
    hospital_name: str
    department: str
    staff_name: str
    reason: str
    sensitivities: list[str]
    state: str = Field(description=STATES)
    opened_at: datetime
    ended_at: datetime
    review: str = Field(description=REVIEWS)
    review_due_at: datetime
    reviewed_at: datetime | None
    reviewer_name: str | None
    finding: str | None


class EmergencyList(Shown):
    emergencies: list[EmergencyLineShown]


class EmergencySeenShown(Shown):
    at: datetime
    action: str = Field(description="for example records.report.read")
    object_kind: str | None = Field(description="what kind of thing; never which")


class EmergencyCaseShown(Shown):
    access: EmergencyShown
    text: str = Field(description="what the doctor wrote")
    review_text: str | None = Field(description="what the reviewer wrote")
    seen: list[EmergencySeenShown] = Field(
        description="what the doctor did with this person's records meanwhile, at most 500"
    )


class EmergencyAlarmShown(Shown):
    id: UUID
    rule: str = Field(
        description="many_by_doctor, many_at_night, many_on_person, after_revoke, review_overdue or not_justified"
    )
    counted: int | None = Field(description="of what the rule counts")
    raised_at: datetime
    seen_at: datetime | None
    access_id: UUID
    hospital_name: str
    department: str
    staff_name: str
    reason: str
    opened_at: datetime
    finding: str | None


class EmergencyAlarmList(Shown):
    alarms: list[EmergencyAlarmShown]


class EmergencyToldShown(Shown):
    """What the patient is told; who the doctor is, the access log says as his hospital wants it said."""

    hospital_name: str
    department: str = Field(description="standard 4-digit code")
    reason: str
    reason_words: str = Field(description="the reason in Chinese")
    law: str = Field(description="what it rests on")
    sensitivities: list[str] = Field(description="the sensitive kinds that were opened with it")
    state: str = Field(description=STATES)
    opened_at: datetime
    ended_at: datetime = Field(description="when it ended, or will end by itself")
    review: str = Field(description=REVIEWS)
    review_due_at: datetime
    finding: str | None
    finding_words: str | None = Field(description="what the review has found, in Chinese")

    @classmethod
    def of(cls, access: EmergencyView) -> "EmergencyToldShown":
        ground = GROUNDS[EmergencyReason(access.reason)]
        words = FINDINGS[ReviewFinding(access.finding)] if access.finding else None
        said = {name: value for name, value in vars(access).items() if name in cls.model_fields}
        return cls(**said, reason_words=ground.words, law=ground.law, finding_words=words)
