"""Exports: how far each has come, and where its file lies."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class ExportState(StrEnum):
    """``ended``: whoever asked may not act for the person any more. ``expired``: the file is gone."""

    RUNNING = "running"
    READY = "ready"
    CANCELLED = "cancelled"
    ENDED = "ended"
    EXPIRED = "expired"


class RecordExport(WithId, Base):
    """What a login asked for about one person, as it stood at ``asked_at``. Whoever takes it further locks the row.

    ``reports``, ``visits``, ``studies``, ``accesses``, ``entries``: collected so far. The file is sealed
    (``core.storage``); with ``data_key`` gone it is unreadable.
    """

    __tablename__ = "record_exports"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'ready', 'cancelled', 'ended', 'expired')", name="state"),
        CheckConstraint("(state = 'running') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(state = 'ready') = (data_key IS NOT NULL)", name="file"),
        Index("uq_record_exports_running", "person_id", unique=True, postgresql_where=text("state = 'running'")),
        Index("ix_record_exports_asked_by", "asked_by", text("id DESC")),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    asked_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=ExportState.RUNNING.value)
    reports: Mapped[int] = mapped_column(default=0)
    visits: Mapped[int] = mapped_column(default=0)
    studies: Mapped[int] = mapped_column(default=0)
    accesses: Mapped[int] = mapped_column(default=0)
    entries: Mapped[int] = mapped_column(default=0)
    storage_key: Mapped[str | None]
    data_key: Mapped[bytes | None]
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    ended_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]


class RecordExportPart(Base):
    """One slice of an export, collected and sealed. ``after``: where the next slice of its kind goes on."""

    __tablename__ = "record_export_parts"

    export_id: Mapped[UUID] = mapped_column(ForeignKey("record_exports.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    after: Mapped[UUID | None]
    is_last: Mapped[bool]
    storage_key: Mapped[str]
    data_key: Mapped[bytes | None]
    collected_at: Mapped[datetime]
