"""Views, by which a phone's browser sees one study for some minutes, and pictures made before anybody asks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Integer
from sqlalchemy.dialects.postgresql import ARRAY
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


class FirstLook(Base):
    """What a phone shows first of an image that is slow to decode: its frames as JPEG, one after the other, sealed.

    ``source_key``: the address of the instance's file; ``sizes``: bytes of each frame's JPEG. It goes when its instance
    goes; missing, it is made when somebody asks.
    """

    __tablename__ = "first_looks"
    __table_args__ = (CheckConstraint("cardinality(sizes) BETWEEN 1 AND 60", name="sizes"),)

    instance_id: Mapped[UUID] = mapped_column(ForeignKey("instances.id", ondelete="CASCADE"), primary_key=True)
    source_key: Mapped[str] = mapped_column(unique=True)
    sizes: Mapped[list[int]] = mapped_column(ARRAY(Integer()))
    storage_key: Mapped[str]
    data_key: Mapped[bytes]
    made_at: Mapped[datetime]
