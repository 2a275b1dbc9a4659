"""What routes, pages and jobs ask of cases."""

from consent.questions.service.cases import (
    TERM_TOPIC,
    accept_answer,
    answer_question,
    ask_question,
    conclude_question,
    escalate_question,
    note_term,
)
from consent.questions.service.reading import (
    PAGE,
    QuestionFilter,
    QuestionView,
    count_by_house,
    get_overseen,
    get_question,
    get_received,
    list_overseen,
    list_questions,
    list_received,
    read_overseen,
    read_received,
)

__all__ = [
    "PAGE",
    "TERM_TOPIC",
    "QuestionFilter",
    "QuestionView",
    "accept_answer",
    "answer_question",
    "ask_question",
    "conclude_question",
    "count_by_house",
    "escalate_question",
    "get_overseen",
    "get_question",
    "get_received",
    "list_overseen",
    "list_questions",
    "list_received",
    "note_term",
    "read_overseen",
    "read_received",
]
