"""The archives that hospitals let us ask."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class ImageArchive(Base):
    """One hospital's archive, asked over DICOMweb. Its secret is sealed.

    ``username`` is None where the secret is a bearer token. ``revision`` changes with every registration: what was
    planned under an earlier one is dropped. ``authority``: the house's own certificate authority (PEM), trusted beside
    the public ones. ``searched_on``: up to which day of study the index is filled.
    """

    __tablename__ = "image_archives"
    __table_args__ = (CheckConstraint("base_url ~ '^https?://'", name="base_url"),)

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), primary_key=True)
    base_url: Mapped[str]
    username: Mapped[str | None]
    data_key: Mapped[bytes]
    secret_sealed: Mapped[bytes]
    authority: Mapped[str | None]
    is_enabled: Mapped[bool]
    revision: Mapped[UUID]
    first_day: Mapped[date]
    searched_on: Mapped[date | None]
    reached_at: Mapped[datetime | None]
    registered_at: Mapped[datetime]
