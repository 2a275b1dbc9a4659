"""A DICOM file that waited in quarantine, taken in again."""

import shutil
from typing import BinaryIO

from sqlalchemy.orm import Session

from core.actor import Actor
from core.storage import CHUNK_BYTES, Staging
from records.images import service as images
from records.images.dicom import read_header
from records.intake.subjects import Assignment


def refile_instance(
    session: Session,
    actor: Actor,
    *,
    stream: BinaryIO,
    card_issuer: str,
    assigned: Assignment | None,
    is_archived: bool,
) -> None:
    """File the instance as at its first arrival.

    The index gets a sealed copy of its own: the message stays whole, whatever becomes of the image.

    :param assigned: whose it is, as somebody of the hospital has said since.
    :param is_archived: it is the header of an instance whose pixels stay in the house's archive.
    :raises Refusal: what ``images.file_instance`` raises.
    """
    with Staging() as staging:
        staged = staging.new_file()
        shutil.copyfileobj(stream, staged, CHUNK_BYTES)
        staged.finish()
        with staged.open() as again:
            header = read_header(again)
        images.file_instance(
            session,
            actor,
            staged=staged,
            header=header,
            card_issuer=card_issuer,
            assigned=assigned,
            is_archived=is_archived,
        )
