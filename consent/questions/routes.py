"""The machine interface of cases about looks: for the patient's phone, hospitals, and who watches over the platform."""

from flask import Response

from consent.questions import service
from consent.questions.schemas import (
    EntryPath,
    HouseStatisticsShown,
    OverseenQuestionsQuery,
    QuestionAnswered,
    QuestionAsked,
    QuestionConcluded,
    QuestionEscalated,
    QuestionList,
    QuestionPath,
    QuestionShown,
    QuestionsQuery,
    QuestionStatistics,
    ReceivedQuestionsQuery,
)
from consent.questions.service import QuestionFilter, QuestionView
from core import db
from core.api import Api
from core.web import current_actor, present, requires

api = Api("access_questions", tag="Consent 授权", url_prefix="/api/v1")


@api.post("/access-log/<uuid:entry_id>/questions", responses={201: QuestionShown})
@requires("consent:question:ask")
def ask_question(path: EntryPath, body: QuestionAsked) -> Response:
    """Question a look of a hospital; it has to answer within its term"""
    with db.transaction() as session:
        actor = current_actor()
        question_id = service.ask_question(session, actor, entry_id=path.entry_id, reason=body.reason, text=body.text)
        question = service.get_question(session, actor, question_id=question_id)
    return present(QuestionShown.model_validate(question), 201)


@api.get("/access-questions", responses={200: QuestionList})
@requires("consent:question:read")
def list_questions(query: QuestionsQuery) -> Response:
    """What I have asked about looks, and what was answered"""
    with db.snapshot() as session:
        found = service.list_questions(session, current_actor(), before=query.before)
    return _present(found)


@api.get("/access-questions/<uuid:question_id>", responses={200: QuestionShown})
@requires("consent:question:read")
def get_question(path: QuestionPath) -> Response:
    """One case with all that happened to it"""
    with db.snapshot() as session:
        question = service.get_question(session, current_actor(), question_id=path.question_id)
    return present(QuestionShown.model_validate(question))


@api.post("/access-questions/<uuid:question_id>/accept", responses={200: QuestionShown})
@requires("consent:question:ask")
def accept_answer(path: QuestionPath) -> Response:
    """The answer will do: the case is closed"""
    with db.transaction() as session:
        service.accept_answer(session, current_actor(), question_id=path.question_id)
        question = service.get_question(session, current_actor(), question_id=path.question_id)
    return present(QuestionShown.model_validate(question))


@api.post("/access-questions/<uuid:question_id>/escalate", responses={200: QuestionShown})
@requires("consent:question:ask")
def escalate_question(path: QuestionPath, body: QuestionEscalated) -> Response:
    """The answer will not do, or there is none in time: the audit administrator is to say, once"""
    with db.transaction() as session:
        service.escalate_question(session, current_actor(), question_id=path.question_id, text=body.text)
        question = service.get_question(session, current_actor(), question_id=path.question_id)
    return present(QuestionShown.model_validate(question))


@api.get("/received-questions", responses={200: QuestionList})
@requires("consent:question:answer")
def list_received(query: ReceivedQuestionsQuery) -> Response:
    """What patients have asked my hospital about looks"""
    wanted = QuestionFilter(query.state, query.is_overdue)
    with db.transaction() as session:
        found = service.list_received(session, current_actor(), wanted=wanted, before=query.before)
    return _present(found)


@api.post("/received-questions/<uuid:question_id>/answer", responses={200: QuestionShown})
@requires("consent:question:answer")
def answer_question(path: QuestionPath, body: QuestionAnswered) -> Response:
    """Answer; whoever looked does not answer for it"""
    with db.transaction() as session:
        service.answer_question(
            session, current_actor(), question_id=path.question_id, answer=body.answer, text=body.text
        )
        question = service.get_received(session, current_actor(), question_id=path.question_id)
    return present(QuestionShown.model_validate(question))


@api.get("/operator/access-questions", responses={200: QuestionList})
@requires("consent:question:oversee")
def list_overseen(query: OverseenQuestionsQuery) -> Response:
    """All cases, without names; what was written only of those that were escalated"""
    wanted = QuestionFilter(query.state, query.is_overdue, query.hospital_id)
    with db.transaction() as session:
        found = service.list_overseen(session, current_actor(), wanted=wanted, before=query.before)
    return _present(found)


@api.get("/operator/access-questions/statistics", responses={200: QuestionStatistics})
@requires("consent:question:oversee")
def count_questions() -> Response:
    """How hospitals deal with what is asked of them"""
    with db.snapshot() as session:
        found = service.count_by_house(session)
    return present(QuestionStatistics(hospitals=[HouseStatisticsShown.model_validate(each) for each in found]))


@api.post("/operator/access-questions/<uuid:question_id>/conclude", responses={200: QuestionShown})
@requires("consent:question:conclude")
def conclude_question(path: QuestionPath, body: QuestionConcluded) -> Response:
    """Say what was found of an escalated case, which closes it"""
    with db.transaction() as session:
        service.conclude_question(
            session, current_actor(), question_id=path.question_id, conclusion=body.conclusion, text=body.text
        )
        question = service.get_overseen(session, question_id=path.question_id)
    return present(QuestionShown.model_validate(question))


def _present(found: list[QuestionView]) -> Response:
    return present(QuestionList(questions=[QuestionShown.model_validate(each) for each in found]))
