"""Reports and their observations. Built for tens of millions of reports: lean rows, read by index alone."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Numeric, SmallInteger, text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base
from core.ids import new_id


class ReportStatus(StrEnum):
    """The codes of FHIR R4 DiagnosticReport.status that a filed report can have."""

    PRELIMINARY = "preliminary"
    FINAL = "final"
    AMENDED = "amended"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"


class ObservationStatus(StrEnum):
    """The codes of FHIR R4 Observation.status that a filed observation can have.

    ``registered``: the value is still to come. ``entered-in-error``: the sender withdrew it; no value is kept in
    this version.
    """

    REGISTERED = "registered"
    PRELIMINARY = "preliminary"
    FINAL = "final"
    AMENDED = "amended"
    CORRECTED = "corrected"
    CANCELLED = "cancelled"
    WITHDRAWN = "entered-in-error"


class ReportCategory(StrEnum):
    LABORATORY = "laboratory"
    IMAGING = "imaging"
    OTHER = "other"


class Report(Base):
    """One version of a report. The id stays through all versions; exactly one version is current.

    The sender knows the report by its business identifier (FHIR DiagnosticReport.identifier, HL7 v2 OBR-3). What a
    version says is never changed or deleted: triggers of the migration refuse it. ``authors``: see
    ``records.reports.authors``; ``accession_number``, ``study_instance_uid``: see ``records.joining``;
    ``based_on``: the orders that it answers, as ``records.fhir.ordering`` keeps them.
    """

    __tablename__ = "reports"
    __table_args__ = (
        Unique("hospital_id", "identifier_system", "identifier_value", "version", name="uq_reports_identifier"),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("channel IN ('fhir', 'hl7v2', 'dicom', 'upload')", name="channel"),
        CheckConstraint("category IN ('laboratory', 'imaging', 'other')", name="category"),
        CheckConstraint("status IN ('preliminary', 'final', 'amended', 'corrected', 'cancelled')", name="status"),
        CheckConstraint("jsonb_typeof(authors) = 'object'", name="authors"),
        CheckConstraint("length(accession_number) BETWEEN 1 AND 64", name="accession_number"),
        CheckConstraint("jsonb_typeof(based_on) = 'array'", name="based_on"),
        CheckConstraint("study_instance_uid ~ '^[0-9.]{1,64}$'", name="study_instance_uid"),
        Index("uq_reports_current", "id", unique=True, postgresql_where=text("is_current")),
        # A person's reports, newest first, and with the observations' key also one item over time.
        Index(
            "ix_reports_person", "person_id", text("effective_at DESC"), text("id"), postgresql_where=text("is_current")
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    is_current: Mapped[bool]
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visits.id"))
    inbound_message_id: Mapped[UUID] = mapped_column(ForeignKey("inbound_messages.id"))
    effective_at: Mapped[datetime]
    issued_at: Mapped[datetime | None]
    filed_at: Mapped[datetime]
    channel: Mapped[str]
    status: Mapped[str]
    category: Mapped[str]
    identifier_system: Mapped[str]
    identifier_value: Mapped[str]
    code: Mapped[str]
    code_system: Mapped[str]
    name: Mapped[str]
    conclusion: Mapped[str | None]
    authors: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    accession_number: Mapped[str | None]
    based_on: Mapped[list[dict[str, str]] | None] = mapped_column(JSONB(none_as_null=True))
    study_instance_uid: Mapped[str | None]


class Observation(Base):
    """One line of one version of a report: a number with its unit, or a text, or neither yet.

    ``unit`` is as the sender writes it, ``unit_code`` the UCUM code where it said one. ``comparator`` stands before
    a number that is only a bound (``<``, ``<=``, ``>=``, ``>``). ``interpretation`` is a code of HL7's
    ObservationInterpretation (H, L, HH, LL, N, A ...).

    ``component_count``: so many of the lines that follow are components of this one (FHIR Observation.component); 0: it
    is a component itself; NULL: neither.

    That the version of the report exists is checked by a trigger, once a statement (migration 0051): a foreign key
    would ask for every line.
    """

    __tablename__ = "observations"
    __table_args__ = (
        CheckConstraint("value IS NULL OR text IS NULL", name="one_value"),
        CheckConstraint(
            "comparator IS NULL OR (comparator IN ('<', '<=', '>=', '>') AND value IS NOT NULL)", name="comparator"
        ),
        CheckConstraint(
            "status IN ('registered', 'preliminary', 'final', 'amended', 'corrected', 'cancelled', 'entered-in-error')",
            name="status",
        ),
        CheckConstraint("status <> 'entered-in-error' OR (value IS NULL AND text IS NULL)", name="withdrawn"),
        CheckConstraint("component_count >= 0", name="component_count"),
    )

    report_id: Mapped[UUID] = mapped_column(primary_key=True)
    report_version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    status: Mapped[str]
    code: Mapped[str]
    code_system: Mapped[str]
    name: Mapped[str]
    value: Mapped[Decimal | None] = mapped_column(Numeric)
    comparator: Mapped[str | None]
    text: Mapped[str | None]
    unit: Mapped[str | None]
    unit_code: Mapped[str | None]
    reference_low: Mapped[Decimal | None] = mapped_column(Numeric)
    reference_high: Mapped[Decimal | None] = mapped_column(Numeric)
    reference_text: Mapped[str | None]
    interpretation: Mapped[str | None]
    note: Mapped[str | None]
    component_count: Mapped[int | None] = mapped_column(SmallInteger)


class ReportAttachment(Base):
    """A document that came inside one version of a report, in a sealed file (``core.storage``). Never changed."""

    __tablename__ = "report_attachments"
    __table_args__ = (
        ForeignKeyConstraint(["report_id", "report_version"], ["reports.id", "reports.version"]),
        CheckConstraint("content_type IN ('application/pdf', 'image/jpeg', 'image/png')", name="content_type"),
        CheckConstraint("number > 0", name="number"),
    )

    report_id: Mapped[UUID] = mapped_column(primary_key=True)
    report_version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    title: Mapped[str]
    content_type: Mapped[str]
    size_bytes: Mapped[int]
    digest: Mapped[bytes]
    data_key: Mapped[bytes]
    storage_key: Mapped[str]
