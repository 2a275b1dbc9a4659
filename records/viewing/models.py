"""Views: what lets the browser of a phone see one study for some minutes, on behalf of a signed-in login."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class ImageView(WithId, Base):
    """A one-time ticket, and once it was used the cookie that took its place; both are kept as hashes only.

    ``expires_at``: of the ticket, then of the cookie. It shows nothing that the login of ``session_id`` may not see
    at that moment, and nothing once that sign-in has ended.
    """

    __tablename__ = "image_views"
    __table_args__ = (CheckConstraint("(entered_at IS NULL) = (token_hash IS NULL)", name="entered"),)

    study_id: Mapped[UUID] = mapped_column(ForeignKey("studies.id"))
    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    session_id: Mapped[UUID] = mapped_column(ForeignKey("login_sessions.id"))
    ticket_hash: Mapped[bytes] = mapped_column(unique=True)
    token_hash: Mapped[bytes | None] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    entered_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
