"""What hospitals took away under a grant that has ended, and what they say became of it."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import Text

from core.db import Base, WithId


class Cause(StrEnum):
    """How the grant ended."""

    REVOKED = "revoked"
    EXPIRED = "expired"


class Outcome(StrEnum):
    """What became of the copies."""

    ERASED = "erased"
    PARTLY_KEPT = "partly_kept"
    KEPT = "kept"


class KeptReason(StrEnum):
    """Why a hospital keeps what it took."""

    MEDICAL_RECORD = "medical_record"
    OTHER_GRANT = "other_grant"
    DISPUTE = "dispute"
    LEGAL_ORDER = "legal_order"


class Erased(StrEnum):
    """What can be erased."""

    REPORTS = "reports"
    ENTRIES = "entries"
    IMAGES = "images"
    DEMOGRAPHICS = "demographics"


class ErasureRequest(WithId, Base):
    """A hospital whose systems read a person's records under a grant is asked what became of its copies.

    ``grant_version``: how the grant ended. ``copies``: so many reads of its systems are in the access log since it was
    asked last, the newest at ``last_copied_at``.
    """

    __tablename__ = "erasure_requests"
    __table_args__ = (
        CheckConstraint("cause IN ('revoked', 'expired')", name="cause"),
        CheckConstraint("copies > 0", name="copies"),
        CheckConstraint("due_at > asked_at", name="due"),
        CheckConstraint("(reminded_at IS NULL) = (reminders = 0)", name="reminded"),
        Index("ix_erasure_requests_grant_id", "grant_id", text("id DESC")),
        Index("ix_erasure_requests_person_id", "person_id", text("id DESC")),
        Index("ix_erasure_requests_hospital_id", "hospital_id", text("id DESC")),
        Index("ix_erasure_requests_open", "due_at", postgresql_where=text("answered_at IS NULL")),
    )

    grant_id: Mapped[UUID] = mapped_column(ForeignKey("grants.id"))
    grant_version: Mapped[int]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    cause: Mapped[str]
    copies: Mapped[int]
    last_copied_at: Mapped[datetime]
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime]
    reminders: Mapped[int] = mapped_column(default=0)
    reminded_at: Mapped[datetime | None]
    answered_at: Mapped[datetime | None]


class ErasureReceipt(Base):
    """The hospital's answer, whole as it was signed (``jws``), and what it says. Append-only, one a request."""

    __tablename__ = "erasure_receipts"
    __table_args__ = (
        CheckConstraint("outcome IN ('erased', 'partly_kept', 'kept')", name="outcome"),
        CheckConstraint(
            "kept_reason IN ('medical_record', 'other_grant', 'dispute', 'legal_order')", name="kept_reason"
        ),
        CheckConstraint("(outcome = 'kept') = (erased_at IS NULL)", name="erased"),
        CheckConstraint("(outcome = 'kept') = (cardinality(erased) = 0)", name="what"),
        CheckConstraint("(outcome = 'erased') = (kept_reason IS NULL)", name="kept"),
        CheckConstraint("kept_until IS NULL OR kept_reason IS NOT NULL", name="kept_until"),
        CheckConstraint("erased <@ ARRAY['reports', 'entries', 'images', 'demographics']", name="erased_known"),
    )

    request_id: Mapped[UUID] = mapped_column(ForeignKey("erasure_requests.id"), primary_key=True)
    client_id: Mapped[UUID] = mapped_column(ForeignKey("machine_clients.id"))
    kid: Mapped[str]
    jws: Mapped[str]
    outcome: Mapped[str]
    erased: Mapped[list[str]] = mapped_column(ARRAY(Text()))
    erased_at: Mapped[datetime | None]
    kept_reason: Mapped[str | None]
    kept_until: Mapped[date | None]
    received_at: Mapped[datetime]


class ErasureSweep(Base):
    """One row: for every grant that ran out until then, hospitals were asked."""

    __tablename__ = "erasure_sweeps"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    swept_until: Mapped[datetime]
