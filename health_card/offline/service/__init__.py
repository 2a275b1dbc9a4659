"""What others may ask about desks without the network."""

from health_card.offline.service.published import publish_keys, publish_revocations
from health_card.offline.service.queues import DOUBLE_USED_TOPIC, Entry, Result, Submission, submit_scans

__all__ = [
    "DOUBLE_USED_TOPIC",
    "Entry",
    "Result",
    "Submission",
    "publish_keys",
    "publish_revocations",
    "submit_scans",
]
