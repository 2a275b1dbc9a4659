"""Documents given out: which version of which report each shows, and the platform's signature over what it says."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class ReportDocument(WithId, Base):
    """One version of a report as a document. Never changed.

    ``number``: 12 characters at random, printed on it. ``content_hash``: SHA-256 of what the version says (``proof``).
    ``signature``: Ed25519 by the key ``kid`` over number, time and hash.
    """

    __tablename__ = "report_documents"
    __table_args__ = (
        ForeignKeyConstraint(["report_id", "report_version"], ["reports.id", "reports.version"]),
        UniqueConstraint("report_id", "report_version", "kid"),
        CheckConstraint("length(content_hash) = 32", name="content_hash"),
    )

    number: Mapped[str] = mapped_column(unique=True)
    report_id: Mapped[UUID]
    report_version: Mapped[int]
    content_hash: Mapped[bytes]
    kid: Mapped[str] = mapped_column(ForeignKey("signing_keys.kid"))
    signature: Mapped[bytes]
    issued_at: Mapped[datetime]


class ReportDocumentFile(WithId, Base):
    """A file that was handed out: by its SHA-256 it is known again. Never changed."""

    __tablename__ = "report_document_files"
    __table_args__ = (
        CheckConstraint("length(sha256) = 32", name="sha256"),
        Index("ix_report_document_files_sha256", "sha256"),
    )

    document_id: Mapped[UUID] = mapped_column(ForeignKey("report_documents.id"))
    sha256: Mapped[bytes]
    made_at: Mapped[datetime]
