"""How much is kept longer than the law asks for."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class RetentionCount(Base):
    """Persons whose records are all beyond their time, and the lines of their timelines, as of one moment."""

    __tablename__ = "retention_counts"
    __table_args__ = (
        CheckConstraint("persons >= 0", name="persons"),
        CheckConstraint("lines >= persons", name="lines"),
    )

    counted_at: Mapped[datetime] = mapped_column(primary_key=True)
    persons: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[int] = mapped_column(BigInteger)
