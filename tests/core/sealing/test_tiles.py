"""Addresses of tiles, and the signed notes: the examples of the documents that define them."""

import re

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from core.sealing.check_proof import Checkpoint, Key, NotProven, read_checkpoint, read_key, read_note
from core.sealing.notes import name_log, sign_checkpoint
from core.sealing.tiles import Tile, find_tile, list_new_tiles

# Of the package that the format comes from.
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SAID = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNED = (
    f"{SAID}\n— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_the_index_of_a_tile_is_written_in_threes() -> None:
    assert Tile(0, 1234067).path == "tile/0/x001/x234/067"
    assert Tile(0, 1234067, 8).path == "tile/0/x001/x234/067.p/8"
    assert Tile(2, 7).path == "tile/2/007"


@given(st.integers(0, 7), st.integers(0, 10**15), st.integers(1, 256))
def test_a_tile_is_found_by_its_address(level: int, index: int, width: int) -> None:
    tile = Tile(level, index, width)
    _, named, place = tile.path.split("/", 2)
    assert find_tile(named, place) == tile


@pytest.mark.parametrize(
    "path",
    [
        "0/1",
        "0/0001",
        "0/x000/001",
        "00/000",
        "8/000",
        "64/000",
        "0/000.p/0",
        "0/000.p/256",
        "0/000.p/01",
        "0/000.p/",
        "0/000.p/300",
        "0/../000",
        "0/001/002",
        "0/x001",
        "entries/000",
        "²/000",
        "0/٠٠٠",
        "0/x999/x999/x999/x999/x999/x999/999",
    ],
)
def test_what_is_no_address_of_a_tile_is_none(path: str) -> None:
    assert find_tile(*path.split("/", 1)) is None


def test_the_tiles_of_a_tree_are_those_of_the_documents_example() -> None:
    tiles = list(list_new_tiles(0, 70_000))
    assert [tile for tile in tiles if not tile.is_whole] == [Tile(0, 273, 112), Tile(1, 1, 17), Tile(2, 0, 1)]
    assert [tile for tile in tiles if tile.is_whole] == [*(Tile(0, n) for n in range(273)), Tile(1, 0)]
    assert list(list_new_tiles(0, 256)) == [Tile(0, 0), Tile(1, 0, 1)]


@given(st.integers(0, 140_000), st.integers(0, 140_000))
def test_what_a_tree_gains_is_what_it_has_and_had_not(one: int, other: int) -> None:
    old, new = sorted((one, other))
    assert set(list_new_tiles(old, new)) == set(list_new_tiles(0, new)) - set(list_new_tiles(0, old))


def test_a_note_of_others_is_read() -> None:
    key = read_key(NEUMANN)
    assert str(key) == NEUMANN
    assert read_note(SIGNED, [Key("x.example", bytes(32)), key]) == (SAID, key)
    with pytest.raises(NotProven, match="wrong"):
        read_note(SIGNED.replace("don't", "do"), [key])
    with pytest.raises(NotProven, match="no known key"):
        read_note(SIGNED, [Key("PeterNeumann", bytes(32))])


@pytest.mark.parametrize(
    "note", ["", "text\n", SAID, SIGNED.rstrip(), SIGNED.replace("— P", "- P"), SIGNED.replace("x08go", "x08g!")]
)
def test_what_is_no_note_proves_nothing(note: str) -> None:
    with pytest.raises(NotProven):
        read_note(note, [read_key(NEUMANN)])


@pytest.mark.parametrize("text", ["", "log\n", "log\n-1\nAA==\n", "log\n١\nAA==\n", "\n1\nAA==\n", "log\n1\n?\n"])
def test_what_is_no_checkpoint_proves_nothing(text: str) -> None:
    with pytest.raises(NotProven):
        read_checkpoint(text)


@pytest.mark.parametrize("line", ["", "log", NEUMANN.replace("c7", "c8"), NEUMANN[:-4], NEUMANN.replace("+AR", "+BR")])
def test_what_is_no_key_verifies_nothing(line: str) -> None:
    with pytest.raises(NotProven):
        read_key(line)


def test_a_checkpoint_has_the_three_lines_and_the_signature_of_its_log() -> None:
    private = Ed25519PrivateKey.generate()
    checkpoint = Checkpoint(name_log("https://card.example:8443"), 20852163, b"\x07" * 32)
    note = sign_checkpoint(checkpoint, private)
    assert re.fullmatch(
        r"card\.example:8443/audit-log\n20852163\n[0-9A-Za-z+/]{43}=\n\n"
        r"— card\.example:8443/audit-log [0-9A-Za-z+/]{91}=\n",
        note,
    )
    text, _ = read_note(note, [Key(checkpoint.origin, private.public_key().public_bytes_raw())])
    assert read_checkpoint(text) == checkpoint
