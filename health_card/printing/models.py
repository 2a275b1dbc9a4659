"""Printed cards of whole batches."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class CardSheet(WithId, Base):
    """A PDF file with the printed cards of some lines of a batch: sealed, made in the background, kept for 30 days.

    ``cards`` and ``skipped``: how many are on it, and how many were left out because they are not in force.
    """

    __tablename__ = "card_sheets"
    __table_args__ = (
        UniqueConstraint("batch_id", "number"),
        CheckConstraint("first_line <= last_line", name="lines"),
        CheckConstraint("made_at IS NOT NULL OR data_key IS NULL", name="key_of_made"),
    )

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("card_batches.id"))
    number: Mapped[int]
    first_line: Mapped[int]
    last_line: Mapped[int]
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    requested_at: Mapped[datetime]
    cards: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    storage_key: Mapped[str | None]
    data_key: Mapped[bytes | None]
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    made_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
