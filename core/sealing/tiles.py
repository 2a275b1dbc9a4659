"""Where a log's hashes stand in folders and addresses: c2sp.org/tlog-tiles."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from core.sealing.merkle import TILE_BITS, TILE_WIDTH

_PLACE = re.compile(r"((?:x[0-9]{3}/){0,5})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_MOST_LEVELS = 8


@dataclass(frozen=True)
class Tile:
    """Up to 256 neighbouring hashes of one level. A width below 256 makes it a partial tile."""

    level: int
    index: int
    width: int = TILE_WIDTH

    @property
    def start(self) -> int:
        """The place of its first hash in the level."""
        return self.index << TILE_BITS

    @property
    def is_whole(self) -> bool:
        return self.width == TILE_WIDTH

    @property
    def path(self) -> str:
        """Below the log's address, such as ``tile/0/x001/x234/067.p/8``."""
        digits, rest = f"{self.index % 1000:03}", self.index // 1000
        while rest:
            digits, rest = f"x{rest % 1000:03}/{digits}", rest // 1000
        return f"tile/{self.level}/{digits}" + ("" if self.is_whole else f".p/{self.width}")

    def is_in(self, size: int) -> bool:
        """Whether a tree of that many leaves has all its hashes."""
        return self.start + self.width <= size >> self.level * TILE_BITS


def find_tile(level: str, place: str) -> Tile | None:
    """The tile of an address ``tile/<level>/<place>``; None: no tile is written so."""
    found = _PLACE.fullmatch(place)
    if found is None or not level.isascii() or not level.isdecimal() or int(level[:2]) >= _MOST_LEVELS:
        return None
    tile = Tile(int(level[:2]), int(re.sub("[x/]", "", found[1]) + found[2]), int(found[3] or TILE_WIDTH))
    is_so_written = tile.width <= TILE_WIDTH and tile.path == f"tile/{level}/{place}"
    return tile if is_so_written else None


def list_new_tiles(old_size: int, size: int) -> Iterator[Tile]:
    """The tiles that a tree has and did not have when it was smaller, lowest level first."""
    level = 0
    while size >> level * TILE_BITS:
        before, there = (count >> level * TILE_BITS for count in (old_size, size))
        if there > before:
            for index in range(before >> TILE_BITS, there >> TILE_BITS):
                yield Tile(level, index)
            if there % TILE_WIDTH:
                yield Tile(level, there >> TILE_BITS, there % TILE_WIDTH)
        level += 1
