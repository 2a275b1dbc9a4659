"""What pages and machines may ask of quarantine."""

from records.quarantine.service.looking import (
    Filter,
    MessageText,
    WaitingMessage,
    count_reasons,
    get_message,
    list_quarantine,
    read_message,
)
from records.quarantine.service.replays import get_replay, list_replays, open_replay
from records.quarantine.service.resolving import (
    Resolved,
    assign_message,
    dismiss_message,
    reopen_message,
    replay_message,
)

__all__ = [
    "Filter",
    "MessageText",
    "Resolved",
    "WaitingMessage",
    "assign_message",
    "count_reasons",
    "dismiss_message",
    "get_message",
    "get_replay",
    "list_quarantine",
    "list_replays",
    "open_replay",
    "read_message",
    "reopen_message",
    "replay_message",
]
