"""The one small interface between sealed files and whatever keeps them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True)
class Stored:
    """A file in a store. ``size_bytes`` is of its sealed bytes, whose SHA-256 the address is."""

    address: str
    size_bytes: int
    changed_at: datetime


class Store(Protocol):
    """What keeps sealed files by their address: 64 hexadecimal digits, the first two of which sort them.

    A file comes in two steps, so that nothing slow happens while a transaction is open: ``bring`` carries it over,
    ``settle`` makes it the store's own. Only after that a row may name it.
    """

    name: str

    def bring(self, path: Path, address: str, /) -> None:
        """Carry over what stands at ``path``; it may take long.

        :raises StorageFull: no room.
        :raises StorageSilent: the store does not answer.
        """

    def settle(self, path: Path, address: str, /) -> None:
        """Keep what was brought; at once.

        :raises StorageFull: no room.
        """

    def find(self, address: str) -> tuple[BinaryIO, int] | None:
        """The sealed bytes, to be read from any position, and how many they are; None when they are not here.

        :raises StorageSilent: the store does not answer.
        """

    def discard(self, address: str) -> None:
        """Remove it for good; not here: nothing.

        :raises StorageSilent: the store does not answer.
        """

    def list_files(self, prefix: str) -> Iterator[Stored]:
        """All files whose address begins with these two digits; with none, simply all.

        :raises StorageSilent: the store does not answer.
        """
