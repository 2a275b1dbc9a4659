"""Cases as they come in and go out."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from consent.questions.models import Conclusion, HouseAnswer, Reason, State
from core.api import Received, Shown

Text = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]


class EntryPath(Received):
    entry_id: UUID


class QuestionPath(Received):
    question_id: UUID


class QuestionAsked(Received):
    reason: Reason = Field(
        description="not_there (I was not there), not_needed (not needed for my treatment), after_treatment (after it "
        "was over), acquaintance (somebody whom I know) or other"
    )
    text: Text | None = Field(None, description="for the hospital; kept sealed")


class QuestionEscalated(Received):
    text: Text | None = Field(None, description="why the answer does not do; for the audit administrator; kept sealed")


class QuestionAnswered(Received):
    answer: HouseAnswer = Field(
        description="treatment (needed for it), duty (by law or office), mistake, or improper (and dealt with)"
    )
    text: Text = Field(description="for the patient; kept sealed")


class QuestionConcluded(Received):
    conclusion: Conclusion
    text: Text = Field(description="for the patient and the hospital; kept sealed")


class QuestionsQuery(Received):
    before: UUID | None = Field(None, description="the id of the last case of the page before")


class ReceivedQuestionsQuery(QuestionsQuery):
    state: State | None = None
    is_overdue: bool = Field(False, description="true: only those whose term has passed without an answer")


class OverseenQuestionsQuery(ReceivedQuestionsQuery):
    hospital_id: UUID | None = None


class QuestionEventShown(Shown):
    at: datetime
    kind: str = Field(description="asked, reminded, overdue, answered, accepted, escalated or concluded")
    code: str | None = Field(description="the reason, answer or conclusion")
    text: str | None = Field(description="what was written, for whom may read it")


class QuestionShown(Shown):
    id: UUID
    entry_id: UUID = Field(description="the row of the access log that is questioned")
    person_id: UUID | None
    person_name: str | None = Field(description="masked")
    patient_number: str | None = Field(description="the hospital's own; told to the hospital")
    hospital_id: UUID
    hospital_name: str
    looked_at: datetime
    what: str = Field(description="the act in Chinese; never what a record contains")
    who_kind: str = Field(description="staff or machine")
    who: str | None = Field(description="who looked: to the patient as the hospital tells it, to the hospital by name")
    item_kind: str | None
    item_on: date | None
    reason: str
    state: str = Field(description="open, answered, escalated or closed")
    is_overdue: bool = Field(description="the hospital has let its term pass and has not answered")
    asked_at: datetime
    remind_at: datetime
    due_at: datetime = Field(description="the hospital answers until then")
    answer: str | None = Field(description="treatment, duty, mistake or improper")
    answered_at: datetime | None
    conclusion: str | None = Field(description="of the audit administrator: justified, unjustified or unclear")
    closed_at: datetime | None
    events: list[QuestionEventShown]


class QuestionList(Shown):
    questions: list[QuestionShown]


class HouseStatisticsShown(Shown):
    hospital_id: UUID
    hospital_name: str
    asked: int
    open: int
    overdue: int = Field(description="open, and the term has passed")
    answered_late: int
    escalated: int
    unjustified: int = Field(description="a mistake or improper by its own word, or found unjustified")


class QuestionStatistics(Shown):
    hospitals: list[HouseStatisticsShown]
