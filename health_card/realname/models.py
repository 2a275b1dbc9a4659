"""What the real-name source answered about persons."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class Outcome(StrEnum):
    """``not_covered``: the source does not know certificates of this type, for example passports."""

    AGREED = "agreed"
    DISAGREED = "disagreed"
    NOT_COVERED = "not_covered"


class RealNameCheck(WithId, Base):
    """One answer to one asking. Append-only; ``reference`` is the source's own number of it, kept as evidence."""

    __tablename__ = "real_name_checks"
    __table_args__ = (
        CheckConstraint("outcome IN ('agreed', 'disagreed', 'not_covered')", name="outcome"),
        Index("ix_real_name_checks_person_id", "person_id", text("checked_at DESC"), text("id DESC")),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    asking_id: Mapped[UUID] = mapped_column(unique=True)
    outcome: Mapped[str]
    source: Mapped[str]
    reference: Mapped[str]
    checked_at: Mapped[datetime]
