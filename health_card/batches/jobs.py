"""Batches go on here: a bounded slice at a time, so that nothing else waits long."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

from core import clock, db, limits, storage
from core.dispatch import Handler, TryLater
from core.errors import RateExceeded
from core.web import current_config
from health_card.batches import issuing, service
from health_card.realname.jobs import ask_source
from health_card.realname.service import list_answered

# Far below the lease of a message, and no long wait for the messages behind it.
SLICE = timedelta(seconds=5)
NAMES_SLICE = timedelta(seconds=2)
# Of all lists together. Who registers alone is not counted, and never waits for a list.
NAMES_PER_MINUTE = 1200


def issue_batch(payload: dict[str, Any]) -> None:
    """Take a batch further, chunk by chunk, each in a transaction of its own.

    :raises TryLater: there is more to do, or somebody else is doing it.
    """
    until = clock.now() + SLICE
    for _ in issue_chunks(UUID(payload["batch_id"])):
        if clock.now() >= until:
            raise TryLater(0)


def issue_chunks(batch_id: UUID) -> Iterator[None]:
    """Chunk by chunk; while the database writes one, the next is read and sealed.

    :raises TryLater: the batch was stopped, or somebody else has done a chunk, at this moment.
    """
    with db.snapshot() as session:
        batch = issuing.find_running(session, batch_id)
    if batch is None:
        return
    left = batch.rows_total - batch.rows_done
    with ThreadPoolExecutor(1) as ahead:
        coming = ahead.submit(issuing.read_chunk, batch, offset=batch.next_offset, line=batch.next_line)
        while left > 0:
            chunk = coming.result()
            left -= len(chunk.candidates)
            if left > 0:
                coming = ahead.submit(issuing.read_chunk, batch, offset=chunk.next_offset, line=chunk.next_line)
            with db.transaction() as session:
                is_done = issuing.issue_chunk(session, chunk=chunk)
            if not is_done:
                raise TryLater(1)
            yield


def check_names(payload: dict[str, Any]) -> None:
    """``batch_id``, ``first_line``, ``last_line``: ask the real-name source about everybody to whom they gave a card.

    :raises TryLater: more is left to ask, or the source does not answer.
    """
    access = current_config().realname
    if access is None:
        return
    try:
        limits.check("batch_names", access.base_url, per_minute=NAMES_PER_MINUTE)
        for made in _list_unasked(payload):
            limits.count("batch_names", access.base_url, per_minute=NAMES_PER_MINUTE)
            ask_source(made.person_id, made.card_id)
    except RateExceeded:
        raise TryLater(10) from None


def _list_unasked(payload: dict[str, Any]) -> Iterator[issuing.MadeCard]:
    """An asking has the id of the card, so whoever comes after a stop finds those who are left."""
    lines = {name: payload[name] for name in ("first_line", "last_line")}
    with db.snapshot() as session:
        made = issuing.list_made_cards(session, batch_id=UUID(payload["batch_id"]), **lines)
        answered = list_answered(session, [each.card_id for each in made])
    until = clock.now() + NAMES_SLICE
    for each in made:
        if each.card_id not in answered:
            if clock.now() >= until:
                raise TryLater(0)
            yield each


def discard_list(payload: dict[str, Any]) -> None:
    """The list of a batch that has ended leaves the disk."""
    with db.snapshot() as session:
        batch = service.get_batch(session, UUID(payload["batch_id"]))
    if batch.data_key is None:
        storage.discard(batch.storage_key)


HANDLERS: dict[str, Handler] = {
    service.DUE_TOPIC: issue_batch,
    issuing.NAMES_DUE_TOPIC: check_names,
    issuing.ENDED_TOPIC: discard_list,
}
