"""Files kept in a folder of this machine, or of a network disk: the default."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from core.errors import Unavailable
from core.storage.stored import Stored

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class StorageFull(Unavailable):
    code = "core.storage_full"
    title = "存储空间不足,请稍后再试"
    detail = "There is no room for what was sent. Nothing was filed; send the same request again later."


class Folder:
    """A store on a disk. A file comes into its place by a rename: it is there whole, or not at all."""

    name = "folder"

    def __init__(self, root: Path) -> None:
        self._root = root

    def bring(self, path: Path, address: str) -> None:
        """Nothing: what is staged lies on the same disk."""

    def settle(self, path: Path, address: str) -> None:
        """:raises StorageFull: no room."""
        with noticing_full():
            folder = make_folder(self._root / address[:2])
            path.rename(folder / address)
            _sync_folder(folder)

    def find(self, address: str) -> tuple[BinaryIO, int] | None:
        try:
            sealed = self._place(address).open("rb")
        except FileNotFoundError:
            return None
        return sealed, os.fstat(sealed.fileno()).st_size

    def discard(self, address: str) -> None:
        self._place(address).unlink(missing_ok=True)

    def list_files(self, prefix: str) -> Iterator[Stored]:
        for folder in sorted(self._root.glob(prefix or "??")):
            for entry in os.scandir(folder):
                known = entry.stat()
                yield Stored(entry.name, known.st_size, datetime.fromtimestamp(known.st_mtime, UTC))

    def _place(self, address: str) -> Path:
        return self._root / address[:2] / address


@contextmanager
def noticing_full() -> Iterator[None]:
    """:raises StorageFull: in place of what the operating system says of a disk or quota that is used up."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from None
        raise


def make_folder(folder: Path) -> Path:
    """The folder, made when it is missing; only this process's user looks into it."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync_folder(folder.parent)
    return folder


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
