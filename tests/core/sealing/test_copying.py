"""The copy outside the database: it only grows, and what the database has to have is what it holds."""

import pytest
from flask import Flask

from core import db
from core.sealing import LogDamaged, copying
from core.sealing.check_proof import Checkpoint
from core.sealing.copying import OutsideCopy, bring_out
from core.sealing.reading import find_tile
from core.sealing.tiles import Tile
from core.sealing.verifying_copy import verify_copy
from tests.support.sealing import ORIGIN, act, find_newest, seal, sign, verify


def test_the_copy_is_a_log_of_files_that_others_can_serve(app: Flask, copy: OutsideCopy) -> None:
    act(300)
    seal(copy)
    size, note = find_newest()[0].size, find_newest()[1]
    assert (copy.folder / "checkpoint").read_text() == note
    whole, rest = divmod(size, 256)
    assert len((copy.folder / "tile/0/000").read_bytes()) == 8192
    assert len((copy.folder / f"tile/0/{whole:03}.p/{rest}").read_bytes()) == rest * 32
    assert copy.read_tile(Tile(1, 0, whole)) is not None
    act(256)
    seal(copy)
    assert not (copy.folder / f"tile/0/{whole:03}.p").exists()
    assert copy.read_tile(Tile(0, whole, rest)) == (copy.folder / f"tile/0/{whole:03}").read_bytes()[: rest * 32]
    assert verify(copy).found == []


def test_what_was_sealed_and_not_copied_when_the_sealer_died_is_copied_next(app: Flask, copy: OutsideCopy) -> None:
    act(3)
    seal(copy)
    copied = copy.read_mark()
    act(300)
    seal()
    assert copy.read_mark() == copied
    # It died between two tiles as well.
    with db.snapshot() as session:
        first = find_tile(session, Tile(0, 0))
    assert first is not None
    copy.keep_tile(Tile(0, 0), first)
    bring_out(copy)
    assert copy.read_mark() == find_newest()[0]
    assert verify(copy).found == []


def test_a_copy_that_is_far_behind_is_brought_up_in_parts(
    app: Flask, copy: OutsideCopy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "MOST", 2)
    act(700)
    seal(copy)
    assert copy.read_mark() == find_newest()[0]
    wrong: list[tuple[str, str]] = []
    assert verify_copy(copy, lambda kind, sentence: wrong.append((kind, sentence))) == find_newest()[0].size
    assert wrong == []


def test_a_mark_never_goes_back(app: Flask, copy: OutsideCopy) -> None:
    act(3)
    seal(copy)
    ahead = find_newest()[0]
    (copy.folder / "checkpoint").write_text(sign(Checkpoint(ORIGIN, ahead.size + 1, b"\x01" * 32)))
    act()
    with pytest.raises(LogDamaged, match="rows were lost"):
        seal(copy)
    assert find_newest()[0] == ahead
    with pytest.raises(LogDamaged, match="rows were lost"):
        bring_out(copy)


def test_nothing_is_signed_over_leaves_that_the_copy_does_not_hold(app: Flask, copy: OutsideCopy) -> None:
    act(3)
    seal(copy)
    signed = find_newest()[0]
    (copy.folder / "checkpoint").write_text(sign(Checkpoint(ORIGIN, signed.size - 1, b"\x01" * 32)))
    act()
    with pytest.raises(LogDamaged, match="not those that the copy holds"):
        seal(copy)
    with pytest.raises(LogDamaged, match="not those that the copy holds"):
        bring_out(copy)
    assert find_newest()[0] == signed


def test_a_tile_of_the_copy_is_never_overwritten(app: Flask, copy: OutsideCopy) -> None:
    act(300)
    path = copy.folder / "tile/0/000"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x" * 8192)
    with pytest.raises(LogDamaged, match="another tile/0/000"):
        seal(copy)
    assert path.read_bytes() == b"x" * 8192
    assert copy.read_mark() is None


def test_a_copy_that_nobody_known_has_signed_is_damaged(app: Flask, copy: OutsideCopy) -> None:
    act()
    seal(copy)
    (copy.folder / "checkpoint").write_text(find_newest()[1].replace(ORIGIN, "other.example"))
    with pytest.raises(LogDamaged, match="no known key"):
        copy.read_mark()
