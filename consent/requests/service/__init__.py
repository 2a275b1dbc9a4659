"""What others may ask about requests."""

from consent.requests.models import RequestReason, RequestState
from consent.requests.refusals import CannotBeAsked, RequestOver
from consent.requests.service.answering import Part, deny_request, grant_request
from consent.requests.service.asking import Circle, FindVisitor, Wish, ask_known_patient, ask_patient, ask_visitor
from consent.requests.service.ending import (
    LAPSING_TOPIC,
    REMINDING_TOPIC,
    lapse_request,
    remind_patient,
    withdraw_of_visit,
    withdraw_request,
)
from consent.requests.service.reading import (
    PAGE,
    RequestFilter,
    RequestView,
    Standing,
    find_of_visit,
    find_waiting_code,
    get_request,
    get_sent_request,
    list_requests,
    list_sent_requests,
    look_at_state,
)
from consent.requests.wording import WORDS

__all__ = [
    "LAPSING_TOPIC",
    "PAGE",
    "REMINDING_TOPIC",
    "WORDS",
    "CannotBeAsked",
    "Circle",
    "FindVisitor",
    "Part",
    "RequestFilter",
    "RequestOver",
    "RequestReason",
    "RequestState",
    "RequestView",
    "Standing",
    "Wish",
    "ask_known_patient",
    "ask_patient",
    "ask_visitor",
    "deny_request",
    "find_of_visit",
    "find_waiting_code",
    "get_request",
    "get_sent_request",
    "grant_request",
    "lapse_request",
    "list_requests",
    "list_sent_requests",
    "look_at_state",
    "remind_patient",
    "withdraw_of_visit",
    "withdraw_request",
]
