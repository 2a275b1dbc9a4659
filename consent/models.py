"""Grants: what a patient allows a hospital to see. Hidden and restricted items: what not everybody else sees."""

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
    APP = "app"


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


class Sensitivity(StrEnum):
    """What an item is about, that not everybody who sees the rest learns of."""

    HIV = "hiv"
    PSYCHIATRIC = "psychiatric"
    REPRODUCTIVE = "reproductive"
    GENETIC = "genetic"


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


class RestrictedItem(Base):
    """An item that is sensitive, or that its patient does not see yet, or both. Most items have no such row.

    ``object_id`` is a row of records, above us: no foreign key. ``hospital_id``: the house that made it. ``is_held``:
    nobody sees it as the patient before ``opens_at`` (None: no time opens it) or ``released_at``. ``disclosed_at``:
    the patient lets every hospital that treats him see it although it is sensitive.
    """

    __tablename__ = "restricted_items"
    __table_args__ = (
        CheckConstraint("object_kind IN ('report', 'study', 'entry')", name="object_kind"),
        CheckConstraint("sensitivity IN ('hiv', 'psychiatric', 'reproductive', 'genetic')", name="sensitivity"),
        CheckConstraint("sensitivity IS NOT NULL OR is_held", name="reason"),
        CheckConstraint("is_held OR (opens_at IS NULL AND released_at IS NULL)", name="held"),
        CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name="released"),
        CheckConstraint("disclosed_at IS NULL OR sensitivity IS NOT NULL", name="disclosed"),
        Index(
            "ix_restricted_items_held",
            "hospital_id",
            text("restricted_at DESC"),
            text("object_id DESC"),
            postgresql_where=text("is_held AND released_at IS NULL"),
        ),
    )

    object_id: Mapped[UUID] = mapped_column(primary_key=True)
    object_kind: Mapped[str]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    sensitivity: Mapped[str | None]
    is_held: Mapped[bool]
    opens_at: Mapped[datetime | None]
    restricted_at: Mapped[datetime]
    released_at: Mapped[datetime | None]
    released_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    disclosed_at: Mapped[datetime | None]
