"""Emergency accesses, their reviews, and what is unusual about them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from consent.emergencies.reasons import EmergencyReason, ReviewFinding
from consent.emergencies.rules import Rule
from core.db import Base, WithId


class EmergencyAccess(WithId, Base):
    """A doctor opened a person's records in an emergency. What he may see, and until when, the grant says.

    A trigger keeps what was said at its opening; a review is written once, by somebody else. ``data_key`` seals both
    texts. ``visit_id`` is a row of records, above us: no foreign key. ``department``: where the doctor acted (standard
    4-digit code). ``way``: how the person was identified. ``ended_at``: the doctor, or the review, ended it before its
    time; what the patient ends is told by the grant alone.
    """

    __tablename__ = "emergency_accesses"
    __table_args__ = (
        CheckConstraint(f"reason IN ({', '.join(repr(each.value) for each in EmergencyReason)})", name="reason"),
        CheckConstraint(f"finding IN ({', '.join(repr(each.value) for each in ReviewFinding)})", name="finding"),
        CheckConstraint("way IN ('visit', 'certificate')", name="way"),
        CheckConstraint("department ~ '^[0-9A-Z]{4}$'", name="department"),
        CheckConstraint("num_nonnulls(reviewed_at, reviewed_by, finding, review_sealed) IN (0, 4)", name="reviewed"),
        CheckConstraint("reviewed_by <> staff_id", name="second_person"),
        Index("ix_emergency_accesses_hospital_id", "hospital_id", text("opened_at DESC"), text("id DESC")),
        Index("ix_emergency_accesses_person_id", "person_id", text("opened_at DESC")),
        Index("ix_emergency_accesses_staff_id", "staff_id", text("opened_at DESC")),
        Index(
            "ix_emergency_accesses_waiting",
            "hospital_id",
            "review_due_at",
            postgresql_where=text("reviewed_at IS NULL"),
        ),
    )

    grant_id: Mapped[UUID] = mapped_column(ForeignKey("grants.id"), unique=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    terminal_id: Mapped[UUID] = mapped_column(ForeignKey("terminals.id"))
    department: Mapped[str]
    visit_id: Mapped[UUID]
    way: Mapped[str]
    reason: Mapped[str]
    data_key: Mapped[bytes]
    text_sealed: Mapped[bytes]
    opened_at: Mapped[datetime]
    review_due_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    reviewed_at: Mapped[datetime | None]
    reviewed_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    finding: Mapped[str | None]
    review_sealed: Mapped[bytes | None]


class EmergencyAlarm(WithId, Base):
    """Something about an access that the audit administrator looks at: unusual, overdue, or not justified.

    ``counted``: how many there were, of what the rule counts.
    """

    __tablename__ = "emergency_alarms"
    __table_args__ = (
        CheckConstraint(f"rule IN ({', '.join(repr(each.value) for each in Rule)})", name="rule"),
        CheckConstraint("(seen_at IS NULL) = (seen_by IS NULL)", name="seen"),
        UniqueConstraint("access_id", "rule"),
        Index("ix_emergency_alarms_raised_at", text("raised_at DESC"), text("id DESC")),
    )

    access_id: Mapped[UUID] = mapped_column(ForeignKey("emergency_accesses.id"))
    rule: Mapped[str]
    counted: Mapped[int | None]
    raised_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    seen_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
