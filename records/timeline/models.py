"""The timeline index: one lean row a thing that a patient can open, and what each login has opened."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class TimelineEntry(WithId, Base):
    """One thing on one person's timeline. ``object_kind``: report, study or entry."""

    __tablename__ = "timeline_entries"
    __table_args__ = (
        # A page of a timeline is read from this index alone, however long the life and the table.
        Index("ix_timeline_entries_page", "person_id", text("occurred_at DESC"), text("id DESC")),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visits.id"))
    object_kind: Mapped[str]
    object_id: Mapped[UUID] = mapped_column(unique=True)
    version: Mapped[int]
    category: Mapped[str]
    title: Mapped[str]
    status: Mapped[str]
    occurred_at: Mapped[datetime]
    filed_at: Mapped[datetime]


class SeenItem(Base):
    """The newest version of an item that a login has opened: a later one is unread again."""

    __tablename__ = "seen_items"

    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"), primary_key=True)
    object_id: Mapped[UUID] = mapped_column(ForeignKey("timeline_entries.object_id"), primary_key=True)
    version: Mapped[int]
    seen_at: Mapped[datetime]
