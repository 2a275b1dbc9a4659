"""The life of a case: each step is taken from the state that it needs, once, and leaves an event that stays."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Uuid, select, type_coerce, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from consent.questions.models import (
    AccessQuestion,
    AccessQuestionEvent,
    Conclusion,
    EventKind,
    HouseAnswer,
    QuestionTerm,
    Reason,
    State,
)
from consent.questions.refusals import (
    AccessNotQuestionable,
    QuestionAboutOneself,
    QuestionedAlready,
    QuestionHasMoved,
    QuestionNotFound,
)
from consent.service.access_log import item_of, may_read
from consent.service.hiding import PART_OF, find_hidden
from consent.service.release import is_known_to
from core import audit, clock, outbox
from core.actor import SYSTEM, Actor, ActorKind
from core.audit import AuditEntry
from core.ids import new_id
from core.vault import vault
from health_card import service as health_card
from health_card.service import NoticeKind

TERM_TOPIC = "consent.question_term_came"
TEXT = "access_question_events.text"


def ask_question(session: Session, actor: Actor, *, entry_id: UUID, reason: Reason, text: str | None) -> UUID:
    """Question a look that the actor reads in the log; the hospital has to answer within the reason's term.

    :param entry_id: the row; of a line that is folded, any of its rows.
    :returns: the case's id.
    :raises QuestionNotFound: no such row that the actor may read.
    :raises AccessNotQuestionable: no staff or system of a hospital did it, or it was done about a case.
    :raises QuestionedAlready: the row was questioned before.
    """
    entry = session.scalars(select(AuditEntry).where(AuditEntry.id == entry_id, *may_read(actor))).one_or_none()
    if entry is None or entry.subject_id is None:
        raise QuestionNotFound
    is_look = entry.actor_kind in {ActorKind.STAFF, ActorKind.MACHINE} and entry.hospital_id is not None
    if not is_look or entry.action.startswith("consent.access_question."):
        raise AccessNotQuestionable
    term, now = session.get_one(QuestionTerm, reason.value), clock.now()
    due_at = now + timedelta(days=term.answer_days)
    _key, wrapped = vault().new_key()
    asked = {
        "id": new_id(),
        "person_id": entry.subject_id,
        "entry_id": entry.id,
        "item_id": item_of(entry),
        "hospital_id": entry.hospital_id,
        "looker_kind": entry.actor_kind,
        "looker_id": entry.actor_id,
        "asked_by": actor.id,
        "reason": reason.value,
        "state": State.OPEN.value,
        "data_key": wrapped,
        "asked_at": now,
        "remind_at": due_at - timedelta(days=term.remind_days),
        "due_at": due_at,
    }
    new = insert(AccessQuestion).values(asked).on_conflict_do_nothing(index_elements=["entry_id"])
    question_id = session.scalar(new.returning(AccessQuestion.id))
    if question_id is None:
        raise QuestionedAlready
    question = session.get_one(AccessQuestion, question_id)
    _add_event(session, actor, question, EventKind.ASKED, code=reason, text=text)
    for at in sorted({question.remind_at, question.due_at}):
        outbox.announce(session, TERM_TOPIC, {"question_id": str(question_id)}, due_at=at, wakes=False)
    return question_id


def answer_question(session: Session, actor: Actor, *, question_id: UUID, answer: HouseAnswer, text: str) -> None:
    """The hospital answers, late or not; the patient is told.

    :raises QuestionNotFound: none to the actor's hospital.
    :raises QuestionAboutOneself: the actor is who looked.
    :raises QuestionHasMoved: it was answered, or is with the platform.
    """
    question = _find(session, AccessQuestion.id == question_id, AccessQuestion.hospital_id == actor.house_id)
    if question.looker_id == actor.id:
        raise QuestionAboutOneself
    _move(
        session,
        question,
        AccessQuestion.state == State.OPEN,
        state=State.ANSWERED.value,
        answer=answer.value,
        answered_by=actor.id,
        answered_at=clock.now(),
    )
    _add_event(session, actor, question, EventKind.ANSWERED, code=answer, text=text)
    _tell(session, question, NoticeKind.QUESTION_ANSWERED)


def accept_answer(session: Session, actor: Actor, *, question_id: UUID) -> None:
    """The patient is content: the case is closed.

    :raises QuestionNotFound: none that the actor may read.
    :raises QuestionHasMoved: there is no answer to accept.
    """
    question = _find(session, AccessQuestion.id == question_id, *may_read_question(actor))
    _move(
        session,
        question,
        AccessQuestion.state == State.ANSWERED,
        state=State.CLOSED.value,
        closed_at=clock.now(),
    )
    _add_event(session, actor, question, EventKind.ACCEPTED)


def escalate_question(session: Session, actor: Actor, *, question_id: UUID, text: str | None) -> None:
    """The patient is not content with the answer, or there is none in time: once, the audit administrator is to say.

    :raises QuestionNotFound: none that the actor may read.
    :raises QuestionHasMoved: the hospital still has time, or it was escalated before.
    """
    question = _find(session, AccessQuestion.id == question_id, *may_read_question(actor))
    now = clock.now()
    is_late = (AccessQuestion.state == State.OPEN) & (AccessQuestion.due_at <= now)
    _move(
        session,
        question,
        (AccessQuestion.state == State.ANSWERED) | is_late,
        state=State.ESCALATED.value,
        escalated_at=now,
    )
    _add_event(session, actor, question, EventKind.ESCALATED, text=text)


def conclude_question(session: Session, actor: Actor, *, question_id: UUID, conclusion: Conclusion, text: str) -> None:
    """The audit administrator says what he finds: the case is closed, and the patient is told.

    :raises QuestionNotFound: none such.
    :raises QuestionHasMoved: it is not escalated.
    """
    question = _find(session, AccessQuestion.id == question_id)
    _move(
        session,
        question,
        AccessQuestion.state == State.ESCALATED,
        state=State.CLOSED.value,
        conclusion=conclusion.value,
        closed_at=clock.now(),
    )
    _add_event(session, actor, question, EventKind.CONCLUDED, code=conclusion, text=text)
    _tell(session, question, NoticeKind.QUESTION_CONCLUDED)


def note_term(session: Session, *, question_id: UUID) -> None:
    """A term has come: the hospital is reminded, or the case is overdue and its patient told. Done again: nothing."""
    question = session.get_one(AccessQuestion, question_id, with_for_update=True)
    if question.state != State.OPEN:
        return
    now = clock.now()
    kind = EventKind.OVERDUE if now >= question.due_at else EventKind.REMINDED
    if kind is EventKind.REMINDED and now < question.remind_at:
        return
    noted = select(AccessQuestionEvent.id).where(
        AccessQuestionEvent.question_id == question_id, AccessQuestionEvent.kind == kind.value
    )
    if session.scalar(noted) is not None:
        return
    _add_event(session, SYSTEM, question, kind)
    if kind is EventKind.OVERDUE:
        _tell(session, question, NoticeKind.QUESTION_OVERDUE)


def may_read_question(actor: Actor) -> list[ColumnElement[bool]]:
    """Which cases a login may read: of whom it acts for, about things that it may know of."""
    return [
        AccessQuestion.person_id.in_(health_card.held_person_ids(actor)),
        is_known_to(actor, type_coerce(AccessQuestion.item_id, Uuid)),
    ]


def _find(session: Session, *which: ColumnElement[bool]) -> AccessQuestion:
    question = session.scalars(select(AccessQuestion).where(*which)).one_or_none()
    if question is None:
        raise QuestionNotFound
    return question


def _move(session: Session, question: AccessQuestion, needed: ColumnElement[bool], **values: Any) -> None:
    """Compare and set: of several at once the first one moves it, the others find it moved."""
    moved = update(AccessQuestion).where(AccessQuestion.id == question.id, needed).values(**values)
    if session.scalar(moved.returning(AccessQuestion.id)) is None:
        raise QuestionHasMoved
    session.refresh(question)


def _add_event(
    session: Session,
    actor: Actor,
    question: AccessQuestion,
    kind: EventKind,
    *,
    code: str | None = None,
    text: str | None = None,
) -> None:
    key = vault().unwrap(question.data_key)
    at: datetime = clock.now()
    session.add(
        AccessQuestionEvent(
            question_id=question.id,
            at=at,
            kind=kind.value,
            actor_kind=actor.kind.value,
            actor_id=actor.id,
            code=code,
            text_sealed=key.seal(text, context=TEXT) if text else None,
        )
    )
    session.flush()
    audit.record_act(
        session,
        actor,
        f"consent.access_question.{kind.value}",
        subject_id=question.person_id,
        of=("access_question", question.id),
        # Who may not know of the item finds no row about it either.
        facts=({"code": code} if code else {}) | ({PART_OF: str(question.item_id)} if question.item_id else {}),
    )


def _tell(session: Session, question: AccessQuestion, kind: NoticeKind) -> None:
    health_card.tell_person(
        session,
        person_id=question.person_id,
        kind=kind,
        hospital_id=question.hospital_id,
        of=("access_question", question.id),
        key=f"{kind.value}:{question.id}",
        own_only=_concerns_himself_alone(session, question),
    )


def _concerns_himself_alone(session: Session, question: AccessQuestion) -> bool:
    """Who acts for the person is not told of what he asked himself, nor of what he hides from them."""
    asker = health_card.find_holding(
        session, Actor(ActorKind.PATIENT, question.asked_by, frozenset()), question.person_id
    )
    is_his_own = asker is not None and asker.is_self
    return is_his_own or bool(question.item_id and find_hidden(session, object_ids={question.item_id}))
