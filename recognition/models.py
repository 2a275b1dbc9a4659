"""The catalogue of recognised items, who is qualified for them, and what doctors answered."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class RecognitionItem(WithId, Base):
    """One examination or laboratory item whose result counts elsewhere. Matched by its LOINC code, never by name.

    ``scope``: where it counts (a city, a province ...); the mark shown is the scope and ``HR``.
    ``amount_fen``: what a recognised result saves the patient.
    """

    __tablename__ = "recognition_items"
    __table_args__ = (
        CheckConstraint("category IN ('laboratory', 'examination')", name="category"),
        CheckConstraint("validity_days > 0", name="validity_days"),
        CheckConstraint("amount_fen >= 0", name="amount_fen"),
    )

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    category: Mapped[str]
    scope: Mapped[str]
    validity_days: Mapped[int]
    amount_fen: Mapped[int]
    is_in_force: Mapped[bool] = mapped_column(default=True)


class Qualification(WithId, Base):
    """A hospital passed external quality assessment (EQA) for an item, for tests of these days."""

    __tablename__ = "qualifications"
    __table_args__ = (
        CheckConstraint("valid_until >= valid_from", name="period"),
        Index("ix_qualifications_hospital_id", "hospital_id", "item_id", "valid_from"),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    item_id: Mapped[UUID] = mapped_column(ForeignKey("recognition_items.id"))
    valid_from: Mapped[date]
    valid_until: Mapped[date]


class Answer(StrEnum):
    RECOGNISED = "recognised"
    REFUSED = "refused"


class Decision(WithId, Base):
    """What a doctor answered to one reminder. ``reason``: the national repeat reason, when refused."""

    __tablename__ = "recognition_decisions"
    __table_args__ = (
        UniqueConstraint("visit_id", "item_id", "report_id"),
        ForeignKeyConstraint(["report_id", "report_version"], ["reports.id", "reports.version"]),
        CheckConstraint("answer IN ('recognised', 'refused')", name="answer"),
        CheckConstraint("(answer = 'refused') = (reason IS NOT NULL)", name="refusal_has_reason"),
        CheckConstraint("reason IN ('01', '02', '03', '04', '05', '06', '07', '08', '98', '99')", name="reason"),
    )

    visit_id: Mapped[UUID] = mapped_column(ForeignKey("visits.id"))
    item_id: Mapped[UUID] = mapped_column(ForeignKey("recognition_items.id"))
    report_id: Mapped[UUID]
    report_version: Mapped[int]
    answer: Mapped[str]
    reason: Mapped[str | None]
    decided_by: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    decided_at: Mapped[datetime]
