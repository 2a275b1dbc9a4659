"""Which hospitals have looked at whom."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class KnownHouse(Base):
    """A hospital has looked at this person's record. ``entry_id``: its first look, a row of the audit trail.

    A trigger of the audit trail announces looks of a hospital that is not here yet, and looks in an emergency; so no
    way of reading passes by it, and a look costs one probe of this table's key.
    """

    __tablename__ = "known_houses"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), primary_key=True)
    entry_id: Mapped[UUID] = mapped_column(unique=True)
    first_at: Mapped[datetime]
