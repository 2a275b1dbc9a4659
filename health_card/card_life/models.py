"""What happened to cards."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class CardChange(WithId, Base):
    """A card went from one state to another, or was replaced. Append-only, as the audit trail.

    ``actor_kind`` and ``actor_id``: who did it; the login that reported a card lost may take that back.
    """

    __tablename__ = "card_changes"
    __table_args__ = (
        CheckConstraint("from_state BETWEEN 1 AND 5", name="from_state"),
        CheckConstraint("to_state BETWEEN 1 AND 5", name="to_state"),
        CheckConstraint(
            "act IN ('report_lost', 'restore', 'cancel', 'apply_again', 'issue', 'withhold', 'replace')", name="act"
        ),
        Index("ix_card_changes_card_id", "card_id", text("changed_at DESC"), text("id DESC")),
    )

    card_id: Mapped[UUID] = mapped_column(ForeignKey("cards.id"))
    act: Mapped[str]
    from_state: Mapped[int] = mapped_column(SmallInteger)
    to_state: Mapped[int] = mapped_column(SmallInteger)
    epoch: Mapped[int]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID]
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    changed_at: Mapped[datetime]
