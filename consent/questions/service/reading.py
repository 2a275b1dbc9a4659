"""Cases as each side reads them: facts of the look, and what was said of it; never what a record contains."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, and_, cast, func, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.log.words import ACTIONS, OTHER_ACTION
from consent.questions.models import AccessQuestion, AccessQuestionEvent, Conclusion, EventKind, HouseAnswer, State
from consent.questions.refusals import QuestionNotFound
from consent.questions.service.cases import TEXT, may_read_question
from consent.service.access_log import describe, list_items
from consent.service.hiding import PART_OF
from core import audit, clock
from core.actor import Actor, ActorKind
from core.audit import AuditEntry
from core.vault import vault
from health_card import service as health_card

PAGE = 30
_Case = tuple[AccessQuestion, AuditEntry]


@dataclass(frozen=True)
class EventView:
    """What happened to a case. ``code``: the reason, answer or conclusion; ``text``: for whom may read it."""

    at: datetime
    kind: str
    code: str | None
    text: str | None


@dataclass(frozen=True)
class QuestionView:
    """A case. What one side is not told is None.

    :ivar person_name: masked; ``patient_number``: the hospital's own.
    :ivar what: the act in Chinese, at ``looked_at``, by ``who``; ``item_kind`` and ``item_on`` of what was looked at.
    :ivar is_overdue: the hospital has let its term pass, and has not answered since.
    """

    id: UUID
    entry_id: UUID
    person_id: UUID | None
    person_name: str | None
    patient_number: str | None
    hospital_id: UUID
    hospital_name: str
    looked_at: datetime
    what: str
    who_kind: str
    who: str | None
    item_kind: str | None
    item_on: date | None
    reason: str
    state: str
    is_overdue: bool
    asked_at: datetime
    remind_at: datetime
    due_at: datetime
    answer: str | None
    answered_at: datetime | None
    conclusion: str | None
    closed_at: datetime | None
    events: list[EventView]


@dataclass(frozen=True)
class QuestionFilter:
    """Which cases. ``is_overdue``: only those whose hospital has let its term pass."""

    state: State | None = None
    is_overdue: bool = False
    hospital_id: UUID | None = None


@dataclass(frozen=True)
class HouseStatistics:
    """A hospital's cases. ``unjustified``: it says itself that the look was a mistake or improper, or the platform
    found it unjustified.
    """

    hospital_id: UUID
    hospital_name: str
    asked: int
    open: int
    overdue: int
    answered_late: int
    escalated: int
    unjustified: int


def list_questions(session: Session, actor: Actor, *, before: UUID | None = None) -> list[QuestionView]:
    """The cases of the persons whom the actor may act for, newest first."""
    found = _page(session, *may_read_question(actor), before=before)
    return _show_to_patient(session, actor, found)


def get_question(session: Session, actor: Actor, *, question_id: UUID) -> QuestionView:
    """:raises QuestionNotFound: none that the login may read."""
    return _only(
        _show_to_patient(session, actor, _page(session, *may_read_question(actor), AccessQuestion.id == question_id))
    )


def list_received(
    session: Session, actor: Actor, *, wanted: QuestionFilter, before: UUID | None = None
) -> list[QuestionView]:
    """The cases that the actor's hospital has to answer, or had, newest first."""
    found = _page(session, AccessQuestion.hospital_id == actor.house_id, *_choose(wanted), before=before)
    audit.record_act(session, actor, "consent.access_question.listed", facts={"lines": len(found)})
    return _show_to_house(session, actor, found)


def get_received(session: Session, actor: Actor, *, question_id: UUID) -> QuestionView:
    """:raises QuestionNotFound: none to the actor's hospital."""
    asked = AccessQuestion.hospital_id == actor.house_id, AccessQuestion.id == question_id
    return _only(_show_to_house(session, actor, _page(session, *asked)))


def read_received(session: Session, actor: Actor, *, question_id: UUID) -> QuestionView:
    """As ``get_received``; the patient finds in his log that it was read."""
    question = get_received(session, actor, question_id=question_id)
    _record_reading(session, actor, question_id)
    return question


def list_overseen(
    session: Session, actor: Actor, *, wanted: QuestionFilter, before: UUID | None = None
) -> list[QuestionView]:
    """All cases, newest first, without names; what was written only of those that were escalated."""
    found = _page(session, *_choose(wanted), before=before)
    audit.record_act(session, actor, "consent.access_question.listed", facts={"lines": len(found)})
    return _show_to_overseer(session, found)


def get_overseen(session: Session, *, question_id: UUID) -> QuestionView:
    """:raises QuestionNotFound: none such."""
    return _only(_show_to_overseer(session, _page(session, AccessQuestion.id == question_id)))


def read_overseen(session: Session, actor: Actor, *, question_id: UUID) -> QuestionView:
    """As ``get_overseen``; the patient finds in his log that it was read."""
    question = get_overseen(session, question_id=question_id)
    _record_reading(session, actor, question_id)
    return question


def count_by_house(session: Session) -> list[HouseStatistics]:
    """How hospitals deal with what is asked of them; who has let most terms pass first."""
    is_open = AccessQuestion.state == State.OPEN
    is_wrong = AccessQuestion.answer.in_([HouseAnswer.MISTAKE, HouseAnswer.IMPROPER])
    counts = [
        func.count(),
        _count(is_open),
        _count(and_(is_open, AccessQuestion.due_at <= clock.now())),
        _count(AccessQuestion.answered_at > AccessQuestion.due_at),
        _count(AccessQuestion.escalated_at.is_not(None)),
        _count(
            func.coalesce(is_wrong, False) | (AccessQuestion.conclusion.is_not_distinct_from(Conclusion.UNJUSTIFIED))
        ),
    ]
    rows = session.execute(select(AccessQuestion.hospital_id, *counts).group_by(AccessQuestion.hospital_id)).all()
    houses = accounts.list_hospitals(session, {row[0] for row in rows})
    found = [HouseStatistics(row[0], houses[row[0]].name, *row[1:]) for row in rows]
    return sorted(found, key=lambda each: (-each.overdue, -each.asked, each.hospital_name))


def _record_reading(session: Session, actor: Actor, question_id: UUID) -> None:
    question = session.get_one(AccessQuestion, question_id)
    facts = {PART_OF: str(question.item_id)} if question.item_id else {}
    of = ("access_question", question_id)
    audit.record_act(session, actor, "consent.access_question.read", subject_id=question.person_id, of=of, facts=facts)


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(cast(condition, Integer)), 0)


def _choose(wanted: QuestionFilter) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = []
    if wanted.state is not None:
        asked.append(AccessQuestion.state == wanted.state.value)
    if wanted.is_overdue:
        asked.append(and_(AccessQuestion.state == State.OPEN, AccessQuestion.due_at <= clock.now()))
    if wanted.hospital_id is not None:
        asked.append(AccessQuestion.hospital_id == wanted.hospital_id)
    return asked


def _page(session: Session, *which: ColumnElement[bool], before: UUID | None = None) -> list[_Case]:
    page = select(AccessQuestion, AuditEntry).join(AuditEntry, AuditEntry.id == AccessQuestion.entry_id).where(*which)
    if before is not None:
        page = page.where(AccessQuestion.id < before)
    return list(session.execute(page.order_by(AccessQuestion.id.desc()).limit(PAGE)).tuples())


def _only(found: Sequence[QuestionView]) -> QuestionView:
    if not found:
        raise QuestionNotFound
    return found[0]


@dataclass(frozen=True)
class _Told:
    """What of a case only some are told."""

    item: tuple[str | None, date | None] = (None, None)
    person_id: UUID | None = None
    person_name: str | None = None
    patient_number: str | None = None
    who: str | None = None


def _show_to_patient(session: Session, actor: Actor, found: Sequence[_Case]) -> list[QuestionView]:
    """What the patient wrote is read by the login that wrote it alone; the answers by all who may read the case."""
    rows = {row.id: row for row in describe(session, actor, [entry for _, entry in found])}
    told = {
        question.id: _Told(
            item=(rows[entry.id].item_kind, rows[entry.id].item_on),
            person_id=question.person_id,
            person_name=rows[entry.id].person_name,
            who=rows[entry.id].who,
        )
        for question, entry in found
    }
    return _show(
        session,
        found,
        told,
        lambda _, event: event.actor_kind != ActorKind.PATIENT or event.actor_id == actor.id,
    )


def _show_to_house(session: Session, actor: Actor, found: Sequence[_Case]) -> list[QuestionView]:
    names = accounts.describe_actors(session, {(entry.actor_kind, entry.actor_id) for _, entry in found})
    persons = {question.person_id for question, _ in found}
    called = {id_: health_card.get_demographics(session, id_).name for id_ in persons}
    numbers = {id_: health_card.get_patient_number(session, actor, id_) for id_ in persons}
    items = _items(session, found)
    told = {
        question.id: _Told(
            item=items[question.id],
            person_name=called[question.person_id],
            patient_number=numbers[question.person_id],
            who=names.get(entry.actor_id),
        )
        for question, entry in found
    }
    return _show(session, found, told, lambda *_: True)


def _show_to_overseer(session: Session, found: Sequence[_Case]) -> list[QuestionView]:
    items = _items(session, found)
    told = {question.id: _Told(item=items[question.id], person_id=question.person_id) for question, _ in found}
    return _show(session, found, told, lambda question, _: question.escalated_at is not None)


def _show(
    session: Session,
    found: Sequence[_Case],
    told: dict[UUID, _Told],
    may_read_text: Callable[[AccessQuestion, AccessQuestionEvent], bool],
) -> list[QuestionView]:
    houses = accounts.list_hospitals(session, {question.hospital_id for question, _ in found})
    events = _list_events(session, found)
    return [
        QuestionView(
            id=question.id,
            entry_id=question.entry_id,
            person_id=told[question.id].person_id,
            person_name=told[question.id].person_name,
            patient_number=told[question.id].patient_number,
            hospital_id=question.hospital_id,
            hospital_name=houses[question.hospital_id].name,
            looked_at=entry.at,
            what=ACTIONS.get(entry.action, OTHER_ACTION),
            who_kind=entry.actor_kind,
            who=told[question.id].who,
            item_kind=told[question.id].item[0],
            item_on=told[question.id].item[1],
            reason=question.reason,
            state=question.state,
            is_overdue=question.state == State.OPEN and question.due_at <= clock.now(),
            asked_at=question.asked_at,
            remind_at=question.remind_at,
            due_at=question.due_at,
            answer=question.answer,
            answered_at=question.answered_at,
            conclusion=question.conclusion,
            closed_at=question.closed_at,
            events=[_read_event(question, event, may_read_text(question, event)) for event in events[question.id]],
        )
        for question, entry in found
    ]


def _items(session: Session, found: Sequence[_Case]) -> dict[UUID, tuple[str | None, date | None]]:
    items = list_items(session, {question.item_id for question, _ in found if question.item_id})
    return {
        question.id: items.get(question.item_id, (None, None)) if question.item_id else (None, None)
        for question, _ in found
    }


def _list_events(session: Session, found: Sequence[_Case]) -> dict[UUID, list[AccessQuestionEvent]]:
    events: dict[UUID, list[AccessQuestionEvent]] = {question.id: [] for question, _ in found}
    of_these = select(AccessQuestionEvent).where(AccessQuestionEvent.question_id.in_(events))
    for event in session.scalars(of_these.order_by(AccessQuestionEvent.at, AccessQuestionEvent.id)):
        events[event.question_id].append(event)
    return events


def _read_event(question: AccessQuestion, event: AccessQuestionEvent, may_read_text: bool) -> EventView:
    sealed = event.text_sealed if may_read_text else None
    text = vault().unwrap(question.data_key).unseal(sealed, context=TEXT) if sealed else None
    return EventView(event.at, EventKind(event.kind).value, event.code, text)
