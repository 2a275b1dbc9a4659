"""The log as the database has it."""

from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from core import statements
from core.sealing.check_proof import Checkpoint, read_checkpoint
from core.sealing.merkle import TILE_BITS, TILE_WIDTH
from core.sealing.models import LogCheckpoint
from core.sealing.tiles import Tile

HASH_BYTES = 32

# One row a tile; of those that are not whole as many hashes as there are.
_LEAVES = """
SELECT tile, (
    SELECT string_agg(hash, ''::bytea ORDER BY index) FROM audit_leaves
    WHERE index >= tile * 256 AND index < least((tile + 1) * 256, %(end)s)
) FROM unnest(%(tiles)s::bigint[]) AS tile
"""
_NODES = """
SELECT tile, (
    SELECT string_agg(hash, ''::bytea ORDER BY index) FROM audit_nodes
    WHERE level = %(level)s AND index >= tile * 256 AND index < least((tile + 1) * 256, %(end)s)
) FROM unnest(%(tiles)s::bigint[]) AS tile
"""


class LogDamaged(Exception):
    """The log is not what was signed: nothing more is signed. The text says what is wrong, without anybody's data."""


class KeptHashes:
    """The hashes of a tree of that many leaves, read a tile at a time and kept while this object lives."""

    def __init__(self, session: Session, size: int) -> None:
        self._session = session
        self.size = size
        self._tiles: dict[tuple[int, int], bytes] = {}

    def read(self, level: int, start: int, count: int) -> Sequence[bytes]:
        """Neighbours within one tile.

        :raises LogDamaged: they are not all there.
        """
        tile = self.read_tile(level, start >> TILE_BITS)
        at = start % TILE_WIDTH * HASH_BYTES
        hashes = [tile[place : place + HASH_BYTES] for place in range(at, at + count * HASH_BYTES, HASH_BYTES)]
        if len(tile) < at + count * HASH_BYTES:
            raise LogDamaged(f"level {level} has no hash {start + len(tile) // HASH_BYTES - start % TILE_WIDTH}")
        return hashes

    def read_tile(self, level: int, index: int) -> bytes:
        """All hashes of a tile, one after the other; fewer than 256 at the edge of the tree."""
        if (level, index) not in self._tiles:
            self.fetch_tiles(level, [index])
        return self._tiles[level, index]

    def fetch_tiles(self, level: int, indexes: Iterable[int]) -> None:
        """Read many tiles of a level at once."""
        values = {"level": level, "tiles": list(indexes), "end": self.size >> level * TILE_BITS}
        rows = statements.list_rows(self._session, _NODES if level else _LEAVES, values)
        self._tiles |= {(level, index): bytes(hashes or b"") for index, hashes in rows}


def find_last(session: Session) -> tuple[Checkpoint, str] | None:
    """The newest checkpoint, and the note that signs it."""
    note = session.scalar(select(LogCheckpoint.note).order_by(LogCheckpoint.size.desc()).limit(1))
    return None if note is None else (read_checkpoint(note), note)


def find_tile(session: Session, tile: Tile) -> bytes | None:
    """The hashes of a tile of the log as it was last signed; None: it has no such tile."""
    last = find_last(session)
    if last is None or not tile.is_in(last[0].size):
        return None
    hashes = KeptHashes(session, last[0].size).read_tile(tile.level, tile.index)
    return hashes[: tile.width * HASH_BYTES]
