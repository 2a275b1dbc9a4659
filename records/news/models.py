"""Changes of reports that a hospital had read."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class ReportCorrection(WithId, Base):
    """One hospital's staff had read an earlier version of a report than this one; ``read_version`` is the last of them.

    ``seen_at``: somebody of the hospital has taken note, or read the report again.
    """

    __tablename__ = "report_corrections"
    __table_args__ = (
        ForeignKeyConstraint(["report_id", "report_version"], ["reports.id", "reports.version"]),
        UniqueConstraint("report_id", "report_version", "hospital_id"),
        CheckConstraint("read_version < report_version", name="read_earlier"),
        CheckConstraint("(seen_at IS NULL) = (seen_by IS NULL)", name="seen"),
        Index("ix_report_corrections_unseen", "hospital_id", text("id DESC"), postgresql_where=text("seen_at IS NULL")),
        Index("ix_report_corrections_hospital_id", "hospital_id", text("id DESC")),
    )

    report_id: Mapped[UUID]
    report_version: Mapped[int]
    read_version: Mapped[int]
    read_at: Mapped[datetime]
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    noted_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]
    seen_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
