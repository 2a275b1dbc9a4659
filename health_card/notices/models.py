"""Notices to persons, and what became of each at WeChat."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class NoticeKind(StrEnum):
    """What happened; the words for it stand in texts.py."""

    IDENTIFIED = "identified"
    CODE_REPLAYED = "code_replayed"
    CODE_DOUBLE_USED = "code_double_used"
    TWO_PLACES = "two_places"
    VISIT_DISOWNED = "visit_disowned"
    CARD_LOST = "card_lost"
    CARD_RESTORED = "card_restored"
    CARD_REISSUED = "card_reissued"
    CARD_CANCELLED = "card_cancelled"
    CARD_PRINTED = "card_printed"
    MERGED = "merged"
    UNMERGED = "unmerged"
    DETAILS_CORRECTED = "details_corrected"
    LOGIN_CONFIRMED = "login_confirmed"
    LOGIN_WAITING = "login_waiting"
    PIN_RESET = "pin_reset"
    FAMILY_ADDED = "family_added"
    FAMILY_LEFT = "family_left"
    GUARDIAN_ENDED = "guardian_ended"
    ACTING_ENDED = "acting_ended"
    REAL_NAME_DISAGREED = "real_name_disagreed"
    REAL_NAME_AGREED = "real_name_agreed"
    BREAK_GLASS = "break_glass"
    CONFIRMATION_ASKED = "confirmation_asked"
    TURNING_FOURTEEN = "turning_fourteen"
    REPORT_NEW = "report_new"
    REPORT_AMENDED = "report_amended"
    EXPORT_READY = "export_ready"
    ERASURE_OVERDUE = "erasure_overdue"
    DELETION_ASKED = "deletion_asked"
    DELETION_REFUSED = "deletion_refused"
    RECTIFICATION_ANSWERED = "rectification_answered"
    RECTIFICATION_OVERDUE = "rectification_overdue"
    HOUSE_FIRST_LOOKED = "house_first_looked"
    QUESTION_ANSWERED = "question_answered"
    QUESTION_OVERDUE = "question_overdue"
    QUESTION_CONCLUDED = "question_concluded"
    ACCESS_REQUESTED = "access_requested"
    ACCESS_REMINDED = "access_reminded"
    SHARE_OPENED = "share_opened"
    SHARE_LOCKED = "share_locked"
    BREAK_GLASS_UNJUSTIFIED = "break_glass_unjustified"


class Notice(WithId, Base):
    """One thing that a person is told. ``facts``: ids and codes only; names are looked up when it is shown.

    ``key``: the same key is told once. ``own_only``: who acts for the person is not told.
    """

    __tablename__ = "notices"
    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(repr(kind.value) for kind in NoticeKind)})", name="kind"),
        Index("ix_notices_person_id", "person_id", text("created_at DESC"), text("id DESC")),
        Index("ix_notices_unread", "person_id", postgresql_where=text("seen_at IS NULL")),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    kind: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    hospital_id: Mapped[UUID | None] = mapped_column(ForeignKey("hospitals.id"))
    object_kind: Mapped[str | None]
    object_id: Mapped[UUID | None]
    key: Mapped[str | None] = mapped_column(unique=True)
    own_only: Mapped[bool] = mapped_column(server_default=false())
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime | None]


class DeliveryOutcome(StrEnum):
    """How sending one notice to one phone ended; all but ``sent`` leave it to the list in the app.

    ``not_accepted``: it is known that nothing is left of what the phone has accepted, so WeChat was not asked.
    """

    SENT = "sent"
    REFUSED = "refused"
    UNDELIVERABLE = "undeliverable"
    TOO_LATE = "too_late"
    NOT_ACCEPTED = "not_accepted"


class NoticeDelivery(Base):
    """One notice at one login's phone has ended: it is never tried again."""

    __tablename__ = "notice_deliveries"
    __table_args__ = (
        CheckConstraint("outcome IN ('sent', 'refused', 'undeliverable', 'too_late', 'not_accepted')", name="outcome"),
    )

    notice_id: Mapped[UUID] = mapped_column(ForeignKey("notices.id"), primary_key=True)
    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"), primary_key=True)
    outcome: Mapped[str]
    ended_at: Mapped[datetime]


class MessageCredit(Base):
    """How many messages of a template a login has accepted and not been sent yet: WeChat takes one an acceptance.

    A login without a row has never said: WeChat is asked, and its answer makes the row.
    """

    __tablename__ = "message_credits"
    __table_args__ = (CheckConstraint("remaining >= 0", name="remaining"),)

    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"), primary_key=True)
    template_id: Mapped[str] = mapped_column(primary_key=True)
    remaining: Mapped[int]
    changed_at: Mapped[datetime]
