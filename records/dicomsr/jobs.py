"""Documents among the images are read here, when they have arrived."""

from typing import Any
from uuid import UUID

from core import db, observe, storage
from core.dispatch import Handler
from core.errors import Refusal
from records.dicomsr import service
from records.images import documents

# The largest document that is read into memory. A larger one stays what it is: an object of its study.
LARGEST_BYTES = 32 * 1024 * 1024


def read_document(payload: dict[str, Any]) -> None:
    """``instance_id``: file what it says; again: nothing. Why it was not filed is told in quarantine."""
    with db.snapshot() as session:
        arrived = service.find_arrived(session, UUID(payload["instance_id"]))
    if arrived is None or arrived.size_bytes > LARGEST_BYTES:
        return
    if arrived.is_archived and arrived.sop_class_uid == documents.ENCAPSULATED_PDF:
        # Only its header is here; the archive has the document.
        return
    with storage.open_file(arrived.storage_key, arrived.data_key) as stream:
        body = stream.read()
    try:
        with db.transaction() as session:
            service.file_document(session, arrived, body=body)
    except Refusal as refusal:
        if refusal.status >= 500:
            raise
        observe.log.info("dicomsr.document_refused", code=refusal.code)


HANDLERS: dict[str, Handler] = {documents.ARRIVED_TOPIC: read_document}
