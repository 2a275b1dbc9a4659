"""The tree: what the standard's own tests say, and what a tree written as the standard defines it says."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.sealing.check_proof import NotProven, lead_to_root
from core.sealing.merkle import GrowingTree, Node, hash_leaf, prove_inclusion

# Leaves and roots of the tests of RFC 6962's reference implementation.
LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
SIZES = st.one_of(st.integers(1, 700), st.sampled_from([255, 256, 257, 511, 512, 513]))


def define_root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word by word."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\x01" + define_root(leaves[:half]) + define_root(leaves[half:])).digest()


class Kept:
    """A tree and what is kept of it."""

    def __init__(self, size: int) -> None:
        self.leaves = [hash_leaf(str(number).encode()) for number in range(size)]
        self.tree, nodes = GrowingTree(), list[Node]()
        for leaf in self.leaves:
            nodes += self.tree.add(leaf)
        self.nodes = {(node.level, node.index): node.hash for node in nodes}

    def read(self, level: int, start: int, count: int) -> Sequence[bytes]:
        assert start // 256 == (start + count - 1) // 256, "within one tile"
        if level == 0:
            return self.leaves[start : start + count]
        return [self.nodes[level, index] for index in range(start, start + count)]


_TREES: dict[int, Kept] = {}


def tree_of(size: int) -> Kept:
    if size not in _TREES:
        _TREES[size] = Kept(size)
    return _TREES[size]


def test_roots_are_those_of_the_standard() -> None:
    tree = GrowingTree()
    for leaf, root in zip([*LEAVES, b""], ROOTS, strict=True):
        assert tree.root.hex() == root
        tree.add(hash_leaf(leaf))


@settings(max_examples=30)
@given(SIZES)
def test_a_tree_that_grew_has_the_root_of_its_definition_and_goes_on_from_what_is_kept(size: int) -> None:
    kept = tree_of(size)
    root = define_root(kept.leaves)
    assert kept.tree.root == root
    assert GrowingTree.resume(kept.read, size).root == root
    for (level, index), node in kept.nodes.items():
        if level == 1:
            assert node == define_root(kept.leaves[index * 256 : (index + 1) * 256])


@settings(max_examples=30)
@given(SIZES, st.data())
def test_what_was_signed_earlier_is_found_again_in_the_larger_tree(size: int, data: st.DataObject) -> None:
    kept = tree_of(size)
    earlier = data.draw(st.integers(0, size))
    resumed = GrowingTree.resume(kept.read, earlier)
    assert resumed.root == define_root(kept.leaves[:earlier])
    for leaf in kept.leaves[earlier : earlier + 300]:
        resumed.add(leaf)
    assert resumed.root == define_root(kept.leaves[: resumed.size])


@settings(max_examples=30)
@given(SIZES, st.data())
def test_a_proof_leads_from_its_leaf_to_the_root_and_nothing_else_does(size: int, data: st.DataObject) -> None:
    kept = tree_of(size)
    index = data.draw(st.integers(0, size - 1))
    path, leaf, root = prove_inclusion(kept.read, index, size), kept.leaves[index], kept.tree.root
    assert len(path) <= size.bit_length()
    assert lead_to_root(leaf, index, size, path) == root
    other = data.draw(st.integers(0, size - 1).filter(lambda other: other != index) if size > 1 else st.just(0))
    if size > 1:
        assert not is_proven(leaf, other, size, path, root)
        assert not is_proven(kept.leaves[other], index, size, path, root)
        changed = data.draw(st.integers(0, len(path) - 1))
        assert not is_proven(leaf, index, size, [*path[:changed], b"x" * 32, *path[changed + 1 :]], root)
        assert not is_proven(leaf, index, size, path[:-1], root)
    assert not is_proven(leaf, index, size, [*path, b"x" * 32], root)


def test_a_proof_has_the_length_that_its_place_asks_for() -> None:
    kept = tree_of(300)
    path = prove_inclusion(kept.read, 299, 300)
    with pytest.raises(NotProven, match="too short"):
        lead_to_root(kept.leaves[299], 299, 300, path[:-1])
    with pytest.raises(NotProven, match="too long"):
        lead_to_root(kept.leaves[299], 299, 300, [*path, path[0]])


def test_a_tree_of_three_levels_of_tiles_is_as_every_other() -> None:
    kept = tree_of(65_800)
    assert set(kept.nodes) == {*((1, index) for index in range(257)), (2, 0)}
    root = define_root(kept.leaves)
    assert kept.tree.root == GrowingTree.resume(kept.read, 65_800).root == root
    assert GrowingTree.resume(kept.read, 65_537).root == define_root(kept.leaves[:65_537])
    for index in (3, 65_535, 65_536, 65_799):
        assert lead_to_root(kept.leaves[index], index, 65_800, prove_inclusion(kept.read, index, 65_800)) == root


def is_proven(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    try:
        return lead_to_root(leaf, index, size, path) == root
    except NotProven:
        return False


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 2), (7, 7)])
def test_a_place_outside_of_the_tree_proves_nothing(index: int, size: int) -> None:
    with pytest.raises(NotProven, match="no such place"):
        lead_to_root(b"x" * 32, index, size, [])
