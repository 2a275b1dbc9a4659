"""Lists are filed here, a report a transaction; those that nobody confirmed go."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select

from core import clock, db, storage
from core.dispatch import Handler, TryLater
from records.uploads import service
from records.uploads.models import Upload
from records.uploads.rows import Group

SLICE = timedelta(seconds=5)


def file_list(payload: dict[str, Any]) -> None:
    """``upload_id``: file the reports of a committed list that are left.

    :raises TryLater: there is more to do.
    """
    upload_id, until = UUID(payload["upload_id"]), clock.now() + SLICE
    upload = _read(upload_id)
    if upload.state == "filing" and upload.data_key is not None:
        with storage.open_file(upload.storage_key, upload.data_key) as stream:
            groups = service.read_groups(stream.read())
        while _file_next(upload_id, groups):
            if clock.now() >= until:
                raise TryLater(0)
    _discard(upload_id)


def expire_list(payload: dict[str, Any]) -> None:
    """``upload_id``: nobody confirmed it within a day."""
    upload_id = UUID(payload["upload_id"])
    with db.transaction() as session:
        upload = session.scalars(select(Upload).filter_by(id=upload_id).with_for_update()).one()
        if upload.state == "checked":
            service.end_upload(upload, "expired")
    _discard(upload_id)


def _file_next(upload_id: UUID, groups: list[Group]) -> bool:
    with db.transaction() as session:
        return service.file_next(session, upload_id=upload_id, groups=groups)


def _discard(upload_id: UUID) -> None:
    upload = _read(upload_id)
    if upload.data_key is None:
        storage.discard(upload.storage_key)


def _read(upload_id: UUID) -> Upload:
    with db.snapshot() as session:
        return session.get_one(Upload, upload_id)


HANDLERS: dict[str, Handler] = {service.COMMITTED_TOPIC: file_list, service.EXPIRY_DUE_TOPIC: expire_list}
