"""Signing keys: the newest signs, retired ones verify, killed ones are dead."""

import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask
from sqlalchemy import select

from core import db, key_commands, keys
from core.actor import SYSTEM
from core.audit import AuditEntry
from core.dispatch import TryLater
from tests.conftest import SteppingClock


@pytest.fixture
def purpose() -> str:
    return f"test-{secrets.token_hex(8)}"


def load(purpose: str) -> keys.Ring:
    keys.forget_rings()
    with db.transaction() as session:
        return keys.ring(session, purpose)


def add(purpose: str) -> str:
    with db.transaction() as session:
        return keys.add_key(session, purpose)


def test_the_newest_key_signs_and_the_older_ones_still_verify(
    app: Flask, purpose: str, stepping_clock: SteppingClock
) -> None:
    old = add(purpose)
    signature = load(purpose).signing_key.sign(b"x")
    stepping_clock.forward(days=90)
    new = add(purpose)
    ring = load(purpose)
    assert ring.signing_kid == new
    assert set(ring.verifying_keys) == {old, new}
    ring.verifying_keys[old].verify(signature, b"x")


def test_a_retired_key_verifies_but_no_longer_signs(app: Flask, purpose: str, stepping_clock: SteppingClock) -> None:
    old = add(purpose)
    stepping_clock.forward(seconds=1)
    new = add(purpose)
    with db.transaction() as session:
        session.get_one(keys.SigningKey, new).retired_at = stepping_clock.time
    ring = load(purpose)
    assert (ring.signing_kid, set(ring.verifying_keys)) == (old, {old, new})


def test_a_killed_key_neither_signs_nor_verifies(app: Flask, purpose: str, stepping_clock: SteppingClock) -> None:
    old = add(purpose)
    stepping_clock.forward(seconds=1)
    new = add(purpose)
    with db.transaction() as session:
        keys.kill_key(session, new)
    ring = load(purpose)
    assert (ring.signing_kid, set(ring.verifying_keys)) == (old, {old})


def test_other_processes_learn_of_a_killed_key_within_a_minute(
    app: Flask, purpose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kid = add(purpose)
    add(purpose)
    load(purpose)
    with db.transaction() as session:
        keys.kill_key(session, kid)
    assert keys.CACHE_SECONDS <= 60
    known_at, ring = keys._rings[purpose]
    monkeypatch.setitem(keys._rings, purpose, (known_at - keys.CACHE_SECONDS, ring))
    with db.transaction() as session:
        assert kid not in keys.ring(session, purpose).verifying_keys


def test_a_purpose_without_keys_says_what_to_do(app: Flask, purpose: str) -> None:
    with pytest.raises(RuntimeError, match="prepare"):
        load(purpose)


def test_a_private_key_is_sealed_in_the_database(app: Flask, purpose: str) -> None:
    kid = add(purpose)
    raw = load(purpose).signing_key.private_bytes_raw()
    with db.transaction() as session:
        row = session.get_one(keys.SigningKey, kid)
    assert raw not in row.private_sealed
    assert raw.hex().encode() not in row.private_sealed + row.data_key


def test_16_threads_preparing_at_once_make_one_key(committing_app: Flask, purpose: str) -> None:
    def prepare(_: int) -> bool:
        with committing_app.app_context(), db.transaction() as session:
            return keys.prepare_ring(session, purpose)

    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(prepare, range(16)))
    assert made.count(True) == 1
    with db.transaction() as session:
        assert len(session.scalars(select(keys.SigningKey.kid).filter_by(purpose=purpose)).all()) == 1


# Rotation


def test_the_next_key_is_published_a_day_before_it_signs_and_the_one_before_verifies_a_week_longer(
    app: Flask, purpose: str, stepping_clock: SteppingClock
) -> None:
    old = add(purpose)
    with db.transaction() as session:
        new = keys.rotate_ring(session, SYSTEM, purpose)
        assert keys.rotate_ring(session, SYSTEM, purpose) == new
    ring = load(purpose)
    assert (ring.signing_kid, set(ring.verifying_keys)) == (old, {old, new})
    stepping_clock.forward(days=1)
    ring = load(purpose)
    assert (ring.signing_kid, set(ring.verifying_keys)) == (new, {old, new})
    stepping_clock.forward(days=7)
    assert set(load(purpose).verifying_keys) == {new}


def test_rings_rotate_by_themselves_every_90_days(app: Flask, purpose: str, stepping_clock: SteppingClock) -> None:
    old = add(purpose)
    stepping_clock.forward(days=88)
    assert old in rotate_old(purpose)
    stepping_clock.forward(days=1)
    assert load(purpose).signing_kid == old
    waiting = rotate_old(purpose) - {old}
    assert rotate_old(purpose) == waiting | {old}
    stepping_clock.forward(days=1)
    assert {load(purpose).signing_kid} == waiting
    assert rotate_old(purpose) == waiting | {old}


def rotate_old(purpose: str) -> set[str]:
    """The kids of the purpose after the daily look, which asks to be called again tomorrow."""
    with pytest.raises(TryLater) as later:
        key_commands.rotate_old_keys({})
    assert later.value.seconds == 24 * 3600
    return set(load(purpose).verifying_keys)


def test_a_key_that_is_killed_leaves_one_that_signs(app: Flask, purpose: str, stepping_clock: SteppingClock) -> None:
    only = add(purpose)
    with db.transaction() as session:
        keys.kill_key(session, only)
    left = load(purpose)
    assert only not in left.verifying_keys
    with db.transaction() as session:
        waiting = keys.rotate_ring(session, SYSTEM, purpose)
        keys.kill_key(session, waiting)
    stepping_clock.forward(days=30)
    assert load(purpose).signing_kid == left.signing_kid


def test_the_operator_rotates_and_kills_from_the_command_line(app: Flask, purpose: str) -> None:
    old, runner = add(purpose), app.test_cli_runner()
    rotated = runner.invoke(args=["keys", "rotate", purpose])
    assert rotated.exit_code == 0
    assert rotated.output.split()[0] in load(purpose).verifying_keys
    assert runner.invoke(args=["keys", "kill", old]).exit_code == 0
    assert old not in load(purpose).verifying_keys
    with db.transaction() as session:
        acts = session.scalars(
            select(AuditEntry.action).where(AuditEntry.facts["purpose"].astext == purpose).order_by(AuditEntry.id)
        ).all()
    assert acts == ["core.key.rotated", "core.key.killed"]
    for words in (["rotate", "no-such-purpose"], ["kill", "00000000"]):
        assert runner.invoke(args=["keys", *words]).exit_code == 1


def test_a_process_whose_clock_is_behind_signs_with_the_first_key(
    app: Flask, purpose: str, stepping_clock: SteppingClock
) -> None:
    first = add(purpose)
    stepping_clock.forward(seconds=-2)
    assert load(purpose).signing_kid == first
