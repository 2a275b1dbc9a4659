"""Visits of persons to hospitals."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class Visit(WithId, Base):
    """One visit. ``kind``: I inpatient, O outpatient, E emergency, H check-up, T other.

    ``department`` is the standard 4-digit code (0300 internal medicine ...), ``medical_step`` the national one: those
    of the scan that opened it; every scan is a row of ``visit_steps``. It was opened by staff, or by the system of a
    hospital that verifies codes itself. ``terminal_id`` is NULL when nobody showed a code: the hospital's system told
    of the visit. ``disowned_at``: the patient said that it was somebody else.
    """

    __tablename__ = "visits"
    __table_args__ = (
        CheckConstraint("kind IN ('I', 'O', 'E', 'H', 'T')", name="kind"),
        CheckConstraint("disowned_at IS NULL OR closed_at IS NOT NULL", name="disowned_is_closed"),
        CheckConstraint("num_nonnulls(opened_by, opened_by_client_id) = num_nonnulls(terminal_id)", name="opened_by"),
        Index("ix_visits_person_id", "person_id", text("opened_at DESC")),
        Index("ix_visits_hospital_id", "hospital_id", "person_id", text("opened_at DESC")),
        Index(
            "ix_visits_open",
            "hospital_id",
            text("opened_at DESC"),
            text("id DESC"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    terminal_id: Mapped[UUID | None] = mapped_column(ForeignKey("terminals.id"))
    kind: Mapped[str]
    department: Mapped[str]
    medical_step: Mapped[str]
    opened_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    opened_by_client_id: Mapped[UUID | None] = mapped_column(ForeignKey("machine_clients.id"))
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    disowned_at: Mapped[datetime | None]


class VisitStep(WithId, Base):
    """One scan of a visit: the first opened it, the others continued it. Never changed afterwards.

    ``redemption_id``: of a code that is good once. ``code_class``: how the patient was identified, D by a dynamic code,
    S by a static one with a document ... Scanned by staff, or by the system of a hospital that verifies codes itself.
    E: a doctor found a document on him in an emergency. N: nothing was scanned, at no terminal; the hospital's system
    told of the visit.
    """

    __tablename__ = "visit_steps"
    __table_args__ = (
        CheckConstraint("code_class ~ '^[A-Z]$'", name="code_class"),
        CheckConstraint("num_nonnulls(staff_id, client_id) = num_nonnulls(terminal_id)", name="scanned_by"),
        CheckConstraint("(terminal_id IS NULL) = (code_class = 'N')", name="nothing_scanned"),
        Index("ix_visit_steps_visit_id", "visit_id", text("at DESC"), text("id DESC")),
    )

    visit_id: Mapped[UUID] = mapped_column(ForeignKey("visits.id"))
    redemption_id: Mapped[UUID | None] = mapped_column(ForeignKey("code_redemptions.id"), unique=True)
    terminal_id: Mapped[UUID | None] = mapped_column(ForeignKey("terminals.id"))
    department: Mapped[str]
    medical_step: Mapped[str]
    code_class: Mapped[str]
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    client_id: Mapped[UUID | None] = mapped_column(ForeignKey("machine_clients.id"))
    at: Mapped[datetime]


class VisitNumber(Base):
    """A hospital's number of one of its visits (HL7 v2 PV1-19). A visit may have several, a number has one visit."""

    __tablename__ = "visit_numbers"
    __table_args__ = (
        CheckConstraint("char_length(number) BETWEEN 1 AND 64", name="number"),
        Index("ix_visit_numbers_visit_id", "visit_id"),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), primary_key=True)
    number: Mapped[str] = mapped_column(primary_key=True)
    visit_id: Mapped[UUID] = mapped_column(ForeignKey("visits.id"))
    named_at: Mapped[datetime]
