"""Trying many messages again in the background."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class BulkReplay(WithId, Base):
    """All messages of one reason, tried again one after the other.

    Only those up to ``last_id`` belong to it, so that it ends; ``done_id`` is how far it has come. ``hospital_id``:
    None tries those of every hospital. ``filed`` and ``kept``: how many left quarantine, and how many did not.
    """

    __tablename__ = "bulk_replays"
    __table_args__ = (
        CheckConstraint("filed >= 0 AND kept >= 0", name="counts"),
        CheckConstraint("created_by_kind IN ('staff', 'machine')", name="created_by_kind"),
    )

    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    reason: Mapped[str]
    created_by: Mapped[UUID]
    created_by_kind: Mapped[str]
    created_at: Mapped[datetime]
    last_id: Mapped[UUID]
    done_id: Mapped[UUID | None]
    filed: Mapped[int] = mapped_column(default=0)
    kept: Mapped[int] = mapped_column(default=0)
    ended_at: Mapped[datetime | None]
