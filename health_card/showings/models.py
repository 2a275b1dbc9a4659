"""Uses of cards, and the authorisations that a phone gives a hospital."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class UseKind(StrEnum):
    """``reported`` is what a hospital says afterwards; the others happened before the platform's eyes."""

    REGISTERED = "registered"
    VERIFIED = "verified"
    AUTHORISED = "authorised"
    REPORTED = "reported"


class CardUse(WithId, Base):
    """One use of a card at a hospital. Never changed afterwards.

    ``used_at`` as the hospital says, ``recorded_by`` the system that said it. ``scene``, ``channel`` and
    ``cost_type`` are the codes of the interface that reported it.
    """

    __tablename__ = "card_uses"
    __table_args__ = (
        CheckConstraint("use_kind IN ('registered', 'verified', 'authorised', 'reported')", name="use_kind"),
        # The same use reported again is the same use.
        Index(
            "uq_card_uses_reported",
            "hospital_id",
            "card_id",
            "used_at",
            "scene",
            "department",
            unique=True,
            postgresql_where=text("use_kind = 'reported'"),
        ),
        Index("uq_card_uses_redemption_id", "redemption_id", unique=True),
        Index("ix_card_uses_person_id", "person_id", "hospital_id"),
        Index("ix_card_uses_hospital_id", "hospital_id", "used_at"),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    card_id: Mapped[UUID] = mapped_column(ForeignKey("cards.id"))
    use_kind: Mapped[str]
    redemption_id: Mapped[UUID | None] = mapped_column(ForeignKey("code_redemptions.id"))
    scene: Mapped[str] = mapped_column(default="")
    department: Mapped[str] = mapped_column(default="")
    channel: Mapped[str] = mapped_column(default="")
    cost_type: Mapped[str] = mapped_column(default="")
    recorded_by: Mapped[UUID]
    used_at: Mapped[datetime]
    recorded_at: Mapped[datetime]


class HealthCode(WithId, Base):
    """A text with which one hospital may read one card once. Only its hash is kept."""

    __tablename__ = "health_codes"

    code_hash: Mapped[bytes] = mapped_column(unique=True)
    card_id: Mapped[UUID] = mapped_column(ForeignKey("cards.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
