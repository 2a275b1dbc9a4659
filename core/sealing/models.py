"""What is kept of the sealed audit log. Insert-only, as the audit trail itself."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base


class UnsealedEntry(Base):
    """An audit row that has no place in the log yet: put here by a trigger with the row, taken away by the sealer."""

    __tablename__ = "audit_unsealed"

    entry_id: Mapped[UUID] = mapped_column(primary_key=True)


class LogLeaf(Base):
    """The place of an audit row in the log, given when it is sealed: places have the order of sealing, and no gap.

    ``salt``: 16 random bytes that are part of the leaf, so that nobody can try rows against public hashes.
    ``hash``: the leaf's (RFC 6962). A leaf without an entry was taken over from the outside copy: its row was lost.
    """

    __tablename__ = "audit_leaves"
    __table_args__ = (
        CheckConstraint("index >= 0", name="index"),
        CheckConstraint("octet_length(hash) = 32", name="hash"),
        CheckConstraint("(entry_id IS NULL) = (salt IS NULL)", name="lost"),
        CheckConstraint("octet_length(salt) = 16", name="salt"),
    )

    index: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[UUID | None] = mapped_column(unique=True)
    salt: Mapped[bytes | None]
    hash: Mapped[bytes]


class LogNode(Base):
    """The hash over ``256**level`` leaves (``core.sealing.merkle``), from which every other node follows."""

    __tablename__ = "audit_nodes"
    __table_args__ = (
        CheckConstraint("level BETWEEN 1 AND 7", name="level"),
        CheckConstraint("octet_length(hash) = 32", name="hash"),
    )

    level: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    index: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes]


class LogCheckpoint(Base):
    """What was signed of the log when it had that many leaves: ``note`` is the whole signed text."""

    __tablename__ = "audit_checkpoints"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sealed_at: Mapped[datetime]
    note: Mapped[str]
