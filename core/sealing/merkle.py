"""Merkle trees of RFC 6962, section 2.1 (SHA-256), that grow at their right edge and are read by tiles of 256 hashes.

Of the tree's nodes only those over 256, 256 * 256 ... leaves are kept: what lies between follows from them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

TILE_BITS = 8
TILE_WIDTH = 1 << TILE_BITS

# Gives hashes of one level from a place on; level 0 has the leaves' hashes, level n the nodes over 256**n leaves.
ReadHashes = Callable[[int, int, int], Sequence[bytes]]


@dataclass(frozen=True)
class Node:
    """The hash over ``256**level`` leaves, of which the first is ``index * 256**level``."""

    level: int
    index: int
    hash: bytes


def hash_leaf(entry: bytes) -> bytes:
    """The hash of one leaf."""
    return sha256(b"\x00" + entry).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two."""
    return sha256(b"\x01" + left + right).digest()


class GrowingTree:
    """The right edge of a tree: enough to add leaves and to know the root, however many leaves there are."""

    def __init__(self) -> None:
        self.size = 0
        # The whole subtrees from left to right, each at most half as high as the one before it.
        self._peaks: list[bytes] = []

    @classmethod
    def resume(cls, read: ReadHashes, size: int) -> "GrowingTree":
        """A tree of that many leaves, out of what is kept of it."""
        tree = cls()
        tree.size = size
        for level in reversed(range(-(-size.bit_length() // TILE_BITS))):
            there = size >> level * TILE_BITS
            width = there % TILE_WIDTH
            hashes = read(level, there - width, width) if width else ()
            for bit in reversed(range(TILE_BITS)):
                if width >> bit & 1:
                    tree._peaks.append(combine(hashes[: 1 << bit]))
                    hashes = hashes[1 << bit :]
        return tree

    def add(self, leaf: bytes) -> Sequence[Node]:
        """Add the hash of a leaf; gives the nodes to keep that it completes."""
        index = self.size
        self.size += 1
        completed: tuple[Node, ...] = ()
        height = 0
        while index & 1:
            leaf = hash_node(self._peaks.pop(), leaf)
            index >>= 1
            height += 1
            if height % TILE_BITS == 0:
                completed = (*completed, Node(height // TILE_BITS, index, leaf))
        self._peaks.append(leaf)
        return completed

    @property
    def root(self) -> bytes:
        """The hash of the whole tree."""
        if not self._peaks:
            return sha256().digest()
        *others, root = self._peaks
        for peak in reversed(others):
            root = hash_node(peak, root)
        return root


def combine(hashes: Sequence[bytes]) -> bytes:
    """The node above a power of two of neighbours."""
    while len(hashes) > 1:
        hashes = [hash_node(hashes[at], hashes[at + 1]) for at in range(0, len(hashes), 2)]
    return hashes[0]


def hash_range(read: ReadHashes, start: int, end: int) -> bytes:
    """The hash of the subtree over leaves ``start`` to ``end`` (exclusive), one of those that a tree divides into."""
    width = end - start
    if width & (width - 1):
        middle = start + _split(width)
        return hash_node(hash_range(read, start, middle), hash_range(read, middle, end))
    level, bits = divmod(width.bit_length() - 1, TILE_BITS)
    return combine(read(level, start >> level * TILE_BITS, 1 << bits))


def prove_inclusion(read: ReadHashes, index: int, size: int) -> list[bytes]:
    """The hashes that lead from a leaf to the root of a tree of that many leaves (section 2.1.1), lowest first."""
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(hash_range(read, middle, end))
            end = middle
        else:
            path.append(hash_range(read, start, middle))
            start = middle
    return path[::-1]


def _split(width: int) -> int:
    """The largest power of two below the width."""
    return 1 << (width - 1).bit_length() - 1
