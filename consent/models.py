"""Grants: what a patient allows a hospital to see. Hidden items: what his guardians and family do not see."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class Purpose(StrEnum):
    """Why somebody looks. Stands in every row of the access log."""

    OWN = "own"
    GUARDIAN = "guardian"
    FAMILY = "family"
    TREATMENT = "treatment"


class Grant(WithId, Base):
    """One hospital may see one person's records for one purpose, until it expires or is revoked.

    ``visit_id`` names the visit that opened it (a row of records, above us: no foreign key). A visit has one grant that
    is not revoked.
    ``version`` rises with every change, so that an access row says under which wording it was allowed.
    """

    __tablename__ = "grants"
    __table_args__ = (
        CheckConstraint("purpose IN ('treatment')", name="purpose"),
        CheckConstraint("expires_at > starts_at", name="period"),
        Index("uq_grants_visit", "visit_id", unique=True, postgresql_where=text("revoked_at IS NULL")),
        Index("ix_grants_person_id", "person_id", text("starts_at DESC")),
        Index(
            "ix_grants_in_force", "hospital_id", "person_id", "expires_at", postgresql_where=text("revoked_at IS NULL")
        ),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    purpose: Mapped[str]
    visit_id: Mapped[UUID | None]
    version: Mapped[int] = mapped_column(default=1)
    starts_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class HiddenItem(WithId, Base):
    """A report, study or entry that only the person himself sees, and not who acts for him, until it is shown again.

    ``object_kind``: report, study or entry. ``object_id`` is a row of records, above us: no foreign key.
    ``person_id``: the record that the item stands under.
    """

    __tablename__ = "hidden_items"
    __table_args__ = (
        CheckConstraint("object_kind IN ('report', 'study', 'entry')", name="object_kind"),
        CheckConstraint("shown_at >= hidden_at", name="period"),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    object_kind: Mapped[str]
    object_id: Mapped[UUID] = mapped_column(unique=True)
    hidden_by: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    hidden_at: Mapped[datetime]
    shown_at: Mapped[datetime | None]
