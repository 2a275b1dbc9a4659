"""What was known of a person before it was corrected."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class Field(StrEnum):
    """What can be corrected."""

    NAME = "name"
    PHONE = "phone"
    SEX = "sex"
    BIRTH_DATE = "birth_date"
    NATION = "nation"
    ADDRESS = "address"
    CERTIFICATE = "certificate"


class Reason(StrEnum):
    """Why: it was wrong from the start, the world has changed, a document was renewed, or it was not known before."""

    MISTAKE = "mistake"
    CHANGED = "changed"
    RENEWED = "renewed"
    ADDED = "added"


class PersonChange(WithId, Base):
    """One value of a person was corrected. Append-only: triggers refuse UPDATE, DELETE and TRUNCATE.

    Old and new are sealed with the data key of ``person_id``; a certificate is written as its type, a colon and its
    number. ``evidence``: the type of the document that the desk had seen (WS 364.3 CV02.01.101).
    """

    __tablename__ = "person_changes"
    __table_args__ = (
        CheckConstraint(
            "field IN ('name', 'phone', 'sex', 'birth_date', 'nation', 'address', 'certificate')", name="field"
        ),
        CheckConstraint("reason IN ('mistake', 'changed', 'renewed', 'added')", name="reason"),
        CheckConstraint("old_sealed IS NOT NULL OR new_sealed IS NOT NULL", name="something"),
        Index("ix_person_changes_person_id", "person_id", text("changed_at DESC"), text("id DESC")),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    field: Mapped[str]
    old_sealed: Mapped[bytes | None]
    new_sealed: Mapped[bytes | None]
    reason: Mapped[str]
    evidence: Mapped[str]
    look_up_id: Mapped[UUID] = mapped_column(ForeignKey("desk_look_ups.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    changed_at: Mapped[datetime]
