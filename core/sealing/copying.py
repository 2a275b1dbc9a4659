"""The copy of the log outside the database: a folder as c2sp.org/tlog-tiles has it, which only ever grows.

It is the mark that never goes back: whoever changes the database, however thoroughly, does not change what lies here.
Put it where the database's administrator cannot write: another machine's disk, or one that does not overwrite.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from core import db
from core.sealing.check_proof import Checkpoint, Key, NotProven, read_checkpoint, read_key, read_note
from core.sealing.merkle import GrowingTree
from core.sealing.notes import list_keys
from core.sealing.reading import HASH_BYTES, KeptHashes, LogDamaged, find_last
from core.sealing.tiles import Tile, list_new_tiles

# So many tiles at a time: they are held in memory until they are written.
MOST = 256


class OutsideCopy:
    """One folder: ``checkpoint``, ``keys`` and the tiles."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read_mark(self) -> Checkpoint | None:
        """What the copy says the log is, at least; None: there is no copy yet.

        :raises LogDamaged: what it says is signed by none of its keys.
        """
        note = _read(self.folder / "checkpoint")
        if note is None:
            return None
        try:
            return read_checkpoint(read_note(note.decode(), self.read_keys())[0])
        except ValueError as wrong:
            raise LogDamaged(f"the checkpoint of the copy: {wrong}") from None

    def read_keys(self) -> Sequence[Key]:
        """The keys that were known whenever the copy was brought up to the log."""
        return [read_key(line) for line in (_read(self.folder / "keys") or b"").decode().splitlines()]

    def read_tile(self, tile: Tile) -> bytes | None:
        """The hashes of a tile; those of a partial one may stand in the whole one by now. None: it is not there."""
        hashes = _read(self.folder / tile.path)
        if hashes is None and not tile.is_whole:
            hashes = _read(self.folder / Tile(tile.level, tile.index).path)
        return None if hashes is None else hashes[: tile.width * HASH_BYTES]

    def keep_tile(self, tile: Tile, hashes: bytes) -> None:
        """Write a tile; the partial ones that it makes needless go.

        :raises LogDamaged: there is one already, and it is another.
        """
        path = self.folder / tile.path
        known = _read(path)
        if known is not None and known != hashes:
            raise LogDamaged(f"the copy has another {tile.path}")
        if known is None:
            _write(path, hashes)
        if tile.is_whole:
            _remove_partial(path.with_name(path.name + ".p"))

    def set_mark(self, note: str, keys: Sequence[Key]) -> None:
        """Say what the log is now."""
        known = self.read_keys()
        together = [*known, *(key for key in keys if key not in known)]
        if together != known:
            _write(self.folder / "keys", "".join(f"{key}\n" for key in together).encode())
        _write(self.folder / "checkpoint", note.encode())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else writes into the folder at the same time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def check_mark(mark: Checkpoint | None, kept: KeptHashes) -> None:
    """:raises LogDamaged: the database has less than its copy, or something else."""
    if mark is None:
        return
    if kept.size < mark.size:
        raise LogDamaged(f"the log has {kept.size} leaves, its copy {mark.size}: rows were lost")
    if GrowingTree.resume(kept.read, mark.size).root != mark.root:
        raise LogDamaged(f"the first {mark.size} leaves are not those that the copy holds")


def bring_out(copy: OutsideCopy) -> None:
    """Bring a copy up to the newest checkpoint of the database. Needs an app context; opens its own transactions.

    :raises LogDamaged: the database has less than the copy, or something else.
    """
    with copy.alone():
        mark = copy.read_mark()
        size = mark.size if mark else 0
        with db.snapshot() as session:
            last = find_last(session)
            check_mark(mark, KeptHashes(session, last[0].size if last else 0))
            keys = list_keys(session, last[0].origin) if last else ()
        if last is None or last[0].size == size:
            return
        _check_signature(last[1], keys)
        wanted = list_new_tiles(size, last[0].size)
        while some := list(islice(wanted, MOST)):
            _bring_tiles(copy, some, last[0].size)
        copy.set_mark(last[1], keys)


def _bring_tiles(copy: OutsideCopy, tiles: Sequence[Tile], size: int) -> None:
    with db.snapshot() as session:
        kept = KeptHashes(session, size)
        hashes = [kept.read_tile(tile.level, tile.index) for tile in tiles]
    for tile, content in zip(tiles, hashes, strict=True):
        copy.keep_tile(tile, content)


def _check_signature(note: str, keys: Sequence[Key]) -> None:
    try:
        read_note(note, keys)
    except NotProven as wrong:
        raise LogDamaged(f"the newest checkpoint: {wrong}") from None


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and there to stay."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _remove_partial(folder: Path) -> None:
    with suppress(FileNotFoundError):
        for name in os.listdir(folder):
            (folder / name).unlink()
        folder.rmdir()
