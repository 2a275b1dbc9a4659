"""What desks accepted without the network."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class OfflineQueue(WithId, Base):
    """The chain of one key at one terminal: where it stands. ``key`` is a public JWK, ``thumbprint`` its RFC 7638."""

    __tablename__ = "offline_queues"
    __table_args__ = (
        UniqueConstraint("terminal_id", "thumbprint"),
        CheckConstraint("next_sequence >= 1", name="next_sequence"),
    )

    terminal_id: Mapped[UUID] = mapped_column(ForeignKey("terminals.id"))
    thumbprint: Mapped[bytes]
    key: Mapped[dict[str, Any]]
    next_sequence: Mapped[int]
    head: Mapped[bytes]
    opened_at: Mapped[datetime]


class OfflineScan(WithId, Base):
    """One entry of a queue as it was sent, and what became of it. Append-only: it is evidence.

    Every outcome but ``accepted`` is a flag for somebody to look at.
    """

    __tablename__ = "offline_scans"
    __table_args__ = (
        UniqueConstraint("queue_id", "sequence"),
        Index("ix_offline_scans_flagged", "submitted_at", postgresql_where="outcome <> 'accepted'"),
        CheckConstraint(
            "outcome IN ('accepted', 'double_used', 'revoked', 'expired', 'unknown', 'not_genuine', 'wrong_class', "
            "'clock_wrong')",
            name="outcome",
        ),
    )

    queue_id: Mapped[UUID] = mapped_column(ForeignKey("offline_queues.id"))
    sequence: Mapped[int]
    code: Mapped[str]
    scanned_at: Mapped[datetime]
    digest: Mapped[bytes]
    signature: Mapped[bytes]
    outcome: Mapped[str]
    card_id: Mapped[UUID | None] = mapped_column(ForeignKey("cards.id"))
    redemption_id: Mapped[UUID | None] = mapped_column(ForeignKey("code_redemptions.id"))
    submitted_by: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    submitted_at: Mapped[datetime]
