"""Sealing: every row gets a place, in the order of sealing, under a signed checkpoint, and outside the database too."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from psycopg.errors import RestrictViolation
from sqlalchemy import Table, func, select, text
from sqlalchemy.exc import IntegrityError

from core import db, keys, statements
from core.actor import SYSTEM
from core.audit import AuditEntry
from core.sealing import LogDamaged, list_proofs
from core.sealing.check_proof import NotProven, check_proof, main, read_checkpoint, read_note
from core.sealing.copying import OutsideCopy
from core.sealing.leaves import READ_COLUMNS, write_leaf
from core.sealing.merkle import hash_leaf
from core.sealing.models import LogCheckpoint, LogLeaf, UnsealedEntry
from core.sealing.notes import KEY_PURPOSE, list_keys
from core.sealing.sealer import BROKEN, EVERY_SECONDS, run_forever, seal_all
from tests.conftest import SteppingClock
from tests.support.sealing import ORIGIN, act, find_newest, seal, verify


def places(ids: Sequence[UUID]) -> list[int]:
    with db.transaction() as session:
        rows = session.execute(select(LogLeaf.entry_id, LogLeaf.index).where(LogLeaf.entry_id.in_(ids)))
        found = dict(tuple(row) for row in rows)
    return [found[entry_id] for entry_id in ids]


def test_rows_get_places_without_a_gap_in_the_order_of_sealing(app: Flask) -> None:
    later, first = act(3), act(2)
    with db.transaction() as session:
        # These wait in a transaction that has not ended while the others are sealed.
        session.execute(text("DELETE FROM audit_unsealed WHERE entry_id = ANY(:ids)"), {"ids": later})
    seal()
    before = find_newest()[0].size
    with db.transaction() as session:
        session.add_all(UnsealedEntry(entry_id=entry_id) for entry_id in later)
    assert seal() == 3
    assert places(later) == [before, before + 1, before + 2]
    assert max(places(first)) < before
    assert find_newest()[0].size == before + 3
    with db.transaction() as session:
        assert session.scalar(select(func.count(LogLeaf.index))) == before + 3
        assert session.scalar(select(func.max(LogLeaf.index))) == before + 2
    assert verify().found == []


def test_nothing_is_signed_when_nothing_waits(app: Flask) -> None:
    act()
    assert seal() > 0
    signed = find_newest()
    assert seal() == 0
    assert find_newest() == signed


def test_a_leaf_is_canonical_json_of_every_column_that_is_set(app: Flask) -> None:
    (entry_id,) = act(facts={"名": "x", "n": 1.50, "deep": [{"b": 1, "a": None}]})
    with db.transaction() as session:
        asked = statements.compose("SELECT {columns} FROM audit_entries entry WHERE id = %(id)s", columns=READ_COLUMNS)
        row = statements.run(session, asked, {"id": entry_id})
        entry = session.get_one(AuditEntry, entry_id)
    assert row is not None
    leaf = write_leaf(b"\x01" * 16, row)
    told = json.loads(leaf)
    table = AuditEntry.__table__
    assert isinstance(table, Table)
    set_ = {column.name for column in table.columns if getattr(entry, column.name) is not None}
    assert set(told) == set_ | {"salt"}
    assert told["at"] == entry.at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert told["id"] == str(entry_id)
    assert (told["salt"], json.loads(told["facts"])) == ("01" * 16, entry.facts)
    canonical = json.dumps(told, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    assert leaf == canonical.encode()


def test_equal_rows_have_other_hashes_in_another_log(app: Flask) -> None:
    ids = act(2)
    seal()
    with db.transaction() as session:
        salts = session.scalars(select(LogLeaf.salt).where(LogLeaf.entry_id.in_(ids))).all()
    assert len({*salts}) == 2
    assert all(salt and len(salt) == 16 for salt in salts)


@pytest.mark.parametrize("table", ["audit_leaves", "audit_checkpoints", "audit_nodes"])
@pytest.mark.parametrize("change", ["DELETE FROM {0}", "TRUNCATE {0}", "UPDATE {0} SET {1} = {1}"])
def test_the_database_refuses_every_change_of_what_is_sealed(app: Flask, table: str, change: str) -> None:
    act(256)
    seal()
    column = "note" if table == "audit_checkpoints" else "hash"
    with pytest.raises(IntegrityError) as refused, db.transaction() as session:
        session.execute(text(change.format(table, column)))
    assert isinstance(refused.value.orig, RestrictViolation)


# Proofs


def test_a_proof_holds_for_who_has_nothing_but_the_file_and_the_keys(
    app: Flask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, others = act(3), act(300)
    seal(most=100)
    unsealed = act()
    with db.snapshot() as session:
        proofs = list_proofs(session, {*mine, *unsealed})
        signers = list_keys(session, ORIGIN)
    assert set(proofs) == set(mine)
    for entry_id, proof in proofs.items():
        checkpoint, index, entry = check_proof(str(proof), signers)
        assert (index, json.loads(entry)["id"]) == (proof.index, str(entry_id))
        assert json.loads(entry)["salt"] == proof.salt.hex()
        assert checkpoint == find_newest()[0]
    proof = proofs[mine[0]]
    (tmp_path / "keys").write_text("".join(f"{key}\n" for key in signers))
    (tmp_path / "mine.tlog-proof").write_text(str(proof))
    files = [str(tmp_path / name) for name in ("keys", "mine.tlog-proof")]
    assert main(files) == 0
    assert str(mine[0]) in capsys.readouterr().out
    (tmp_path / "mine.tlog-proof").write_text(str(proof).replace(f"index {proof.index}", f"index {proof.index + 1}"))
    assert main(files) == 1
    assert "NOT PROVEN" in capsys.readouterr().out
    assert main([]) == 2
    assert others


def test_a_proof_of_something_else_does_not_hold(app: Flask) -> None:
    ids = act(5)
    seal()
    with db.snapshot() as session:
        one, other = (list_proofs(session, {entry_id})[entry_id] for entry_id in ids[:2])
        signers = list_keys(session, ORIGIN)
    lines = str(one).split("\n")
    forged = [
        "\n".join([lines[0], str(other).split("\n")[1], *lines[2:]]),
        str(one).replace(str(find_newest()[0].size), str(find_newest()[0].size + 1)),
        str(one).replace("tlog-proof@v1", "tlog-proof@v2"),
        "\n".join(lines[:1]),
        str(one).replace("index ", "index -"),
    ]
    for proof in forged:
        with pytest.raises(NotProven):
            check_proof(proof, signers)
    with pytest.raises(NotProven, match="no known key"):
        check_proof(str(one), [])


def test_an_empty_log_proves_nothing(app: Flask) -> None:
    with db.transaction() as session:
        session.execute(text("ALTER TABLE audit_checkpoints DISABLE TRIGGER USER"))
        session.execute(text("DELETE FROM audit_checkpoints"))
    ids = act()
    with db.snapshot() as session:
        assert list_proofs(session, {*ids}) == {}


# Keys


def test_what_an_older_key_signed_holds_after_it_was_replaced_and_has_expired(
    app: Flask, stepping_clock: SteppingClock
) -> None:
    act()
    seal()
    signed = find_newest()[1]
    with db.transaction() as session:
        keys.rotate_ring(session, SYSTEM, KEY_PURPOSE)
    stepping_clock.forward(days=30)
    keys.forget_rings()
    act()
    seal()
    with db.snapshot() as session:
        signers = list_keys(session, ORIGIN)
    text_, old = read_note(signed, signers)
    new = read_note(find_newest()[1], signers)[1]
    assert old != new
    assert read_checkpoint(text_).origin == read_checkpoint(find_newest()[1]).origin
    assert verify().found == []


def test_what_a_killed_key_signed_is_held_by_what_was_signed_after_it(app: Flask, copy: OutsideCopy) -> None:
    act()
    seal(copy)
    with db.snapshot() as session:
        kid = keys.ring(session, KEY_PURPOSE).signing_kid
    with db.transaction() as session:
        keys.kill_key(session, kid)
    keys.forget_rings()
    assert seal(copy) > 0
    note = find_newest()[1]
    with db.snapshot() as session:
        assert read_note(note, list_keys(session, ORIGIN))
    assert verify(copy).found == []


# The worker


def test_the_worker_seals_what_waits_and_copies_it(app: Flask, copy: OutsideCopy) -> None:
    ids = act(2)
    assert seal_all() >= 2
    assert places(ids)
    assert copy.read_mark() == find_newest()[0]
    assert seal_all() == 0


def test_a_damaged_log_is_not_sealed_on_and_rows_wait(
    app: Flask, copy: OutsideCopy, caplog: pytest.LogCaptureFixture
) -> None:
    act()
    seal_all()
    signed = find_newest()[0]
    with db.transaction() as session:
        session.execute(text("ALTER TABLE audit_leaves DISABLE TRIGGER USER"))
        session.execute(text("UPDATE audit_leaves SET hash = sha256(hash) WHERE index = 0"))
    (waiting,) = act()

    class Once(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            self.set()
            return timeout == EVERY_SECONDS

    run_forever(app, Once())
    assert find_newest()[0] == signed
    assert BROKEN._value.get() == 1
    assert "audit_log.not_sealed" in caplog.text
    with db.transaction() as session:
        assert session.get(UnsealedEntry, waiting) is not None
        assert session.scalar(select(func.max(LogCheckpoint.size))) == signed.size


def test_without_a_copy_a_damaged_log_is_not_signed_either(app: Flask) -> None:
    act()
    seal()
    signed = find_newest()[0]
    with db.transaction() as session:
        session.execute(text("ALTER TABLE audit_leaves DISABLE TRIGGER USER"))
        session.execute(text("UPDATE audit_leaves SET hash = sha256(hash) WHERE index = 0"))
    act()
    with pytest.raises(LogDamaged, match="do not lead to the root that was signed"):
        seal()
    assert find_newest()[0] == signed


# The addresses


def test_the_log_is_served_as_its_format_says(app: Flask, copy: OutsideCopy) -> None:
    ids = act(300)
    seal()
    checkpoint, note = find_newest()
    client = app.test_client()
    reply = client.get("/audit-log/checkpoint")
    assert (reply.status_code, reply.text, reply.content_type) == (200, note, "text/plain; charset=utf-8")
    whole, rest = divmod(checkpoint.size, 256)
    reply = client.get("/audit-log/tile/0/000")
    assert (len(reply.data), reply.content_type) == (8192, "application/octet-stream")
    assert "immutable" in reply.headers["Cache-Control"]
    partial = client.get(f"/audit-log/tile/0/{whole:03}.p/{rest}").data
    assert len(partial) == rest * 32
    assert client.get(f"/audit-log/tile/0/{whole:03}.p/{rest - 1}").data == partial[:-32]
    assert len(client.get(f"/audit-log/tile/1/000.p/{whole}").data) == whole * 32
    keys_ = client.get("/audit-log/keys")
    assert f"{ORIGIN}+" in keys_.text
    with db.snapshot() as session:
        (proof,) = list_proofs(session, {ids[-1]}).values()
        assert keys_.text.splitlines() == [str(key) for key in list_keys(session, ORIGIN)]
    place = proof.index % 256 * 32
    assert partial[place : place + 32] == hash_leaf(proof.leaf.encode())


@pytest.mark.parametrize("path", ["0/900", "0/000.p/0", "1/000", "entries/000", "0/x001/000", "7/000.p/1", "0/1"])
def test_what_was_not_signed_is_not_served(app: Flask, path: str) -> None:
    act(3)
    seal()
    reply = app.test_client().get(f"/audit-log/tile/{path}")
    assert (reply.status_code, reply.json["code"]) == (404, "core.tile_not_found")


def test_before_the_first_seal_there_is_no_checkpoint(app: Flask) -> None:
    with db.transaction() as session:
        session.execute(text("ALTER TABLE audit_checkpoints DISABLE TRIGGER USER"))
        session.execute(text("DELETE FROM audit_checkpoints"))
    client = app.test_client()
    reply = client.get("/audit-log/checkpoint")
    assert (reply.status_code, reply.json["code"]) == (404, "core.log_empty")
    assert client.get("/audit-log/tile/0/000").status_code == 404
    assert client.get("/audit-log/keys").text.startswith("127.0.0.1:8000/audit-log+")
