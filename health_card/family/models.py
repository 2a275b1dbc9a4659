"""Newborns without a number, invitations between logins, and what a desk found when it checked a holder."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId

# Names the column in its index and its seal.
MOTHER = "newborns.mother"


class Newborn(Base):
    """A person known by mother, birth date and birth order. ``identity_index`` is their keyed fingerprint.

    The row stays when the child gets a number of its own: it says how the record began.
    """

    __tablename__ = "newborns"
    __table_args__ = (CheckConstraint("birth_order BETWEEN 1 AND 9", name="birth_order"),)

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"), primary_key=True)
    identity_index: Mapped[bytes] = mapped_column(unique=True)
    mother_sealed: Mapped[bytes]
    birth_order: Mapped[int] = mapped_column(SmallInteger)
    born_at: Mapped[datetime | None]
    registered_at: Mapped[datetime]


class InvitationKind(StrEnum):
    """``consent``: let me act for you. ``guardian``: be the child's second guardian. ``hand_over``: in my place."""

    CONSENT = "consent"
    GUARDIAN = "guardian"
    HAND_OVER = "hand_over"


class Invitation(WithId, Base):
    """A secret that one login gives another, good once and for a day, unless it is withdrawn.

    ``relation``: what the person is to the login that will act. ``holder_id``: by what right the inviter speaks for
    the child; nothing when he asks somebody to act for that somebody himself.
    """

    __tablename__ = "family_invitations"
    __table_args__ = (
        CheckConstraint("kind IN ('consent', 'guardian', 'hand_over')", name="kind"),
        CheckConstraint("relation IN ('child', 'ward', 'spouse', 'parent', 'other')", name="relation"),
        CheckConstraint("(kind = 'consent') = (holder_id IS NULL)", name="holder"),
        CheckConstraint("(accepted_at IS NULL) = (accepted_holder_id IS NULL)", name="accepted"),
        CheckConstraint("accepted_at IS NULL OR withdrawn_at IS NULL", name="withdrawn"),
        Index("ix_family_invitations_inviter_id", "inviter_id", text("created_at DESC")),
        Index("ix_family_invitations_accepted_holder_id", "accepted_holder_id"),
    )

    kind: Mapped[str]
    inviter_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    holder_id: Mapped[UUID | None] = mapped_column(ForeignKey("holders.id"))
    relation: Mapped[str]
    code_hash: Mapped[bytes] = mapped_column(unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_holder_id: Mapped[UUID | None] = mapped_column(ForeignKey("holders.id"))
    withdrawn_at: Mapped[datetime | None]


class Proof(StrEnum):
    """What a desk saw. ``phone``: the person himself confirmed on his own, which a desk has checked before."""

    IDENTITY_DOCUMENT = "identity_document"
    BIRTH_CERTIFICATE = "birth_certificate"
    BIRTH_RECORD = "birth_record"
    HOUSEHOLD_BOOK = "household_book"
    COURT_PAPER = "court_paper"
    PHONE = "phone"


class Outcome(StrEnum):
    CONFIRMED = "confirmed"
    REFUSED = "refused"


class RefusalReason(StrEnum):
    """Why a desk refused somebody who wanted to act for a person."""

    DOCUMENTS_MISSING = "documents_missing"
    DOCUMENTS_CONTRADICT = "documents_contradict"
    RELATION_NOT_PROVEN = "relation_not_proven"
    PERSON_DECLINED = "person_declined"


class HolderCheck(WithId, Base):
    """What one desk decided about one holder, and on what. Insert-only."""

    __tablename__ = "holder_checks"
    __table_args__ = (
        Index("ix_holder_checks_holder_id", "holder_id"),
        CheckConstraint("outcome IN ('confirmed', 'refused')", name="outcome"),
        CheckConstraint(
            "proof IN ('identity_document', 'birth_certificate', 'birth_record', 'household_book', 'court_paper', "
            "'phone')",
            name="proof",
        ),
        CheckConstraint(
            "reason IN ('documents_missing', 'documents_contradict', 'relation_not_proven', 'person_declined')",
            name="reason",
        ),
        CheckConstraint(
            "(outcome = 'confirmed') = (proof IS NOT NULL) AND (outcome = 'refused') = (reason IS NOT NULL)",
            name="grounds",
        ),
    )

    holder_id: Mapped[UUID] = mapped_column(ForeignKey("holders.id"))
    outcome: Mapped[str]
    proof: Mapped[str | None]
    reason: Mapped[str | None]
    person_was_present: Mapped[bool]
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    staff_id: Mapped[UUID] = mapped_column(ForeignKey("staff_members.id"))
    checked_at: Mapped[datetime]
