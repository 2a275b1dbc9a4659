"""Opening images: decided anew at every request, hence found by one statement written by hand."""

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO, NamedTuple
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
WITH readable AS ({readable}), found AS MATERIALIZED (
    SELECT study.person_id, {looked_at}.id AS object_id, study.id AS study_id, series.id AS series_id,
        instance.id AS instance_id, series.number AS series_number, series.series_instance_uid,
        instance.sha256, instance.size_bytes, instance.storage_key, instance.data_key, {details},
        instance.sop_instance_uid, instance.sop_class_uid, instance.transfer_syntax_uid, instance.number,
        instance.rows, instance.columns, instance.frames, instance.is_archived, instance.hospital_id
    FROM readable
        JOIN studies study ON study.person_id = readable.id
        JOIN series ON series.study_id = study.id
        JOIN instances instance ON instance.series_id = series.id
        LEFT JOIN instance_details details ON details.instance_id = instance.id
    WHERE study.study_instance_uid = %(study_uid)s{conditions} AND {is_known}
), looks AS MATERIALIZED ({looks})
SELECT looks.is_recorded, found.* FROM found JOIN looks USING (person_id, object_id)
ORDER BY found.series_number NULLS LAST, found.series_id, found.number NULLS LAST, found.instance_id
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
# What a look at a whole study is called in the log, and one at a part of it.
_WHOLE, _PART = "records.study.read", "records.image.read"
_BOTH = "details.metadata_sealed, details.frame_places"
_PLACES, _METADATA = "NULL::bytea, details.frame_places", "details.metadata_sealed, NULL::bytea"


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


class _Row(NamedTuple):
    """What ``_FILES`` finds. ``is_recorded``: the look at ``object_id`` is in the log already."""

    is_recorded: bool
    person_id: UUID
    object_id: UUID
    study_id: UUID
    series_id: UUID
    instance_id: UUID
    series_number: int | None
    series_uid: str
    sha256: bytes
    size_bytes: int
    storage_key: str
    data_key: bytes
    metadata_sealed: bytes | None
    frame_places: bytes | None
    sop_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    number: int | None
    rows: int | None
    columns: int | None
    frames: int
    is_archived: bool
    hospital_id: UUID


_FILE = _Row._fields.index("sha256")
_VIEW = _Row._fields.index("sop_uid")
_VIEW_END = _Row._fields.index("is_archived")


def get_instance(
    session: Session,
    actor: Actor,
    *,
    study_uid: str,
    series_uid: str,
    sop_uid: str,
    frame: int = 1,
    for_picture: bool = False,
    need: consent.Need | None = None,
) -> InstanceFile:
    """One instance to open: recorded once a series and quarter of an hour, decided anew each time.

    :param frame: which of its frames, from 1.
    :param for_picture: with what is kept of its attributes, out of which plain pictures are drawn faster.
    :param need: what the grants have to allow beside looking.
    :raises ImageNotFound: no such instance or frame that the actor may see.
    :raises ViewOnly: he may see it, and not take it away.
    """
    asked = _asked(study_uid, series_uid, sop_uid, frame)
    return _list_files(session, actor, asked, _BOTH if for_picture else _PLACES, need)[0]


def find_instance(
    actor: Actor, *, study_uid: str, series_uid: str, sop_uid: str, frame: int = 1, for_picture: bool = False
) -> InstanceFile | None:
    """As ``get_instance``, by one statement and no transaction; needs an app context.

    None when ``get_instance`` has to be asked: the look is to be recorded, or the file is in an archive.
    """
    found = _find_files(actor, _asked(study_uid, series_uid, sop_uid, frame), _BOTH if for_picture else _PLACES)
    return found[0] if found else None


def list_files(
    session: Session,
    actor: Actor,
    *,
    study_uid: str,
    series_uid: str | None = None,
    need: consent.Need | None = None,
) -> list[InstanceFile]:
    """All instances of a study or series to open, in their order.

    :param need: what the grants have to allow beside looking.
    :raises ImageNotFound: no such study or series that the actor may see.
    :raises ViewOnly: he may see it, and not take it away.
    """
    return _list_files(session, actor, _asked(study_uid, series_uid, None), _PLACES, need)


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


def find_metadata(
    actor: Actor, *, study_uid: str, series_uid: str | None = None, sop_uid: str | None = None
) -> list[InstanceFile] | None:
    """As ``list_metadata``, by one statement; None as of ``find_instance``."""
    return _find_files(actor, _asked(study_uid, series_uid, sop_uid), _METADATA)


def _asked(
    study_uid: str, series_uid: str | None, sop_uid: str | None, frame: int | None = None
) -> dict[str, str | int]:
    given = {"study_uid": study_uid, "series_uid": series_uid, "sop_uid": sop_uid, "frame": frame}
    return {name: value for name, value in given.items() if value is not None}


def _list_files(
    session: Session, actor: Actor, asked: dict[str, str | int], details: str, need: consent.Need | None = None
) -> list[InstanceFile]:
    rows = _choose(statements.list_rows(session, *_select(actor, asked, details)))
    _release(session, actor, rows, whole_study=_is_whole_study(asked), need=need)
    archives = {row.hospital_id: pacs.find_access(session, row.hospital_id) for row in rows if row.is_archived}
    return [_to_file(row, str(asked["study_uid"]), archives) for row in rows]


def _find_files(actor: Actor, asked: dict[str, str | int], details: str) -> list[InstanceFile] | None:
    rows = _choose(statements.look_rows(*_select(actor, asked, details)))
    if any(row.is_archived or not row.is_recorded for row in rows):
        return None
    return [_to_file(row, str(asked["study_uid"]), {}) for row in rows]


def _select(actor: Actor, asked: dict[str, str | int], details: str) -> tuple[str, dict[str, Any]]:
    """The statement and its values."""
    action = _WHOLE if _is_whole_study(asked) else _PART
    statement = _compose(consent.gate_of(actor), details, tuple(asked))
    return statement, {
        **asked,
        **consent.gate_values(actor),
        **consent.look_values(actor, action, fold_within=FOLD),
    }


def _choose(rows: Sequence[Sequence[Any]]) -> list[_Row]:
    """:raises ImageNotFound: there is nothing among them."""
    found = [_Row._make(row) for row in rows]
    if not found:
        raise ImageNotFound
    first: dict[tuple[str, str], UUID] = {}
    for row in found:
        uids = (row.series_uid, row.sop_uid)
        first[uids] = min(first.get(uids, row.instance_id), row.instance_id)
    return [row for row in found if first[row.series_uid, row.sop_uid] == row.instance_id]


def _is_whole_study(asked: Collection[str]) -> bool:
    return "series_uid" not in asked


def _to_file(row: _Row, study_uid: str, archives: dict[UUID, ArchiveAccess | None]) -> InstanceFile:
    archived = None
    if row.is_archived:
        archived = ArchivedImage(archives[row.hospital_id], study_uid, row.series_uid, row.sop_uid)
    fields: tuple[Any, ...] = row
    file = row.series_uid, InstanceView(*fields[_VIEW:_VIEW_END]), *fields[_FILE:_VIEW], archived, row.study_id
    return InstanceFile(*file)


def _release(session: Session, actor: Actor, rows: list[_Row], *, whole_study: bool, need: consent.Need | None) -> None:
    """Record that these were opened, each study or series that is not recorded yet; what is may be taken away too.

    A line of the log that names a series says of which study it is: who must not know of that is not told of it.
    """
    for row in {row.object_id: row for row in rows if not row.is_recorded}.values():
        consent.release(
            session,
            actor,
            person_id=row.person_id,
            action=_WHOLE if whole_study else _PART,
            of=("study" if whole_study else "series", row.object_id),
            facts={} if whole_study else {consent.PART_OF: str(row.study_id)},
            fold_within=FOLD,
            need=need,
        )


@cache
def _compose(gate: consent.Gate, details: str, given: tuple[str, ...]) -> str:
    """One text for each form of a question, so that the database keeps its plan."""
    return statements.compose(
        _FILES,
        readable=gate.readable,
        looked_at="study" if _is_whole_study(given) else "series",
        is_known=gate.is_known.format("study.id"),
        looks=gate.looks,
        details=details,
        conditions="".join(f" AND {_CONDITIONS[name]}" for name in given if name in _CONDITIONS),
    )


@cache
def _compose_still(gate: consent.Gate) -> str:
    return statements.compose(_STILL, readable=gate.readable, is_known=gate.is_known.format("study.id"))
