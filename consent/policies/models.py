"""Standing policies: what each hospital that treats a person may see, and what he was told when he chose."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from consent.models import ITEM_KINDS
from core.db import Base


class Treating(StrEnum):
    """What a hospital gets that a person shows his code: his records, a request that he answers, or nothing."""

    YES = "yes"
    ASK = "ask"
    NEVER = "never"


class NoticeText(Base):
    """A text that people were shown before they agreed. It never changes: another wording is another row.

    ``hash``: SHA-256 of the text in UTF-8, hexadecimal; the newest of a kind is the one that is shown.
    """

    __tablename__ = "notice_texts"
    __table_args__ = (
        CheckConstraint("kind IN ('standing_policy', 'access_request')", name="kind"),
        CheckConstraint("hash = encode(sha256(convert_to(text, 'UTF8')), 'hex')", name="hash"),
        Index("ix_notice_texts_kind", "kind", text("published_at DESC")),
    )

    hash: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    text: Mapped[str]
    published_at: Mapped[datetime]


class SharingPolicy(Base):
    """What one person's record says now; who has none shares everything that is not sensitive with who treats him.

    ``by_hospital``: hospital id to ``Treating``, where a hospital gets something else than ``treating``.
    ``excluded_kinds``: what no code shares, with whomever. ``notice_hash``: what he was shown when he chose.
    """

    __tablename__ = "sharing_policies"
    __table_args__ = (
        CheckConstraint("treating IN ('yes', 'ask', 'never')", name="treating"),
        CheckConstraint(
            'NOT jsonb_path_exists(by_hospital, \'$.* ? (@ != "yes" && @ != "ask" && @ != "never")\')',
            name="by_hospital",
        ),
        CheckConstraint(
            f"excluded_kinds <@ ARRAY[{', '.join(repr(kind) for kind in ITEM_KINDS)}] "
            f"AND cardinality(excluded_kinds) < {len(ITEM_KINDS)}",
            name="excluded_kinds",
        ),
        CheckConstraint("version > 0", name="version"),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    version: Mapped[int]
    treating: Mapped[str]
    by_hospital: Mapped[dict[str, Any]]
    excluded_kinds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    notice_hash: Mapped[str] = mapped_column(ForeignKey("notice_texts.hash"))
    changed_by: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    changed_at: Mapped[datetime]


class SharingPolicyVersion(Base):
    """What a policy said in one version. Written by a trigger of the database at every change, and never changed."""

    __tablename__ = "sharing_policy_versions"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    said: Mapped[dict[str, Any]]


class RequestBlock(Base):
    """A hospital may not ask this person, until he lets it again: then the row is gone, and the log tells of both."""

    __tablename__ = "request_blocks"

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), primary_key=True)
    blocked_by: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    blocked_at: Mapped[datetime]
