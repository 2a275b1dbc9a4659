"""Persons who asked that their record be deleted."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class DeletionState(StrEnum):
    """``checked``: the first of two has looked at it. Done, withdrawn and refused ones are over."""

    ASKED = "asked"
    CHECKED = "checked"
    DONE = "done"
    WITHDRAWN = "withdrawn"
    REFUSED = "refused"


OPEN = (DeletionState.ASKED, DeletionState.CHECKED)


class RefusedReason(StrEnum):
    """Why the platform does not delete."""

    NOT_THE_PERSON = "not_the_person"
    DISPUTE = "dispute"
    LEGAL_ORDER = "legal_order"


class DeletionRequest(WithId, Base):
    """One wish, and who acted on it. Two persons at the platform have to agree, after ``cooling_until``.

    ``kept``: what stayed by law when it was done, code and last day each.
    """

    __tablename__ = "deletion_requests"
    __table_args__ = (
        CheckConstraint("state IN ('asked', 'checked', 'done', 'withdrawn', 'refused')", name="state"),
        CheckConstraint("cooling_until > asked_at", name="cooling"),
        CheckConstraint("(checked_by IS NULL) = (checked_at IS NULL)", name="checked"),
        CheckConstraint("checked_at >= cooling_until", name="cooled"),
        CheckConstraint("state NOT IN ('checked', 'done') OR checked_by IS NOT NULL", name="first_hand"),
        CheckConstraint("(state = 'done') = (approved_by IS NOT NULL)", name="approved"),
        CheckConstraint("approved_by <> checked_by", name="two_persons"),
        CheckConstraint("(state IN ('asked', 'checked')) = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(state = 'refused') = (refused_reason IS NOT NULL)", name="refused"),
        CheckConstraint("refused_reason IN ('not_the_person', 'dispute', 'legal_order')", name="refused_reason"),
        CheckConstraint("(state = 'done') = (kept IS NOT NULL)", name="kept"),
        Index(
            "uq_deletion_requests_open",
            "person_id",
            unique=True,
            postgresql_where=text("state IN ('asked', 'checked')"),
        ),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    asked_at: Mapped[datetime]
    cooling_until: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=DeletionState.ASKED.value)
    checked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    checked_at: Mapped[datetime | None]
    approved_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    ended_at: Mapped[datetime | None]
    refused_reason: Mapped[str | None]
    kept: Mapped[dict[str, Any] | None]
