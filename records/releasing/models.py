"""When a patient sees a new item: one rule a matter, for the city or for one hospital."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class Mode(StrEnum):
    """``at_once``: as soon as it is filed. ``after_review``: when a doctor of the house releases it, or after so many
    days. ``with_visit``: at once when it belongs to a visit; otherwise only when a doctor releases it."""

    AT_ONCE = "at_once"
    AFTER_REVIEW = "after_review"
    WITH_VISIT = "with_visit"


class ReleaseRule(WithId, Base):
    """One rule, in force until ``ended_at``; a changed rule is a new row.

    It is about one code, or one sensitive kind, or one category, or, naming none of them, about everything. Without
    ``hospital_id`` it is the city's. ``review_days`` (None: no time opens it) belongs to ``after_review``.
    """

    __tablename__ = "release_rules"
    __table_args__ = (
        CheckConstraint("num_nonnulls(code, sensitivity, category) <= 1", name="matter"),
        CheckConstraint("(code IS NULL) = (code_system IS NULL)", name="code"),
        CheckConstraint("mode IN ('at_once', 'after_review', 'with_visit')", name="mode"),
        CheckConstraint("sensitivity IN ('hiv', 'psychiatric', 'reproductive', 'genetic')", name="sensitivity"),
        CheckConstraint("category IN ('laboratory', 'imaging', 'other')", name="category"),
        CheckConstraint(
            "review_days IS NULL OR (mode = 'after_review' AND review_days BETWEEN 1 AND 90)", name="review_days"
        ),
        Index(
            "uq_release_rules_matter",
            "hospital_id",
            "code_system",
            "code",
            "sensitivity",
            "category",
            unique=True,
            postgresql_nulls_not_distinct=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    code_system: Mapped[str | None]
    code: Mapped[str | None]
    sensitivity: Mapped[str | None]
    category: Mapped[str | None]
    mode: Mapped[str]
    review_days: Mapped[int | None] = mapped_column(SmallInteger)
    set_by: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    set_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
