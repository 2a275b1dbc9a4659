"""What others may ask about confirming."""

from health_card.confirmation.service.pins import check_pin, set_pin
from health_card.confirmation.service.requests import (
    AskedConfirmation,
    PendingConfirmation,
    answer_confirmation,
    ask_confirmation,
    get_confirmation,
    list_pending,
)

__all__ = [
    "AskedConfirmation",
    "PendingConfirmation",
    "answer_confirmation",
    "ask_confirmation",
    "check_pin",
    "get_confirmation",
    "list_pending",
    "set_pin",
]
