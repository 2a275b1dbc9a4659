"""What recognition takes in and gives out."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown
from recognition.models import Answer

RepeatReason = Literal["01", "02", "03", "04", "05", "06", "07", "08", "98", "99"]


class VisitPath(Received):
    visit_id: UUID


class OrderCheck(Received):
    item_codes: list[str] = Field(min_length=1, max_length=100, description="standard codes of what is to be ordered")


class ReminderShown(Shown):
    item_code: str
    item_name: str
    mark: str = Field(description="scope and HR, for example 武汉HR")
    report_id: UUID
    report_version: int
    hospital_name: str
    performed_at: datetime
    valid_until: datetime
    amount_fen: int = Field(description="what recognising it saves the patient, in fen")


class ReminderList(Shown):
    reminders: list[ReminderShown]


class DecisionRequest(Received):
    item_code: str = Field(min_length=1, max_length=64)
    report_id: UUID
    answer: Answer
    reason: RepeatReason | None = Field(
        None,
        description="when refused: 01 condition changed, 02 changes fast, 03 of major significance, 04 emergency, "
        "05 forensic or disability appraisal, 06 only a qualified body may test, 07 the doctor finds it necessary, "
        "08 other, 98 images could not be had, 99 serial monitoring",
    )


class DecisionShown(Shown):
    decision_id: UUID
    answer: Answer
    reason: str | None
