"""Traits to find records by, pairs that may be one person, and the links that say that they are."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class TraitKind(StrEnum):
    """What two records may share. Each is rare enough to look up in a city of millions.

    Names count by their reading (pinyin), so that variants and slips of the ear share them too: with the year of
    birth (a slip in month or day keeps it), with month and day in either order (a slip in the year, or the two
    swapped, keeps it), and the surname alone with the whole date.
    """

    CERTIFICATE_NUMBER = "certificate_number"
    PHONE = "phone"
    NAME_YEAR = "name_year"
    NAME_DAY = "name_day"
    SURNAME_BIRTH = "surname_birth"


class PersonTrait(Base):
    """One thing that is or was true of a record, as a blind index. Rows stay when a name or phone is corrected."""

    __tablename__ = "person_traits"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('certificate_number', 'phone', 'name_year', 'name_day', 'surname_birth')", name="kind"
        ),
        Index("ix_person_traits_value", "kind", "value_index"),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    value_index: Mapped[bytes] = mapped_column(primary_key=True)


class PersonLink(WithId, Base):
    """One merge: the record ``from_id`` and all that stood behind it were put behind ``into_id``.

    A record stands behind at most one other, so that the links in force are trees; the record at the top stands for
    the person. ``linked_by`` and ``undone_by`` are None for the platform itself.
    """

    __tablename__ = "person_links"
    __table_args__ = (
        CheckConstraint("from_id <> into_id", name="two_records"),
        CheckConstraint("(undone_at IS NULL) = (undo_reason IS NULL)", name="undo_has_reason"),
        Index("uq_person_links_in_force", "from_id", unique=True, postgresql_where=text("undone_at IS NULL")),
        Index("ix_person_links_into_id", "into_id"),
    )

    from_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    into_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    reason: Mapped[str]
    evidence: Mapped[list[Any]]
    linked_at: Mapped[datetime]
    linked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    undone_at: Mapped[datetime | None]
    undone_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    undo_reason: Mapped[str | None]


class MatchState(StrEnum):
    """An open pair waits for the operator; refused pairs are the do-not-match list."""

    OPEN = "open"
    MERGED = "merged"
    REFUSED = "refused"


class MatchCandidate(WithId, Base):
    """Two records that may be one person's. ``evidence``: codes of ``weights.WEIGHTS``; ``score``: their sum.

    An open pair with a reason was put off.
    """

    __tablename__ = "match_candidates"
    __table_args__ = (
        UniqueConstraint("first_id", "second_id"),
        CheckConstraint("first_id < second_id", name="ordered"),
        CheckConstraint("state IN ('open', 'merged', 'refused')", name="state"),
        CheckConstraint("state = 'open' OR decided_at IS NOT NULL", name="decided"),
        CheckConstraint("(decided_at IS NULL) = (reason IS NULL)", name="decision_has_reason"),
        CheckConstraint("(state = 'merged') = (link_id IS NOT NULL)", name="merged_has_link"),
        Index("ix_match_candidates_second_id", "second_id"),
        Index("ix_match_candidates_queue", "state", text("score DESC"), text("id DESC")),
    )

    first_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    second_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    score: Mapped[int] = mapped_column(SmallInteger)
    evidence: Mapped[list[Any]]
    state: Mapped[str] = mapped_column(default=MatchState.OPEN.value)
    found_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    reason: Mapped[str | None]
    link_id: Mapped[UUID | None] = mapped_column(ForeignKey("person_links.id"))
