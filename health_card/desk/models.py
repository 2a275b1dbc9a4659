"""Whom a desk has before it, and how identities were checked."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class Way(StrEnum):
    """How a desk found the person."""

    CERTIFICATE = "certificate"
    VISIT = "visit"
    CARRIER = "carrier"
    REGISTRATION = "registration"
    CONFIRMATION = "confirmation"


class LookUp(WithId, Base):
    """A hospital's desk has this person before it, for a quarter of an hour. What it does names the look-up.

    ``login_id``: his own, that confirmed on the phone that it is he.
    """

    __tablename__ = "desk_look_ups"
    __table_args__ = (
        CheckConstraint("way IN ('certificate', 'visit', 'carrier', 'registration', 'confirmation')", name="way"),
        CheckConstraint("(way = 'confirmation') = (login_id IS NOT NULL)", name="login"),
        Index("ix_desk_look_ups_person_id", "person_id"),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    way: Mapped[str]
    login_id: Mapped[UUID | None] = mapped_column(ForeignKey("logins.id"))
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class AssuranceCheck(WithId, Base):
    """An identity was checked. Append-only: triggers refuse UPDATE, DELETE and TRUNCATE.

    ``level``: what the check was good for. ``evidence``: what was seen; of a document its type (WS 364.3
    CV02.01.101), of a check at the real-name source its way, with the source and its own ``reference`` of the check.
    Hospital, staff member and look-up are absent when no desk did it.
    """

    __tablename__ = "assurance_checks"
    __table_args__ = (
        CheckConstraint("level IN ('document', 'bank', 'face')", name="level"),
        CheckConstraint("(source IS NULL) = (reference IS NULL)", name="reference"),
        Index("ix_assurance_checks_person_id", "person_id", "level", text("checked_at DESC")),
        Index("ix_assurance_checks_look_up_id", "look_up_id"),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    level: Mapped[str]
    evidence: Mapped[str]
    source: Mapped[str | None]
    reference: Mapped[str | None]
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    look_up_id: Mapped[UUID | None] = mapped_column(ForeignKey("desk_look_ups.id"))
    checked_at: Mapped[datetime]
