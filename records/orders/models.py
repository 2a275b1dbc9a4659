"""Orders as hospitals send them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class LabOrder(WithId, Base):
    """One order, as the hospital last said it. ``status``: a code of FHIR R4 request-status.

    ``placer_number``: by whom it was ordered (HL7 v2 ORC-2), which identifies it; ``filler_number``: of the laboratory.
    ``report_id``: the report that answers it, or the last one of several; with it an active order is in process.
    """

    __tablename__ = "lab_orders"
    __table_args__ = (
        UniqueConstraint("hospital_id", "placer_number"),
        CheckConstraint("status IN ('active', 'on-hold', 'completed', 'revoked', 'entered-in-error')", name="status"),
        Index(
            "ix_lab_orders_filler_number",
            "hospital_id",
            "filler_number",
            postgresql_where=text("filler_number IS NOT NULL"),
        ),
        Index("ix_lab_orders_hospital_id", "hospital_id", text("ordered_at DESC"), text("id DESC")),
        Index("ix_lab_orders_visit_id", "visit_id", text("ordered_at DESC"), text("id DESC")),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    visit_id: Mapped[UUID | None] = mapped_column(ForeignKey("visits.id"))
    placer_number: Mapped[str]
    filler_number: Mapped[str | None]
    code: Mapped[str]
    code_system: Mapped[str]
    name: Mapped[str]
    status: Mapped[str]
    report_id: Mapped[UUID | None]
    ordered_at: Mapped[datetime]
    changed_at: Mapped[datetime]
