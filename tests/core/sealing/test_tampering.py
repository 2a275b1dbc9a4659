"""Whoever changes the log is found out, and it is said how; here by a few hundred changes, by `make prove` 10,000."""

import random
from collections import Counter
from typing import cast

import pytest
from flask import Flask
from sqlalchemy import Connection as Outer

from core import db
from core.sealing.copying import OutsideCopy
from tests.support.sealing import Connection, Tampering, act, seal, verify

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
