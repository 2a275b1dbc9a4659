"""Cards of others that lead to a person."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class Kind(StrEnum):
    """The media that cities accept beside the QR code."""

    SOCIAL_SECURITY_CARD = "social_security_card"
    ID_CARD = "id_card"
    RESIDENT_HEALTH_CARD = "resident_health_card"
    REGIONAL_VISIT_CARD = "regional_visit_card"


class Carrier(WithId, Base):
    """A physical card bound to a person. Of the living ones no two have one number."""

    __tablename__ = "carriers"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('social_security_card', 'id_card', 'resident_health_card', 'regional_visit_card')", name="kind"
        ),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="end_reason"),
        Index("uq_carriers_living", "number_index", unique=True, postgresql_where=text("ended_at IS NULL")),
        Index("ix_carriers_person_id", "person_id"),
    )

    kind: Mapped[str]
    number_index: Mapped[bytes]
    number_sealed: Mapped[bytes]
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    bound_at: Mapped[datetime]
    bound_by: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    end_reason: Mapped[str | None]
