"""What others may ask about desks without the network."""

from health_card.offline.service.published import publish_keys, publish_revocations
from health_card.offline.service.queues import Entry, Result, Submission, submit_scans

__all__ = [
    "Entry",
    "Result",
    "Submission",
    "publish_keys",
    "publish_revocations",
    "submit_scans",
]
