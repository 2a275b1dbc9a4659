"""Sealed files: what is too big for a row. One file, one key; nothing stands on the disk in clear, ever.

A file is a row of sealed chunks (see ``core.vault``) of 64 KiB each, so that a large one is written without being held
in memory and any part of it is read without the rest. Each chunk is sealed for its number and for being the last or
not: a chunk altered, left out, moved or cut off is noticed when it is read.

A file's name is the SHA-256 of its sealed bytes: a check of the whole store needs no key. Where files lie is the
business of ``core.storage.stores``: a store gets sealed bytes only.
"""

import hashlib
import io
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from core.errors import Unavailable
from core.ids import new_id
from core.storage import stores
from core.storage.folder import make_folder, noticing_full
from core.vault import DataKey, SealBroken, vault

CHUNK_BYTES = 64 * 1024
# suite (1) | key id (8) | nonce (12) | tag (16): what sealing adds to a chunk.
_OVERHEAD_BYTES = 37


class FileDamaged(Unavailable):
    code = "core.file_damaged"
    title = "文件暂时无法读取"
    detail = "A stored file is missing or is not what was stored. It is logged; the operator restores it from a backup."


class SealedWriter:
    """A sealed file that is being written on this machine.

    :ivar sha256: of the bytes as they were written by the caller.
    """

    def __init__(self, folder: Path, key: DataKey) -> None:
        self._key = key
        self.path = make_folder(folder) / str(new_id())
        self._stream: BinaryIO = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._plain_hash, self._sealed_hash = hashlib.sha256(), hashlib.sha256()
        self._pending = bytearray()
        self._chunks = 0
        self.size_bytes = 0

    @property
    def sha256(self) -> bytes:
        return self._plain_hash.digest()

    def write(self, plain: bytes | memoryview) -> None:
        """Add bytes.

        :raises StorageFull: no room.
        """
        self._plain_hash.update(plain)
        self.size_bytes += len(plain)
        self._pending += plain
        # One chunk is always held back: only the end tells which is the last.
        while len(self._pending) > CHUNK_BYTES:
            self._seal(bytes(self._pending[:CHUNK_BYTES]), is_last=False)
            del self._pending[:CHUNK_BYTES]

    def finish(self) -> None:
        """Write the last chunk and wait until the disk has all of it.

        :raises StorageFull: no room.
        """
        self._seal(bytes(self._pending), is_last=True)
        self._pending.clear()
        with noticing_full():
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()

    def open(self) -> BinaryIO:
        """Read back what was written."""
        return open_sealed(self.path, self._key)

    def forget(self) -> None:
        """Remove it, unless it was moved away."""
        with suppress(OSError):
            self._stream.close()
        self.path.unlink(missing_ok=True)

    def _seal(self, plain: bytes, *, is_last: bool) -> None:
        sealed = self._key.seal_bytes(plain, context=_context(self._chunks, is_last=is_last))
        self._chunks += 1
        self._sealed_hash.update(sealed)
        with noticing_full():
            self._stream.write(sealed)


class Staged(SealedWriter):
    """A file on its way in. It is written once, read back if need be, and then kept or forgotten.

    :ivar wrapped_key: its key, to be stored beside its address.
    """

    def __init__(self) -> None:
        key, self.wrapped_key = vault().new_key()
        super().__init__(stores.incoming(), key)
        self._is_brought = self._is_kept = False

    @property
    def address(self) -> str:
        """Where the file stands once it is kept."""
        return self._sealed_hash.hexdigest()

    def finish(self) -> None:
        """Write the last chunk, wait until the disk has all of it, and carry it to where files are kept.

        That may be a store behind a network: not inside a transaction, if that can be helped.

        :raises StorageFull: no room.
        :raises StorageSilent: the store does not answer.
        """
        super().finish()
        stores.home().bring(self.path, self.address)
        self._is_brought = True

    def keep(self) -> str:
        """See ``core.storage.keep``. Again: nothing, the first time may have been part of what was undone since."""
        if self._is_kept:
            return self.address
        stores.home().settle(self.path, self.address)
        self._is_kept = True
        return self.address

    def forget(self) -> None:
        """Remove it, unless it was kept."""
        super().forget()
        if self._is_brought and not self._is_kept:
            # What a store that is silent just now keeps for nothing is found by the sweep.
            with suppress(Unavailable):
                stores.home().discard(self.address)


class Staging:
    """The files that one request brings. Leaving it forgets those that were not kept."""

    def __init__(self) -> None:
        self.files: list[Staged] = []

    def __enter__(self) -> "Staging":
        return self

    def __exit__(self, *_raised: object) -> None:
        for staged in self.files:
            staged.forget()

    def new_file(self) -> Staged:
        """An empty file to write into."""
        with noticing_full():
            staged = Staged()
        self.files.append(staged)
        return staged


def keep(staged: Staged) -> str:
    """Put a finished file in its place; returns its address. Only then write the row that names it.

    A crash between the two leaves a sealed file that no row names, never a row without its file.
    """
    return staged.keep()


def open_file(address: str, wrapped_key: bytes) -> BinaryIO:
    """Read a kept file, from any position; each part is proven to be what was written.

    :raises FileDamaged: it is missing; reading raises it where the file is not what was written.
    :raises StorageSilent: the store does not answer; reading raises it too.
    """
    found = stores.find(address)
    if found is None:
        raise FileDamaged
    return _reader(*found, vault().unwrap(wrapped_key))


def open_sealed(path: Path, key: DataKey) -> BinaryIO:
    """Read a sealed file of this machine. :raises OSError: it is not there."""
    sealed = path.open("rb")
    return _reader(sealed, os.fstat(sealed.fileno()).st_size, key)


def discard(address: str) -> None:
    """Remove a kept file for good; again: nothing. Call it after the row that names it has let it go."""
    stores.discard(address)


class _SealedReader(io.RawIOBase):
    """The bytes in clear of a row of sealed chunks."""

    # Readers of files like to know a name; where this one lies is nobody's business.
    name = ""

    def __init__(self, sealed: BinaryIO, sealed_bytes: int, key: DataKey) -> None:
        self._sealed, self._key = sealed, key
        self._chunks = max(1, -(-sealed_bytes // (CHUNK_BYTES + _OVERHEAD_BYTES)))
        self._size = max(0, sealed_bytes - self._chunks * _OVERHEAD_BYTES)
        self._position = 0
        self._opened: tuple[int, bytes] = (-1, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # the Buffer protocol has no name before 3.12
        number, start = divmod(self._position, CHUNK_BYTES)
        part = self._chunk(number)[start:] if number < self._chunks else b""
        taken = min(len(view), len(part))
        view[:taken] = part[:taken]
        self._position += taken
        return taken

    def close(self) -> None:
        self._sealed.close()
        super().close()

    def _chunk(self, number: int) -> bytes:
        if self._opened[0] != number:
            self._sealed.seek(number * (CHUNK_BYTES + _OVERHEAD_BYTES))
            sealed = self._sealed.read(CHUNK_BYTES + _OVERHEAD_BYTES)
            context = _context(number, is_last=number == self._chunks - 1)
            try:
                self._opened = (number, self._key.unseal_bytes(sealed, context=context))
            except SealBroken:
                raise FileDamaged from None
        return self._opened[1]


def _reader(sealed: BinaryIO, sealed_bytes: int, key: DataKey) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(_SealedReader(sealed, sealed_bytes, key), CHUNK_BYTES))


def _context(number: int, *, is_last: bool) -> str:
    return f"file/{number}/{'last' if is_last else 'more'}"
