"""Persons, who holds them, their cards, and their numbers at hospitals."""

from datetime import date, datetime
from enum import IntEnum, StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class Assurance(StrEnum):
    """How well an identity was checked, weakest first; shown at every scan."""

    ASSERTED = "asserted"
    DOCUMENT = "document"
    BANK = "bank"
    FACE = "face"


class Person(WithId, Base):
    """The master record of one person. What names him is sealed with his own data key.

    ``root_id`` names the record that stands for the person: this one, or the one that it was merged into. What is
    known of a person hangs on the record through which it came, so that taking a merge back gives each its own again;
    whoever reads asks for all records of the same person (``service.same_persons``).

    ``erased_at``: the record was deleted. Its key is another one since, and what it says of the person is nothing.
    """

    __tablename__ = "persons"
    __table_args__ = (
        CheckConstraint("sex IN ('male', 'female', 'unknown')", name="sex"),
        CheckConstraint("assurance IN ('asserted', 'document', 'bank', 'face')", name="assurance"),
        CheckConstraint("nation ~ '^[0-9]{2}$'", name="nation"),
        Index("ix_persons_root_id", "root_id"),
    )

    root_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    data_key: Mapped[bytes]
    name_sealed: Mapped[bytes]
    phone_sealed: Mapped[bytes]
    address_sealed: Mapped[bytes | None]
    sex: Mapped[str]
    birth_date: Mapped[date | None]
    nation: Mapped[str | None]
    assurance: Mapped[str]
    created_at: Mapped[datetime]
    erased_at: Mapped[datetime | None]


class CertificateState(StrEnum):
    """``former`` was renewed and still leads to the person; ``withdrawn`` was a mistake and leads to nobody."""

    CURRENT = "current"
    FORMER = "former"
    WITHDRAWN = "withdrawn"


class PersonCertificate(WithId, Base):
    """A certificate of a person. One of the current ones is shown first (``is_primary``).

    ``type``: WS 364.3 CV02.01.101. ``country``: who issued it, ISO 3166-1 alpha-3; empty for our own authorities.
    """

    __tablename__ = "person_certificates"
    __table_args__ = (
        Index(
            "uq_person_certificates_number",
            "number_index",
            "country",
            unique=True,
            postgresql_where=text("state <> 'withdrawn'"),
        ),
        Index("uq_person_certificates_primary", "person_id", unique=True, postgresql_where=text("is_primary")),
        Index("ix_person_certificates_person_id", "person_id"),
        CheckConstraint("state IN ('current', 'former', 'withdrawn')", name="state"),
        CheckConstraint("NOT is_primary OR state = 'current'", name="primary_is_current"),
        CheckConstraint("country ~ '^([A-Z]{3})?$'", name="country"),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    type: Mapped[str]
    country: Mapped[str] = mapped_column(default="")
    number_index: Mapped[bytes]
    number_sealed: Mapped[bytes]
    state: Mapped[str] = mapped_column(default=CertificateState.CURRENT.value)
    is_primary: Mapped[bool]
    added_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class Relation(StrEnum):
    """What the person is to the holder of the login."""

    SELF = "self"
    CHILD = "child"
    WARD = "ward"
    SPOUSE = "spouse"
    PARENT = "parent"
    OTHER = "other"


class Holder(WithId, Base):
    """A login that may act for a person. Unconfirmed, it may do nothing but wait for a desk.

    ``valid_until``: it ends by itself then, as a guardian's access does when the child comes of age.
    """

    __tablename__ = "holders"
    __table_args__ = (
        Index(
            "uq_holders_login_person", "login_id", "person_id", unique=True, postgresql_where=text("ended_at IS NULL")
        ),
        Index(
            "uq_holders_self",
            "login_id",
            unique=True,
            postgresql_where=text("relation = 'self' AND ended_at IS NULL"),
        ),
        Index("ix_holders_person_id", "person_id"),
        CheckConstraint("relation IN ('self', 'child', 'ward', 'spouse', 'parent', 'other')", name="relation"),
        CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="end_reason"),
    )

    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    relation: Mapped[str]
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class CardState(IntEnum):
    """The national card states."""

    NORMAL = 1
    LOST = 2
    CANCELLED = 3
    BEING_MADE = 4
    NOT_ISSUED = 5


class ApplyChannel(IntEnum):
    """Through what a card was applied for."""

    APP = 1
    KIOSK = 2
    WINDOW = 3
    BATCH = 4


class Card(WithId, Base):
    """An electronic health card. ``number`` is 256 random bits, 64 upper-case hexadecimal digits.

    ``epoch`` is part of every code: raising it makes all codes that were ever shown worthless.
    """

    __tablename__ = "cards"
    __table_args__ = (
        Index("uq_cards_living", "person_id", unique=True, postgresql_where=text("replaced_at IS NULL")),
        Index("ix_cards_issued_at", "issued_at", "channel"),
        Index("ix_cards_state", "state", postgresql_where=text("replaced_at IS NULL")),
        CheckConstraint("number ~ '^[0-9A-F]{64}$'", name="number"),
        CheckConstraint("state BETWEEN 1 AND 5", name="state"),
        CheckConstraint("channel BETWEEN 1 AND 4", name="channel"),
        CheckConstraint("epoch BETWEEN 0 AND 65535", name="epoch"),
        Index("ix_cards_dead", "number", postgresql_where=text("state IN (2, 3) OR replaced_at IS NOT NULL")),
        Index("ix_cards_epoch_raised_at", "epoch_raised_at"),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    number: Mapped[str] = mapped_column(unique=True)
    state: Mapped[int] = mapped_column(SmallInteger)
    channel: Mapped[int] = mapped_column(SmallInteger)
    epoch: Mapped[int] = mapped_column(default=0)
    issued_at: Mapped[datetime]
    replaced_at: Mapped[datetime | None]
    # Written by a trigger, so that whoever raises an epoch or ends a card tells the desks without the network.
    epoch_raised_at: Mapped[datetime | None]
    state_changed_at: Mapped[datetime | None]


class CodeRedemption(WithId, Base):
    """A code that was accepted. The nonce is unique, so of two scans of one code one is refused.

    ``terminal_id``: none when a billing system redeemed a payment code.
    """

    __tablename__ = "code_redemptions"

    nonce: Mapped[bytes] = mapped_column(unique=True)
    card_id: Mapped[UUID] = mapped_column(ForeignKey("cards.id"))
    terminal_id: Mapped[UUID | None] = mapped_column(ForeignKey("terminals.id"))
    redeemed_at: Mapped[datetime] = mapped_column(index=True)


class PatientNumber(Base):
    """The number under which a hospital knows a person: one that counts, and those that it merged into another.

    ``replaced_by``: the number of the same hospital that stands in its place. It still leads to the person.
    """

    __tablename__ = "patient_numbers"
    __table_args__ = (
        # At the end of the transaction: of two numbers of one person only one may count at any moment.
        ForeignKeyConstraint(
            ["hospital_id", "replaced_by"],
            ["patient_numbers.hospital_id", "patient_numbers.number"],
            name="fk_patient_numbers_replaced_by",
            deferrable=True,
            initially="DEFERRED",
        ),
        CheckConstraint("replaced_by <> number", name="replaced_by_another"),
        Index(
            "uq_patient_numbers_current",
            "hospital_id",
            "person_id",
            unique=True,
            postgresql_where=text("replaced_by IS NULL"),
        ),
        Index("ix_patient_numbers_person_id", "person_id"),
    )

    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"), primary_key=True)
    number: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    replaced_by: Mapped[str | None]
    bound_at: Mapped[datetime]
