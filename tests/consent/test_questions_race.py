"""Of many who take a step of a case at once, one takes it; the others are refused, and nothing of theirs is kept."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts.models import Role
from consent import service as consent
from consent.questions import service as questions
from consent.questions.models import AccessQuestion, AccessQuestionEvent, HouseAnswer, Reason
from consent.questions.refusals import QuestionedAlready, QuestionHasMoved
from consent.service.access_log import AccessFilter, list_access
from core import db
from core.errors import Refusal
from tests.support.city import City

AT_ONCE = 6


def at_once(city: City, *steps: Callable[[Session], object]) -> list[type[Refusal] | None]:
    """Take all steps at once, each in a transaction of its own; why each was refused."""

    def take(step: Callable[[Session], object]) -> type[Refusal] | None:
        try:
            with city.app.app_context(), db.transaction() as session:
                step(session)
        except Refusal as refusal:
            return type(refusal)
        return None

    with ThreadPoolExecutor(len(steps)) as pool:
        return list(pool.map(take, steps))


def events_of(question_id: UUID) -> list[str]:
    kinds = select(AccessQuestionEvent.kind).where(AccessQuestionEvent.question_id == question_id)
    with db.transaction() as session:
        return list(session.scalars(kinds.order_by(AccessQuestionEvent.at, AccessQuestionEvent.id)))


def test_every_step_is_taken_once(committing_city: City) -> None:
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    doctor = city.staff(hospital)
    office = [city.staff(hospital, Role.MEDICAL_AFFAIRS) for _ in range(AT_ONCE)]
    city.visit(doctor, patient, hospital)
    with db.transaction() as session:
        consent.release(session, doctor.actor, person_id=patient.person_id, action="records.report.read")
    with db.transaction() as session:
        (row, *_) = list_access(session, patient.actor, wanted=AccessFilter(who_kind="staff"))

    def ask(session: Session) -> None:
        questions.ask_question(session, patient.actor, entry_id=row.id, reason=Reason.OTHER, text=None)

    refused = at_once(city, *[ask] * AT_ONCE)
    assert sorted(map(str, refused)) == sorted(map(str, [None] + [QuestionedAlready] * (AT_ONCE - 1)))
    with db.transaction() as session:
        question_id = session.scalars(select(AccessQuestion.id).where(AccessQuestion.entry_id == row.id)).one()

    def answer_as(one: int) -> Callable[[Session], None]:
        return lambda session: questions.answer_question(
            session, office[one].actor, question_id=question_id, answer=HouseAnswer.DUTY, text=str(one)
        )

    refused = at_once(city, *map(answer_as, range(AT_ONCE)))
    assert sorted(map(str, refused)) == sorted(map(str, [None] + [QuestionHasMoved] * (AT_ONCE - 1)))
    with db.transaction() as session:
        answered_by = session.get_one(AccessQuestion, question_id).answered_by
    assert answered_by == office[refused.index(None)].actor.id

    def accept(session: Session) -> None:
        questions.accept_answer(session, patient.actor, question_id=question_id)

    def escalate(session: Session) -> None:
        questions.escalate_question(session, patient.actor, question_id=question_id, text=None)

    refused = at_once(city, *[accept, escalate] * (AT_ONCE // 2))
    assert refused.count(None) == 1
    taken = ("accepted", "escalated")[refused.index(None) % 2]
    assert events_of(question_id) == ["asked", "answered", taken]
