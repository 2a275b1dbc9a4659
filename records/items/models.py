"""The dictionary's tables. What an item was is kept: results were judged by it."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Numeric, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class ValueKind(StrEnum):
    """``quantity``: a number with a unit; ``coded``: one of few words, such as negative; ``text``: anything."""

    QUANTITY = "quantity"
    CODED = "coded"
    TEXT = "text"


class Item(WithId, Base):
    """Something that is measured or examined, under the city's code."""

    __tablename__ = "items"

    code: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[datetime]


class ItemVersion(Base):
    """What the dictionary says of an item; the latest version is current. Triggers refuse to change what it says.

    ``unit``: UCUM. ``molar_mass``: grams a mole, where mass and amount of the substance may be converted.
    """

    __tablename__ = "item_versions"
    __table_args__ = (
        CheckConstraint("version > 0", name="version"),
        CheckConstraint("category IN ('laboratory', 'imaging', 'other')", name="category"),
        CheckConstraint("value_kind IN ('quantity', 'coded', 'text')", name="value_kind"),
        CheckConstraint(
            "CASE WHEN value_kind = 'quantity' THEN unit IS NOT NULL AND decimals BETWEEN 0 AND 6 "
            "ELSE num_nonnulls(unit, decimals, molar_mass) = 0 END",
            name="quantity",
        ),
        CheckConstraint("molar_mass > 0", name="molar_mass"),
        Index("uq_item_versions_current", "item_id", unique=True, postgresql_where=text("is_current")),
    )

    item_id: Mapped[UUID] = mapped_column(ForeignKey("items.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    is_current: Mapped[bool]
    name: Mapped[str]
    name_en: Mapped[str]
    short_name: Mapped[str]
    category: Mapped[str]
    value_kind: Mapped[str]
    unit: Mapped[str | None]
    decimals: Mapped[int | None] = mapped_column(SmallInteger)
    molar_mass: Mapped[Decimal | None] = mapped_column(Numeric)
    changed_at: Mapped[datetime]


class ItemRange(Base):
    """What is usual for one sex and age, in the item's unit: the city's default where a hospital sends no range.

    ``sex``: male, female, or None for both. Ages in days, from the first and before the second; a year is 365.25.
    """

    __tablename__ = "item_ranges"
    __table_args__ = (
        ForeignKeyConstraint(["item_id", "version"], ["item_versions.item_id", "item_versions.version"]),
        CheckConstraint("sex IN ('male', 'female')", name="sex"),
        CheckConstraint("age_from_days >= 0 AND age_until_days > age_from_days", name="age"),
        CheckConstraint("num_nonnulls(low, high) > 0", name="bounded"),
        CheckConstraint("low <= high AND critical_low <= low AND critical_high >= high", name="bounds"),
        CheckConstraint("critical_low IS NULL OR low IS NOT NULL", name="critical_low"),
        CheckConstraint("critical_high IS NULL OR high IS NOT NULL", name="critical_high"),
    )

    item_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    sex: Mapped[str | None]
    age_from_days: Mapped[int]
    age_until_days: Mapped[int | None]
    low: Mapped[Decimal | None] = mapped_column(Numeric)
    high: Mapped[Decimal | None] = mapped_column(Numeric)
    critical_low: Mapped[Decimal | None] = mapped_column(Numeric)
    critical_high: Mapped[Decimal | None] = mapped_column(Numeric)


class CodeMapping(WithId, Base):
    """What a code means: one hospital's own, or one that all use (LOINC, the city's). Ended, never changed.

    ``unit``: only results written in this unit; None: in any. ``item_id`` None: known not to be of the dictionary.
    A hospital's own word goes before everybody's, and a unit's before any unit's.
    """

    __tablename__ = "code_mappings"
    __table_args__ = (
        Index(
            "uq_code_mappings_current",
            "code_system",
            "code",
            "hospital_id",
            "unit",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        ),
        # A trend asks for all codes of one item.
        Index("ix_code_mappings_item", "item_id", postgresql_where=text("ended_at IS NULL")),
    )

    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    code_system: Mapped[str]
    code: Mapped[str]
    unit: Mapped[str | None]
    item_id: Mapped[UUID | None] = mapped_column(ForeignKey("items.id"))
    mapped_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class CodeSighting(WithId, Base):
    """A result came in whose code means no item yet. Filing appends it and waits for nobody; the worker counts it."""

    __tablename__ = "code_sightings"

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    code_system: Mapped[str]
    code: Mapped[str]
    unit: Mapped[str | None]
    name: Mapped[str]
    seen_at: Mapped[datetime]


class UnmappedCode(WithId, Base):
    """A hospital's code that had no meaning when it was seen, counted. ``names``: up to five ways it was written."""

    __tablename__ = "unmapped_codes"
    __table_args__ = (
        Index(
            "uq_unmapped_codes_code",
            "hospital_id",
            "code_system",
            "code",
            "unit",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
        Index("ix_unmapped_codes_page", text("seen_count DESC"), text("id DESC")),
        CheckConstraint("seen_count > 0", name="seen_count"),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    code_system: Mapped[str]
    code: Mapped[str]
    unit: Mapped[str | None]
    names: Mapped[list[Any]]
    seen_count: Mapped[int]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
