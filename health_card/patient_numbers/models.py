"""What hospitals said about two numbers of theirs being one patient."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class MergeState(StrEnum):
    """``under_review``: the numbers are of two persons, which the operator has to judge first."""

    DONE = "done"
    UNDONE = "undone"
    UNDER_REVIEW = "under_review"


class NumberMerge(WithId, Base):
    """A hospital says that it merged one of its numbers into another. One row a pair, however often it is said.

    ``bound``: the number of the two that nobody knew before; taking the merge back forgets it again. ``turn`` rises
    with every merge that is done, so that the last one is known.
    """

    __tablename__ = "patient_number_merges"
    __table_args__ = (
        UniqueConstraint("hospital_id", "retired", "surviving"),
        CheckConstraint("retired <> surviving", name="two_numbers"),
        CheckConstraint("state IN ('done', 'undone', 'under_review')", name="state"),
        CheckConstraint("bound IN (retired, surviving)", name="bound"),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    retired: Mapped[str]
    surviving: Mapped[str]
    state: Mapped[str]
    bound: Mapped[str | None]
    turn: Mapped[int]
    said_by: Mapped[UUID]
    said_at: Mapped[datetime]
    undone_at: Mapped[datetime | None]
