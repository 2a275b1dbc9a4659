"""People say that something in their records is wrong, and the house that made it answers."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class RectificationState(StrEnum):
    ASKED = "asked"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class DeclineReason(StrEnum):
    """Why a house leaves an item as it is."""

    CORRECT = "correct"
    CLINICAL_JUDGEMENT = "clinical_judgement"
    NOT_PROVEN = "not_proven"


class RectificationRequest(WithId, Base):
    """One wish about one version of one item (``object_id``: a report, study or entry). Of an item one is open at most.

    What is wrong, what is right and the house's note are sealed with a key of the request's own; with ``data_key``
    gone nobody reads them. ``corrected_version``: the version of the item that was there when the house accepted.
    ``escalated_at``: the house let the time pass, and the operator sees it.
    """

    __tablename__ = "rectification_requests"
    __table_args__ = (
        CheckConstraint("state IN ('asked', 'accepted', 'declined', 'withdrawn')", name="state"),
        CheckConstraint("object_kind IN ('report', 'study', 'entry')", name="object_kind"),
        CheckConstraint("reason IN ('correct', 'clinical_judgement', 'not_proven')", name="reason"),
        CheckConstraint("(state = 'declined') = (reason IS NOT NULL)", name="declined"),
        CheckConstraint("(state = 'asked') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(state IN ('accepted', 'declined')) = (answered_by IS NOT NULL)", name="answered"),
        CheckConstraint("(state = 'accepted') = (corrected_version IS NOT NULL)", name="corrected"),
        CheckConstraint("object_kind = 'study' OR corrected_version > object_version", name="accepted_is_corrected"),
        CheckConstraint("due_at > asked_at", name="due"),
        Index("uq_rectification_requests_open", "object_id", unique=True, postgresql_where=text("state = 'asked'")),
        Index("ix_rectification_requests_hospital_id", "hospital_id", text("id DESC")),
        Index("ix_rectification_requests_person_id", "person_id", text("id DESC")),
        Index(
            "ix_rectification_requests_escalated", text("id DESC"), postgresql_where=text("escalated_at IS NOT NULL")
        ),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    object_kind: Mapped[str]
    object_id: Mapped[UUID]
    object_version: Mapped[int]
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime]
    data_key: Mapped[bytes | None]
    wrong_sealed: Mapped[bytes]
    right_sealed: Mapped[bytes]
    note_sealed: Mapped[bytes | None]
    state: Mapped[str] = mapped_column(default=RectificationState.ASKED.value)
    reason: Mapped[str | None]
    corrected_version: Mapped[int | None]
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    ended_at: Mapped[datetime | None]
    escalated_at: Mapped[datetime | None]
