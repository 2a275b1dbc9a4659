"""PINs of logins, and what desks asked patients to confirm."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class CodePin(Base):
    """The six digits with which a login confirms; ``failures`` counts wrong tries since the last right one."""

    __tablename__ = "code_pins"

    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"), primary_key=True)
    pin_hash: Mapped[str]
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    set_at: Mapped[datetime]


class CodeConfirmation(WithId, Base):
    """A desk asked whoever showed a code to confirm on the phone for one purpose."""

    __tablename__ = "code_confirmations"
    __table_args__ = (
        Index("ix_code_confirmations_redemption_id", "redemption_id"),
        CheckConstraint("purpose IN ('records', 'account', 'credit')", name="purpose"),
        CheckConstraint("answer IN ('confirmed', 'refused')", name="answer"),
        CheckConstraint(
            "(answer IS NULL) = (answered_at IS NULL) AND (answer IS NULL) = (answered_by IS NULL)", name="answered"
        ),
    )

    redemption_id: Mapped[UUID] = mapped_column(ForeignKey("code_redemptions.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    purpose: Mapped[str]
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    answer: Mapped[str | None]
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("logins.id"))
    answered_at: Mapped[datetime | None]
