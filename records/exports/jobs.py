"""Exports are made here, slice by slice; whoever comes after a stop goes on where the last slice was kept."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from core import clock, db, storage
from core.dispatch import Handler, TryLater
from core.web import current_config
from records.documents import service as documents
from records.exports import collecting, service, writing
from records.exports.service import Step

# Far below the lease of a message, and no long wait for the messages behind it.
SLICE = timedelta(seconds=5)


def make_export(payload: dict[str, Any]) -> None:
    """``export_id``: collect slices until the file is made.

    :raises TryLater: there is more to do.
    """
    export_id, until = UUID(payload["export_id"]), clock.now() + SLICE
    while step := _find_step(export_id):
        _take_step(step)
        if clock.now() >= until:
            raise TryLater(0)


def destroy_parts(payload: dict[str, Any]) -> None:
    """The slices of an export that is over leave the disk."""
    with db.transaction() as session:
        addresses = service.destroy_parts(session, UUID(payload["export_id"]))
    for address in addresses:
        storage.discard(address)


def expire_export(payload: dict[str, Any]) -> None:
    """A file that was kept for seven days leaves the disk."""
    with db.transaction() as session:
        address = service.expire_export(session, UUID(payload["export_id"]))
    if address is not None:
        storage.discard(address)


HANDLERS: dict[str, Handler] = {
    service.ASKED_TOPIC: make_export,
    service.OVER_TOPIC: destroy_parts,
    service.EXPIRED_TOPIC: expire_export,
}


def _find_step(export_id: UUID) -> Step | None:
    with db.transaction() as session:
        step = service.find_step(session, export_id)
        return None if step is None or service.end_unheld(session, step) else step


def _take_step(step: Step) -> None:
    with storage.Staging() as staging:
        file = staging.new_file()
        if step.kind is not None:
            with db.snapshot() as session:
                found = collecting.collect_slice(session, step)
            with db.transaction() as session:
                printed = [documents.print_read(session, report) for report in found.reports]
            drawn = writing.write_part(file, step, found, printed, current_config())
            with db.transaction() as session:
                service.record_part(session, step, collected=found.collected(drawn), file=file)
            return
        with db.snapshot() as session:
            cover, parts = collecting.read_cover(session, step), service.list_parts(session, step.export_id)
        writing.write_archive(file, step, cover, parts, current_config().base_url)
        with db.transaction() as session:
            service.record_archive(session, step, file=file)
