"""Whoever changes the log is found out, and it is said how; here by a few hundred changes, by `make prove` 10,000."""

import random
import shutil
from collections import Counter
from typing import cast

import pytest
from flask import Flask
from sqlalchemy import Connection as Outer

from core import db
from core.actor import SYSTEM
from core.sealing import LogDamaged, list_proofs
from core.sealing.adopting import adopt_copy
from core.sealing.check_proof import check_proof
from core.sealing.copying import OutsideCopy
from core.sealing.notes import list_keys
from core.sealing.tiles import list_new_tiles
from tests.support.sealing import ORIGIN, Connection, Tampering, act, seal, verify

ROWS, TIMES, SEED = 300, 70, 20261122


@pytest.fixture(scope="module")
def sealed(module_app: Flask, tmp_path_factory: pytest.TempPathFactory) -> OutsideCopy:
    """The copy of a log of some rows, under some checkpoints; others wait."""
    copy = OutsideCopy(tmp_path_factory.mktemp("copy"))
    seal(most=100_000)
    act(ROWS)
    seal(copy, most=60)
    act(2)
    return copy


@pytest.fixture
def tampering(app: Flask, sealed: OutsideCopy) -> Tampering:
    outer = cast(Outer, db.orm.engine)
    return Tampering(cast(Connection, outer.connection.driver_connection), random.Random(SEED))


def test_what_nobody_touched_holds(tampering: Tampering, sealed: OutsideCopy) -> None:
    report = verify(sealed)
    assert (report.found, report.copied) == ([], tampering.size)
    assert report.leaves == tampering.size >= ROWS
    assert report.waiting >= 2
    assert report.checkpoints >= ROWS / 60
    assert verify().found == []


@pytest.mark.parametrize(
    ("way", "kind"),
    {
        "edit": "edited",
        "edit_hash": "edited",
        "edit_salt": "edited",
        "replace": "edited",
        "delete": "deleted",
        "delete_leaf": "deleted",
        "delete_with_leaf": "deleted",
        "delete_waiting": "deleted",
        "add_far_leaf": "deleted",
        "insert": "inserted",
        "forget_waiting": "inserted",
        "seal_again": "inserted",
        "call_lost": "lost",
        "swap_whose_leaf": "swapped",
        "swap_leaves": "swapped",
        "truncate_leaves": "truncated",
        "delete_last_checkpoint": "truncated",
        "truncate_with_rows": "rolled back",
        "empty": "rolled back",
        "rewrite": "rewritten",
        "rewrite_the_end": "rewritten",
        "edit_node": "rewritten",
        "delete_node": "rewritten",
        "add_node": "rewritten",
        "sign_another_root": "rewritten",
        "sign_by_nobody": "forged",
        "edit_checkpoint": "forged",
    }.items(),
)
def test_it_is_said_what_was_done(tampering: Tampering, sealed: OutsideCopy, way: str, kind: str) -> None:
    with tampering.once():
        tampering.ways[way]()
        assert kind in verify(sealed).kinds
    assert verify(sealed).found == []


def test_after_an_older_backup_the_log_goes_on_from_its_copy(tampering: Tampering, sealed: OutsideCopy) -> None:
    copy = OutsideCopy(sealed.folder.with_name("of-restored"))
    shutil.copytree(sealed.folder, copy.folder)
    with tampering.once():
        tampering.ways["truncate_with_rows"]()
        tampering.connection.execute("ALTER TABLE audit_entries ENABLE TRIGGER USER")
        left = tampering.ask("SELECT count(*) FROM audit_leaves")
        with pytest.raises(LogDamaged, match="rows were lost"):
            seal(copy)
        with db.transaction() as session:
            assert adopt_copy(session, SYSTEM, copy) == tampering.size - left
        with db.transaction() as session:
            assert adopt_copy(session, SYSTEM, copy) == 0
        ids = act(300)
        seal(copy)
        with db.snapshot() as session:
            proofs = list_proofs(session, {*ids})
            signers = list_keys(session, ORIGIN)
        assert {check_proof(str(proof), signers)[0].size for proof in proofs.values()} == {copy.read_mark().size}
        report = verify(copy)
        assert report.kinds == {"lost"}
        assert len(report.found) == tampering.size - left
    shutil.rmtree(copy.folder)


def test_what_is_not_the_same_log_is_not_taken_over(tampering: Tampering, sealed: OutsideCopy) -> None:
    with tampering.once():
        tampering.ways["rewrite"]()
        tampering.cut(tampering.signed_size())
        with pytest.raises(LogDamaged, match="does not begin with"), db.transaction() as session:
            adopt_copy(session, SYSTEM, sealed)
    with tampering.once():
        tampering.ways["truncate_with_rows"]()
        newest = [tile for tile in list_new_tiles(0, tampering.size) if tile.level == 0][-1]
        tile = sealed.folder / newest.path
        kept = tile.read_bytes()
        tile.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        with pytest.raises(LogDamaged, match="do not lead to the root"), db.transaction() as session:
            adopt_copy(session, SYSTEM, sealed)
        tile.write_bytes(kept)


# These leave a log that is sound in itself: only what lies outside knows better.
ONLY_OUTSIDE = {"empty", "truncate_with_rows", "rewrite", "rewrite_the_end", "rewrite_without_a_row"}


def test_what_is_sound_in_itself_only_the_copy_gives_away(tampering: Tampering, sealed: OutsideCopy) -> None:
    for way in sorted(tampering.ways):
        with tampering.once():
            tampering.ways[way]()
            found = verify().found
            is_rewritten = way in {*ONLY_OUTSIDE, "fill_up_an_old_backup"}
            assert (found == []) == is_rewritten, (way, found)


def test_every_one_of_many_changes_is_found(tampering: Tampering, sealed: OutsideCopy) -> None:
    change_many(tampering, sealed, TIMES)


@pytest.mark.prove
def test_every_one_of_10_000_changes_is_found(tampering: Tampering, sealed: OutsideCopy) -> None:
    change_many(tampering, sealed, 10_000)


def change_many(tampering: Tampering, sealed: OutsideCopy, times: int) -> None:
    """Every way as often as the others, each time with other rows, columns and places."""
    missed, tried = [], Counter[str]()
    ways = sorted(tampering.ways)
    for number in range(times):
        way = ways[number % len(ways)]
        with tampering.once():
            tampering.ways[way]()
            if not verify(sealed).found:
                missed.append((number, way))
        tried[way] += 1
    print(f"seed {SEED}, {tried.total()} changes in {len(tried)} ways, {len(missed)} not found")
    assert missed == []
    assert min(tried[way] for way in ways) >= times // len(ways) > 0
