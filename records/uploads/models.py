"""Uploaded lists, and what became of each of their reports. Nothing here names a patient."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class Upload(WithId, Base):
    """One list. ``state``: checked, filing, filed, or expired (nobody confirmed it within a day).

    ``errors``: line, column and code each, the first thousand. The file is sealed and goes when it is not needed any
    more: then ``data_key`` is gone. What was filed of it is kept whole as messages.
    """

    __tablename__ = "uploads"
    __table_args__ = (
        CheckConstraint("state IN ('checked', 'filing', 'filed', 'expired')", name="state"),
        CheckConstraint("(state IN ('filed', 'expired')) = (ended_at IS NOT NULL)", name="ended_at"),
        Index("uq_uploads_digest", "hospital_id", "digest", unique=True, postgresql_where=text("state <> 'expired'")),
        Index("ix_uploads_hospital_id", "hospital_id", text("id DESC")),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    created_by: Mapped[UUID]
    created_at: Mapped[datetime]
    committed_by: Mapped[UUID | None]
    state: Mapped[str]
    digest: Mapped[bytes]
    storage_key: Mapped[str]
    data_key: Mapped[bytes | None]
    rows_total: Mapped[int]
    errors: Mapped[list[Any]]
    errors_total: Mapped[int]
    ended_at: Mapped[datetime | None]


class UploadedReport(Base):
    """One report of a list. ``state``: ready, left_out (a row has an error), filed, same (it was filed before) or
    quarantined. ``reason``: the code of the refusal that put it into quarantine.
    """

    __tablename__ = "uploaded_reports"
    __table_args__ = (
        CheckConstraint("state IN ('ready', 'left_out', 'filed', 'same', 'quarantined')", name="state"),
        CheckConstraint("(state = 'quarantined') = (reason IS NOT NULL)", name="reason"),
    )

    upload_id: Mapped[UUID] = mapped_column(ForeignKey("uploads.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    report_number: Mapped[str]
    first_line: Mapped[int]
    rows: Mapped[int]
    state: Mapped[str]
    reason: Mapped[str | None]
    report_id: Mapped[UUID | None]
    report_version: Mapped[int | None]
