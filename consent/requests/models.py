"""Requests: what a hospital asks a person to show, and what became of it."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from consent.models import Scoped, scope_checks
from core.db import Base, WithId


class RequestState(StrEnum):
    """Where a request stands. From ``requested`` it goes to one of the others, once, and stays there."""

    REQUESTED = "requested"
    GRANTED = "granted"
    DENIED = "denied"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"


class RequestReason(StrEnum):
    """Why it is asked. ``code``: nobody asked; a code was shown, and the standing policy says to ask each time."""

    HISTORY = "history"
    COMPARISON = "comparison"
    MEDICATION = "medication"
    SURGERY = "surgery"
    FOLLOW_UP = "follow_up"
    CONSULTATION = "consultation"
    CLAIM = "claim"
    CODE = "code"


class AccessRequest(Scoped, WithId, Base):
    """A hospital, a department of it (``department``) or one of its staff (``staff_id``) asks to see somebody's data.

    The scope is that of a grant (``consent.models.Grant``); ``uses``: how often. What it asks for never changes: a
    trigger of the database refuses it, and refuses any grant that names this request and is wider.

    ``asked_by``: the doctor; None: nobody, a code was shown (``reason`` code). ``visit_id``: at which visit of the
    hospital (a row of records, above us: no foreign key). ``access_until``: no grant lasts longer. ``lapses_at``: it
    can be answered until then. ``reason_sealed``: in the doctor's own words, sealed with the person's key.
    ``notice_hash``: of the text that is shown with it. ``version`` rises with the state.
    """

    __tablename__ = "access_requests"
    __table_args__ = (
        CheckConstraint("state IN ('requested', 'granted', 'denied', 'lapsed', 'withdrawn')", name="state"),
        CheckConstraint(f"reason IN ({', '.join(repr(reason.value) for reason in RequestReason)})", name="reason"),
        CheckConstraint("(reason = 'code') = (asked_by IS NULL)", name="asked_by"),
        CheckConstraint("reason <> 'code' OR visit_id IS NOT NULL", name="code_visit"),
        CheckConstraint("purpose IN ('treatment', 'consultation', 'insurance')", name="purpose"),
        *scope_checks(),
        CheckConstraint("uses > 0", name="uses"),
        CheckConstraint("lapses_at > asked_at AND access_until > asked_at", name="period"),
        CheckConstraint("(state = 'requested') = (ended_at IS NULL)", name="ended"),
        CheckConstraint("(state IN ('granted', 'denied')) = (answered_by IS NOT NULL)", name="answered"),
        CheckConstraint("state <> 'granted' OR ended_at < lapses_at", name="in_time"),
        CheckConstraint("version = CASE state WHEN 'requested' THEN 1 ELSE 2 END", name="version"),
        Index("ix_access_requests_person_id", "person_id", text("asked_at DESC"), text("id DESC")),
        Index("ix_access_requests_hospital_id", "hospital_id", text("asked_at DESC"), text("id DESC")),
        Index("ix_access_requests_asked_by", "asked_by", text("asked_at DESC"), text("id DESC")),
        Index("ix_access_requests_visit_id", "visit_id", postgresql_where=text("visit_id IS NOT NULL")),
        Index(
            "uq_access_requests_waiting",
            "person_id",
            "hospital_id",
            "asked_by",
            "purpose",
            unique=True,
            postgresql_where=text("state = 'requested'"),
            postgresql_nulls_not_distinct=True,
        ),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    staff_id: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    asked_by: Mapped[UUID | None] = mapped_column(ForeignKey("staff_members.id"))
    visit_id: Mapped[UUID | None]
    purpose: Mapped[str]
    reason: Mapped[str]
    reason_sealed: Mapped[bytes | None]
    uses: Mapped[int | None]
    access_until: Mapped[datetime]
    notice_hash: Mapped[str] = mapped_column(ForeignKey("notice_texts.hash"))
    asked_at: Mapped[datetime]
    lapses_at: Mapped[datetime]
    state: Mapped[str]
    version: Mapped[int]
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("logins.id"))
    ended_at: Mapped[datetime | None]


class AccessRequestVersion(Base):
    """What a request said in one version. Written by a trigger of the database at every change, and never changed."""

    __tablename__ = "access_request_versions"

    request_id: Mapped[UUID] = mapped_column(ForeignKey("access_requests.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    said: Mapped[dict[str, Any]]
