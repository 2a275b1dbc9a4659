"""Bringing an instance from the archive that keeps it: once, as long as there is room to keep a sealed copy."""

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from core.storage import CHUNK_BYTES, FileDamaged, SealedWriter, open_sealed, stores
from core.storage.cache import Cache
from core.vault import DataKey, vault
from records.images.dicom import read_header
from records.pacs.access import ArchiveAccess
from records.pacs.archive import Archive
from records.pacs.refusals import ArchiveAnswerUnfit, ArchiveUnavailable
from records.refusals import ImageIncomplete, ImageUnreadable, TransferSyntaxNotSupported

_MEBIBYTE = 1024 * 1024
# Eight mebibytes: a few milliseconds.
_CHECKED_CHUNKS = 128


@dataclass(frozen=True)
class ArchivedImage:
    """An instance in a hospital's archive; ``access`` is None when the archive is not in use any more."""

    access: ArchiveAccess | None
    study_uid: str
    series_uid: str
    sop_uid: str


def open_archived(image: ArchivedImage, storage_key: str, data_key: bytes) -> BinaryIO:
    """Read the whole instance. Not inside a transaction.

    :param storage_key: of its header, which is kept here; the copy is sealed under the header's own key.
    :raises ArchiveUnavailable: the archive does not answer, or is not in use any more.
    :raises ArchiveAnswerUnfit: it has no such instance, or answers with another one.
    :raises StorageFull: no room to receive it.
    """
    if image.access is None:
        # Whoever may no longer be asked is not answered for, from no copy either.
        raise ArchiveUnavailable
    config = stores.current_config()
    cache = Cache(config.storage_dir / "fetched", bound_bytes=config.fetched_cache_mb * _MEBIBYTE, digits=1)
    name, key = hashlib.sha256(f"archived/{storage_key}".encode()).hexdigest(), vault().unwrap(data_key)
    return _open_kept(cache, name, key) or _fetch(image, cache, name, key)


def _open_kept(cache: Cache, name: str, key: DataKey) -> BinaryIO | None:
    path = cache.find(name)
    try:
        stream = open_sealed(path, key) if path else None
    except OSError:
        return None
    if stream is None or _is_whole(stream):
        return stream
    stream.close()
    return None


def _is_whole(stream: BinaryIO) -> bool:
    """A copy that was damaged here is simply fetched again; of a large one only the beginning is looked at."""
    try:
        for _ in range(_CHECKED_CHUNKS):
            if not stream.read(CHUNK_BYTES):
                break
        stream.seek(0)
    except FileDamaged:
        return False
    return True


def _fetch(image: ArchivedImage, cache: Cache, name: str, key: DataKey) -> BinaryIO:
    assert image.access is not None
    writer = SealedWriter(stores.incoming(), key)
    try:
        Archive(image.access).fetch(image.study_uid, image.series_uid, image.sop_uid, writer.write)
        writer.finish()
        _check_is(image, writer)
        # Open before the cache has it: it may be the first that has to go again.
        stream = writer.open()
        cache.put_file(name, writer.path)
        return stream
    finally:
        writer.forget()


def _check_is(image: ArchivedImage, writer: SealedWriter) -> None:
    try:
        with writer.open() as stream:
            header = read_header(stream)
    except (ImageUnreadable, ImageIncomplete, TransferSyntaxNotSupported):
        raise ArchiveAnswerUnfit from None
    answered = (header.study_instance_uid, header.series_instance_uid, header.sop_instance_uid)
    if answered != (image.study_uid, image.series_uid, image.sop_uid):
        raise ArchiveAnswerUnfit
