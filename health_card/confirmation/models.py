"""PINs of logins, and what patients confirmed at desks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId

# The purpose of what was confirmed with the PIN: good for any one.
ANY = "any"


class CodePin(Base):
    """The six digits with which a login confirms; ``failures`` counts wrong tries since the last right one."""

    __tablename__ = "code_pins"

    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"), primary_key=True)
    pin_hash: Mapped[str]
    failures: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    set_at: Mapped[datetime]


class ConfirmedCode(Base):
    """Whose PIN made a code of class C: the code itself names a card, and several logins may hold that."""

    __tablename__ = "confirmed_codes"

    nonce: Mapped[bytes] = mapped_column(primary_key=True)
    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    made_at: Mapped[datetime]


class CodeConfirmation(WithId, Base):
    """Who showed a code confirmed on the phone, or was asked to: with a tap for one purpose, or before with the PIN.

    ``purpose``: what the desk asked for, or ``any``: the code itself was made with the PIN, good for any one purpose.
    ``epoch``: of the card at that time; a card whose codes were ended since has confirmed nothing. ``used_for``: what
    it opened, once.
    """

    __tablename__ = "code_confirmations"
    __table_args__ = (
        Index("ix_code_confirmations_redemption_id", "redemption_id"),
        Index("uq_code_confirmations_by_pin", "redemption_id", unique=True, postgresql_where=text("purpose = 'any'")),
        CheckConstraint("purpose IN ('records', 'account', 'credit', 'any')", name="purpose"),
        CheckConstraint("answer IN ('confirmed', 'refused')", name="answer"),
        CheckConstraint(
            "(answer IS NULL) = (answered_at IS NULL) AND (answer IS NULL) = (answered_by IS NULL)", name="answered"
        ),
        CheckConstraint(
            "(used_at IS NULL) = (used_for IS NULL) AND (used_at IS NULL) = (used_by IS NULL)", name="used"
        ),
        CheckConstraint("used_for IN ('records', 'account', 'credit')", name="used_for"),
        CheckConstraint(
            "used_for IS NULL OR (answer = 'confirmed' AND purpose IN (used_for, 'any'))", name="used_as_confirmed"
        ),
    )

    redemption_id: Mapped[UUID] = mapped_column(ForeignKey("code_redemptions.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    purpose: Mapped[str]
    epoch: Mapped[int]
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    asked_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    answer: Mapped[str | None]
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("logins.id"))
    answered_at: Mapped[datetime | None]
    used_for: Mapped[str | None]
    used_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    used_at: Mapped[datetime | None]
