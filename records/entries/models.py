"""Entries of a record as public-health and hospital systems send them: a resource of FHIR, kept whole."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy import UniqueConstraint as Unique
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base
from core.ids import new_id

# The resource types of FHIR R4 that are kept as entries, and as what each stands on a timeline.
CATEGORIES = {
    "AllergyIntolerance": "allergy",
    "Condition": "condition",
    "DocumentReference": "document",
    "Encounter": "encounter",
    "Immunization": "immunization",
    "MedicationRequest": "medication",
    "Procedure": "procedure",
    "ServiceRequest": "order",
    "Specimen": "specimen",
}


class RecordEntry(Base):
    """One version of an entry. The id stays through all versions; exactly one version is current.

    The sender knows it by its business identifier. ``content`` is the resource as it was accepted, with the subject
    replaced by our person's reference and without narrative; ``status``, ``code``, ``name`` and ``occurred_at`` are
    read out of it. What a version says is never changed or deleted: triggers of the migration refuse it.
    """

    __tablename__ = "record_entries"
    __table_args__ = (
        Unique(
            "hospital_id",
            "resource_type",
            "identifier_system",
            "identifier_value",
            "version",
            name="uq_record_entries_identifier",
        ),
        CheckConstraint("version > 0", name="version"),
        CheckConstraint(f"resource_type IN ({', '.join(repr(name) for name in CATEGORIES)})", name="resource_type"),
        CheckConstraint("code IS NULL OR code_system IS NOT NULL", name="code_has_system"),
        Index("uq_record_entries_current", "id", unique=True, postgresql_where=text("is_current")),
        # A person's entries of one type, newest first.
        Index(
            "ix_record_entries_person",
            "person_id",
            "resource_type",
            text("occurred_at DESC"),
            text("id DESC"),
            postgresql_where=text("is_current"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    is_current: Mapped[bool]
    resource_type: Mapped[str]
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visits.id"))
    inbound_message_id: Mapped[UUID] = mapped_column(ForeignKey("inbound_messages.id"))
    identifier_system: Mapped[str]
    identifier_value: Mapped[str]
    status: Mapped[str]
    code: Mapped[str | None]
    code_system: Mapped[str | None]
    name: Mapped[str]
    occurred_at: Mapped[datetime]
    filed_at: Mapped[datetime]
    channel: Mapped[str]
    content: Mapped[dict[str, Any]]
