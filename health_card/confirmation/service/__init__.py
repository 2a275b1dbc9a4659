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
from health_card.confirmation.service.uses import Confirmed, consume_confirmation, note_confirmed_code

__all__ = [
    "AskedConfirmation",
    "Confirmed",
    "PendingConfirmation",
    "answer_confirmation",
    "ask_confirmation",
    "check_pin",
    "consume_confirmation",
    "get_confirmation",
    "list_pending",
    "note_confirmed_code",
    "set_pin",
]
