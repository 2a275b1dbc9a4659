"""Opening images: decided anew at every request, hence found by one statement written by hand."""

import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO
from uuid import UUID

from sqlalchemy.orm import Session

from consent import service as consent
from core import statements, storage
from core.actor import Actor
from core.vault import SealBroken, vault
from records.images.details import METADATA_CONTEXT, unpack_frames
from records.images.dicom import read_metadata
from records.images.service.views import FOLD, InstanceView
from records.pacs import fetching
from records.pacs import service as pacs
from records.pacs.access import ArchiveAccess
from records.pacs.fetching import ArchivedImage
from records.refusals import ImageNotFound

# Two hospitals may hold copies under the same UIDs: the one that came first is shown.
_FILES = """
WITH readable AS ({readable})
SELECT study.person_id, study.id, series.id, instance.id, series.series_instance_uid,
    instance.sha256, instance.size_bytes, instance.storage_key, instance.data_key, {details},
    instance.sop_instance_uid, instance.sop_class_uid, instance.transfer_syntax_uid, instance.number,
    instance.rows, instance.columns, instance.frames, instance.is_archived, instance.hospital_id
FROM readable
    JOIN studies study ON study.person_id = readable.id
    JOIN series ON series.study_id = study.id
    JOIN instances instance ON instance.series_id = series.id
    LEFT JOIN instance_details details ON details.instance_id = instance.id
WHERE study.study_instance_uid = %(study_uid)s{conditions} AND {is_known}
ORDER BY series.number NULLS LAST, series.id, instance.number NULLS LAST, instance.id
"""
_CONDITIONS = {
    "series_uid": "series.series_instance_uid = %(series_uid)s",
    "sop_uid": "instance.sop_instance_uid = %(sop_uid)s",
    "frame": "instance.frames >= %(frame)s",
}
_STILL = """
WITH readable AS ({readable})
SELECT 1 FROM readable JOIN studies study ON study.person_id = readable.id
WHERE study.id = %(study_id)s AND {is_known}
"""
_PLACES, _METADATA = "NULL, details.frame_places", "details.metadata_sealed, NULL"


@dataclass(frozen=True)
class InstanceFile:
    """An instance that the actor may open now; ``open`` reads the file as it was sent.

    ``archived``: where the whole file is, when only its header is here. ``study_id``: None of one that is opened for
    nobody's eyes.
    """

    series_instance_uid: str
    view: InstanceView
    sha256: bytes
    size_bytes: int
    storage_key: str
    data_key: bytes
    metadata_sealed: bytes | None = None
    frame_places: bytes | None = None
    archived: ArchivedImage | None = None
    study_id: UUID | None = None

    def open(self) -> BinaryIO:
        """Never inside a transaction: it may have to be fetched from the hospital's archive.

        :raises FileDamaged: the file is missing or altered.
        :raises ArchiveUnavailable: the hospital's archive does not answer.
        :raises ArchiveAnswerUnfit: it answers with something else.
        """
        if self.archived is not None:
            return fetching.open_archived(self.archived, self.storage_key, self.data_key)
        return self.open_header()

    def open_header(self) -> BinaryIO:
        """All attributes, and pixels only where they are kept here. :raises FileDamaged: as ``open``."""
        return storage.open_file(self.storage_key, self.data_key)

    def read_metadata(self) -> bytes:
        """Its attributes as ``details.write_metadata`` writes them: as kept, or out of the file.

        :raises ImageUnreadable: they are not kept, and cannot be made.
        :raises FileDamaged: they are not kept, and the file is missing or altered.
        """
        if self.metadata_sealed is not None:
            return open_metadata(self.metadata_sealed, self.data_key)
        with self.open_header() as stream:
            return read_metadata(stream)

    def list_places(self) -> tuple[int, ...] | None:
        """Where its frames lie in the file (``Details.frames``); None when that is not known."""
        return None if self.frame_places is None else unpack_frames(self.frame_places)


def open_metadata(metadata_sealed: bytes, data_key: bytes) -> bytes:
    """What ``details.write_metadata`` wrote.

    :raises FileDamaged: it was altered.
    """
    try:
        return zlib.decompress(vault().unwrap(data_key).unseal_bytes(metadata_sealed, context=METADATA_CONTEXT))
    except SealBroken:
        raise storage.FileDamaged from None


def get_instance(
    session: Session, actor: Actor, *, study_uid: str, series_uid: str, sop_uid: str, frame: int = 1
) -> InstanceFile:
    """One instance to open: recorded once a series and quarter of an hour, decided anew each time.

    :param frame: which of its frames, from 1.
    :raises ImageNotFound: no such instance or frame that the actor may see.
    """
    asked: dict[str, str | int] = {"study_uid": study_uid, "series_uid": series_uid, "sop_uid": sop_uid, "frame": frame}
    return _list_files(session, actor, asked, _PLACES)[0]


def list_files(session: Session, actor: Actor, *, study_uid: str, series_uid: str | None = None) -> list[InstanceFile]:
    """All instances of a study or series to open, in their order.

    :raises ImageNotFound: no such study or series that the actor may see.
    """
    return _list_files(session, actor, _asked(study_uid, series_uid, None), _PLACES)


def list_metadata(
    session: Session, actor: Actor, *, study_uid: str, series_uid: str | None = None, sop_uid: str | None = None
) -> list[InstanceFile]:
    """As ``list_files``, or one instance, with the metadata that is kept of each.

    :raises ImageNotFound: no such study, series or instance that the actor may see.
    """
    return _list_files(session, actor, _asked(study_uid, series_uid, sop_uid), _METADATA)


def is_still_readable(actor: Actor, file: InstanceFile) -> bool:
    """Whether the actor may see the instance at this moment too; for answers that take their time. Records nothing.

    One statement by itself, outside of a transaction. Needs an app context.
    """
    asked = {"study_id": file.study_id, **consent.gate_values(actor)}
    return statements.look(_compose_still(consent.gate_of(actor)), asked) is not None


def _asked(study_uid: str, series_uid: str | None, sop_uid: str | None) -> dict[str, str | int]:
    given = {"study_uid": study_uid, "series_uid": series_uid, "sop_uid": sop_uid}
    return {name: uid for name, uid in given.items() if uid is not None}


def _list_files(session: Session, actor: Actor, asked: dict[str, str | int], details: str) -> list[InstanceFile]:
    statement = _compose(consent.gate_of(actor), details, tuple(asked))
    rows = statements.list_rows(session, statement, {**asked, **consent.gate_values(actor)})
    if not rows:
        raise ImageNotFound
    first: dict[tuple[str, str], UUID] = {}
    for row in rows:
        uids = (row[4], row[11])
        first[uids] = min(first.get(uids, row[3]), row[3])
    shown = [row for row in rows if first[row[4], row[11]] == row[3]]
    is_whole = "series_uid" not in asked
    opened = list({row[1] if is_whole else row[2]: row[:3] for row in shown}.values())
    _release(session, actor, opened, whole_study=is_whole)
    archives = {
        hospital_id: pacs.find_access(session, hospital_id) for *_, is_archived, hospital_id in shown if is_archived
    }
    return [_to_file(row, str(asked["study_uid"]), archives) for row in shown]


def _to_file(row: Any, study_uid: str, archives: dict[UUID, ArchiveAccess | None]) -> InstanceFile:
    *view, is_archived, hospital_id = row[11:]
    archived = ArchivedImage(archives[hospital_id], study_uid, row[4], row[11]) if is_archived else None
    file = row[4], InstanceView(*view), *row[5:11], archived, row[1]
    return InstanceFile(*file)


def _release(session: Session, actor: Actor, opened: list[tuple[UUID, UUID, UUID]], *, whole_study: bool) -> None:
    """Record that these were opened: person, study and series each.

    A line of the log that names a series says of which study it is: who must not know of that is not told of it.
    """
    acts: list[tuple[UUID, str, tuple[str, UUID], dict[str, str]]]
    if whole_study:
        acts = [(person, "records.study.read", ("study", study), {}) for person, study, _ in opened]
    else:
        acts = [
            (person, "records.image.read", ("series", series), {consent.PART_OF: str(study)})
            for person, study, series in opened
        ]
    for person_id, action, of, facts in acts:
        consent.release(session, actor, person_id=person_id, action=action, of=of, facts=facts, fold_within=FOLD)


@cache
def _compose(gate: consent.Gate, details: str, given: tuple[str, ...]) -> str:
    """One text for each form of a question, so that the database keeps its plan."""
    return statements.compose(
        _FILES,
        readable=gate.readable,
        is_known=gate.is_known.format("study.id"),
        details=details,
        conditions="".join(f" AND {_CONDITIONS[name]}" for name in given if name in _CONDITIONS),
    )


@cache
def _compose_still(gate: consent.Gate) -> str:
    return statements.compose(_STILL, readable=gate.readable, is_known=gate.is_known.format("study.id"))
