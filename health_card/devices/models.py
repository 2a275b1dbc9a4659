"""Keys of phones."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class CodeDevice(WithId, Base):
    """A phone's Ed25519 key that may make codes for one card. Certified again, the row is renewed."""

    __tablename__ = "code_devices"
    __table_args__ = (
        UniqueConstraint("card_id", "public_key"),
        CheckConstraint("octet_length(public_key) = 32", name="public_key"),
        CheckConstraint("expires_at <= certified_at + INTERVAL '72 hours'", name="life"),
    )

    card_id: Mapped[UUID] = mapped_column(ForeignKey("cards.id"))
    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    public_key: Mapped[bytes]
    certified_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
