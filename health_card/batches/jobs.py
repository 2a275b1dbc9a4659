"""Batches go on here: a bounded slice at a time, so that nothing else waits long."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from core import clock, db, storage
from core.dispatch import Handler, TryLater
from health_card.batches import issuing, service

# Far below the lease of a message, and no long wait for the messages behind it.
SLICE = timedelta(seconds=5)


def issue_batch(payload: dict[str, Any]) -> None:
    """Take a batch further, chunk by chunk, each in a transaction of its own.

    :raises TryLater: there is more to do, or somebody else is doing it.
    """
    batch_id, until = UUID(payload["batch_id"]), clock.now() + SLICE
    while issue_next_chunk(batch_id):
        if clock.now() >= until:
            raise TryLater(0)


def issue_next_chunk(batch_id: UUID) -> bool:
    """One chunk; returns whether the batch may have more.

    :raises TryLater: somebody else has done it at this moment.
    """
    with db.snapshot() as session:
        batch = issuing.find_running(session, batch_id)
    if batch is None:
        return False
    chunk = issuing.read_chunk(batch)
    with db.transaction() as session:
        is_done = issuing.issue_chunk(session, chunk=chunk)
    if not is_done:
        raise TryLater(1)
    return True


def discard_list(payload: dict[str, Any]) -> None:
    """The list of a batch that has ended leaves the disk."""
    with db.snapshot() as session:
        batch = service.get_batch(session, UUID(payload["batch_id"]))
    if batch.data_key is None:
        storage.discard(batch.storage_key)


HANDLERS: dict[str, Handler] = {service.DUE_TOPIC: issue_batch, issuing.ENDED_TOPIC: discard_list}
