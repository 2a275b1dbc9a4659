"""Lists of people for whom cards are issued at once, and what became of each line."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class BatchState(StrEnum):
    """A running one goes on by itself; what was made before a pause or a cancellation stays made."""

    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"


class CardBatch(WithId, Base):
    """A list that an operator sent, and how far it has come. The row is locked by whoever takes it further.

    The list itself is a sealed file (``core.storage``), kept until the batch has ended and then made unreadable.
    ``next_offset`` and ``next_line`` say where in it the next line begins; ``columns`` what its columns are.
    """

    __tablename__ = "card_batches"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'paused', 'cancelled', 'done')", name="state"),
        CheckConstraint("encoding IN ('utf-8', 'gb18030')", name="encoding"),
        CheckConstraint("rows_made + rows_existing + rows_refused <= rows_total", name="rows"),
        CheckConstraint("(state IN ('cancelled', 'done')) = (ended_at IS NOT NULL)", name="ended"),
        CheckConstraint("(ended_at IS NULL) = (data_key IS NOT NULL)", name="list_ends_with_batch"),
    )

    name: Mapped[str]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    created_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=BatchState.RUNNING.value)
    encoding: Mapped[str]
    columns: Mapped[list[Any]]
    storage_key: Mapped[str]
    data_key: Mapped[bytes | None]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    rows_total: Mapped[int]
    rows_made: Mapped[int] = mapped_column(default=0)
    rows_existing: Mapped[int] = mapped_column(default=0)
    rows_refused: Mapped[int] = mapped_column(default=0)
    next_offset: Mapped[int] = mapped_column(BigInteger)
    next_line: Mapped[int]
    chunks: Mapped[int] = mapped_column(default=0)
    moved_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    @property
    def rows_done(self) -> int:
        """Lines whose outcome is known."""
        return self.rows_made + self.rows_existing + self.rows_refused


class RowOutcome(StrEnum):
    """``made``: a card was issued; ``existing``: the person had one already."""

    MADE = "made"
    EXISTING = "existing"
    REFUSED = "refused"


class CardBatchRow(Base):
    """What became of one line. Insert-only; a line cannot come twice. ``reason`` is the code of a refusal."""

    __tablename__ = "card_batch_rows"
    __table_args__ = (
        CheckConstraint("outcome IN ('made', 'existing', 'refused')", name="outcome"),
        CheckConstraint("(outcome = 'refused') = (reason IS NOT NULL)", name="reason"),
        CheckConstraint("(outcome = 'refused') = (card_id IS NULL)", name="card"),
        Index("ix_card_batch_rows_refused", "batch_id", "line", postgresql_where=text("outcome = 'refused'")),
    )

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("card_batches.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    outcome: Mapped[str]
    card_id: Mapped[UUID | None] = mapped_column(ForeignKey("cards.id"))
    reason: Mapped[str | None]
    field: Mapped[str | None]
