"""Verifying the copy outside the database by itself: its tiles lead to the root that was signed."""

from collections.abc import Callable, Iterator
from itertools import takewhile

from core.sealing.check_proof import Checkpoint
from core.sealing.copying import OutsideCopy
from core.sealing.merkle import TILE_BITS, TILE_WIDTH, GrowingTree, Node
from core.sealing.reading import HASH_BYTES, LogDamaged
from core.sealing.tiles import Tile, list_new_tiles

Tell = Callable[[str, str], None]


def read_leaves(copy: OutsideCopy, tell: Tell) -> tuple[Checkpoint | None, Iterator[bytes]]:
    """The copy's checkpoint, and the hashes of its leaves, a tile at a time.

    :param tell: is told, with a kind and a sentence, that there is no checkpoint or no known key has signed it.
    """
    try:
        mark = copy.read_mark()
    except (LogDamaged, ValueError) as damaged:
        tell("copy", str(damaged))
        return None, iter(())
    if mark is None:
        tell("copy", "there is no copy in this folder")
        return None, iter(())
    return mark, _read_leaves(copy, mark.size)


def _read_leaves(copy: OutsideCopy, size: int) -> Iterator[bytes]:
    for tile in takewhile(lambda tile: tile.level == 0, list_new_tiles(0, size)):
        # What is missing is told of by ``verify_copy``, and compared with nothing.
        hashes = copy.read_tile(tile) or b""
        for place in range(0, len(hashes), HASH_BYTES):
            yield hashes[place : place + HASH_BYTES]
        if len(hashes) < tile.width * HASH_BYTES:
            return


def verify_copy(copy: OutsideCopy, tell: Tell) -> int | None:
    """Whether a copy holds together; returns the number of its leaves, None when it is none.

    :param tell: is told of each thing that is wrong, with a kind and a sentence.
    """
    mark, leaves = read_leaves(copy, tell)
    if mark is None:
        return None
    tree = GrowingTree()
    kept: dict[int, list[bytes]] = {}
    for leaf in leaves:
        for node in tree.add(leaf):
            _check_node(copy, node, kept, tell)
    _check_edge(copy, kept, mark.size, tell)
    if tree.size < mark.size:
        tell("copy", f"the copy has {tree.size} leaves, and says that there are {mark.size}")
    elif tree.root != mark.root:
        tell("copy", f"the {mark.size} leaves of the copy do not lead to the root that was signed")
    return mark.size


def _check_node(copy: OutsideCopy, node: Node, kept: dict[int, list[bytes]], tell: Tell) -> None:
    """Nodes are collected until their tile is whole, and compared with it."""
    hashes = kept.setdefault(node.level, [])
    hashes.append(node.hash)
    if len(hashes) == TILE_WIDTH:
        _compare(copy, Tile(node.level, node.index >> TILE_BITS), hashes, tell)
        hashes.clear()


def _check_edge(copy: OutsideCopy, kept: dict[int, list[bytes]], size: int, tell: Tell) -> None:
    for level, hashes in kept.items():
        if hashes:
            there = size >> level * TILE_BITS
            _compare(copy, Tile(level, there >> TILE_BITS, there % TILE_WIDTH), hashes, tell)


def _compare(copy: OutsideCopy, tile: Tile, hashes: list[bytes], tell: Tell) -> None:
    if copy.read_tile(tile) != b"".join(hashes):
        tell("copy", f"{tile.path} of the copy does not follow from its leaves")
