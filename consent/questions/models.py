"""Cases: a patient questions a look, the hospital answers, the audit administrator concludes what stays in dispute."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class Reason(StrEnum):
    """Why a patient questions a look."""

    NOT_THERE = "not_there"
    NOT_NEEDED = "not_needed"
    AFTER_TREATMENT = "after_treatment"
    ACQUAINTANCE = "acquaintance"
    OTHER = "other"


class State(StrEnum):
    """``open``: the hospital is to answer; ``answered``: the patient may accept it, or escalate once; ``escalated``:
    the audit administrator is to conclude.
    """

    OPEN = "open"
    ANSWERED = "answered"
    ESCALATED = "escalated"
    CLOSED = "closed"


class HouseAnswer(StrEnum):
    """What the hospital says of the look."""

    TREATMENT = "treatment"
    DUTY = "duty"
    MISTAKE = "mistake"
    IMPROPER = "improper"


class Conclusion(StrEnum):
    """What the audit administrator finds."""

    JUSTIFIED = "justified"
    UNJUSTIFIED = "unjustified"
    UNCLEAR = "unclear"


class EventKind(StrEnum):
    """What happened to a case."""

    ASKED = "asked"
    REMINDED = "reminded"
    OVERDUE = "overdue"
    ANSWERED = "answered"
    ACCEPTED = "accepted"
    ESCALATED = "escalated"
    CONCLUDED = "concluded"


def _one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(word.value) for word in words)})", name=column)


class QuestionTerm(Base):
    """Within how many days a hospital answers, by reason, and how many days before that it is reminded.

    PIPL articles 45 and 50 say in time and with reasons; GB/T 35273-2020, 8.7 says within thirty days. What is here
    is shorter, and holds for cases that are opened from then on.
    """

    __tablename__ = "access_question_terms"
    __table_args__ = (
        _one_of("reason", Reason),
        CheckConstraint("answer_days BETWEEN 1 AND 30", name="answer_days"),
        CheckConstraint("remind_days >= 0 AND remind_days < answer_days", name="remind_days"),
    )

    reason: Mapped[str] = mapped_column(primary_key=True)
    answer_days: Mapped[int]
    remind_days: Mapped[int]


class AccessQuestion(WithId, Base):
    """One look (``entry_id``, a row of the audit trail, which no table refers to) is questioned, once. It holds the
    look's facts, and no content.

    ``item_id``: what was looked at, where it was one thing. ``looker_id``: who looked; he never answers. Texts stand
    in the events, sealed with ``data_key``.
    """

    __tablename__ = "access_questions"
    __table_args__ = (
        _one_of("reason", Reason),
        _one_of("state", State),
        _one_of("answer", HouseAnswer),
        _one_of("conclusion", Conclusion),
        CheckConstraint("answered_by <> looker_id", name="not_oneself"),
        CheckConstraint(
            "(answer IS NULL) = (answered_at IS NULL) AND (answer IS NULL) = (answered_by IS NULL)", name="answered"
        ),
        CheckConstraint("state <> 'answered' OR answer IS NOT NULL", name="state_answered"),
        CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name="closed"),
        CheckConstraint("conclusion IS NULL OR (state = 'closed' AND escalated_at IS NOT NULL)", name="concluded"),
        CheckConstraint("remind_at <= due_at", name="remind"),
        Index("ix_access_questions_person_id", "person_id", text("id DESC")),
        Index("ix_access_questions_hospital_id", "hospital_id", text("id DESC")),
        Index("ix_access_questions_living", "due_at", "id", postgresql_where=text("state <> 'closed'")),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    entry_id: Mapped[UUID] = mapped_column(unique=True)
    item_id: Mapped[UUID | None]
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    looker_kind: Mapped[str]
    looker_id: Mapped[UUID]
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    reason: Mapped[str]
    state: Mapped[str]
    answer: Mapped[str | None]
    answered_by: Mapped[UUID | None]
    conclusion: Mapped[str | None]
    data_key: Mapped[bytes]
    asked_at: Mapped[datetime]
    remind_at: Mapped[datetime]
    due_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    escalated_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class AccessQuestionEvent(WithId, Base):
    """What happened to a case, and who did it. Insert-only."""

    __tablename__ = "access_question_events"
    __table_args__ = (
        _one_of("kind", EventKind),
        Index("ix_access_question_events_question_id", "question_id", "id"),
    )

    question_id: Mapped[UUID] = mapped_column(ForeignKey("access_questions.id"))
    at: Mapped[datetime]
    kind: Mapped[str]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID]
    code: Mapped[str | None]
    text_sealed: Mapped[bytes | None]
