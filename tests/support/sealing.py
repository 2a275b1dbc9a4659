"""Logs for tests: rows to seal, and every way to tamper with them."""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import text

from core import audit, db, keys, statements
from core.actor import SYSTEM
from core.ids import new_id
from core.sealing.check_proof import Checkpoint
from core.sealing.copying import OutsideCopy, bring_out
from core.sealing.notes import KEY_PURPOSE, sign_checkpoint
from core.sealing.reading import find_last
from core.sealing.sealer import seal_waiting
from core.sealing.verifying import Report, verify_log

ORIGIN = "log.example/audit-log"
TABLES = ("audit_entries", "audit_leaves", "audit_nodes", "audit_checkpoints")

Connection = psycopg.Connection[Any]


def act(count: int = 1, *, facts: dict[str, Any] | None = None) -> list[UUID]:
    """So many acts, each about somebody else; gives the ids of their rows, in their order."""
    people = [new_id() for _ in range(count)]
    with db.transaction() as session:
        for person in people:
            audit.record_act(session, SYSTEM, "core.test.done", subject_id=person, of=("test", new_id()), facts=facts)
    asked = "SELECT subject_id, id FROM audit_entries WHERE subject_id = ANY(:people)"
    with db.transaction() as session:
        rows = session.execute(text(asked), {"people": people}).all()
    ids = dict(tuple(row) for row in rows)
    return [ids[person] for person in people]


def seal(copy: OutsideCopy | None = None, *, most: int = 8192) -> int:
    """Seal all that waits, under as many checkpoints as that takes; returns how many rows it were."""
    sealed = 0
    while True:
        mark = copy.read_mark() if copy else None
        with db.transaction() as session:
            now = seal_waiting(session, ORIGIN, outside=mark, most=most)
        if not now:
            break
        sealed += now
    if copy:
        bring_out(copy)
    return sealed


def find_newest() -> tuple[Checkpoint, str]:
    """The newest checkpoint, and its note."""
    with db.transaction() as session:
        found = find_last(session)
    assert found is not None
    return found


def verify(copy: OutsideCopy | None = None) -> Report:
    """What verifying finds."""
    with db.snapshot() as session:
        return verify_log(cast(Connection, session.connection().connection.driver_connection), copy)


def sign(checkpoint: Checkpoint) -> str:
    """By the log's own key."""
    with db.transaction() as session:
        return sign_checkpoint(checkpoint, keys.ring(session, KEY_PURPOSE).signing_key)


class Tampering:
    """Whoever owns the tables, at work on a log that has some rows, of which some wait still.

    Each of ``ways`` changes something of what was sealed.
    """

    def __init__(self, connection: Connection, chance: random.Random) -> None:
        self.connection, self.chance = connection, chance
        self.size = self.ask("SELECT count(*) FROM audit_leaves")
        self.ways: dict[str, Callable[[], None]] = {
            name.removeprefix("_way_"): getattr(self, name) for name in sorted(dir(self)) if name.startswith("_way_")
        }

    def do(self, statement: str, *values: Any) -> None:
        changed = self.connection.execute(statement, values).rowcount
        assert changed, f"nothing was changed by {statement}"

    def ask(self, statement: str, *values: Any) -> Any:
        row = self.connection.execute(statement, values).fetchone()
        assert row is not None
        return row[0]

    @contextmanager
    def once(self) -> Iterator[None]:
        """What is done inside is undone afterwards."""
        self.connection.execute("SAVEPOINT tampering")
        for table in TABLES:
            self.connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        try:
            yield
        finally:
            self.connection.execute("ROLLBACK TO SAVEPOINT tampering")

    def some_leaf(self) -> int:
        return self.chance.randrange(self.size)

    def entry_of(self, index: int) -> UUID:
        return cast(UUID, self.ask("SELECT entry_id FROM audit_leaves WHERE index = %s", index))

    def two(self) -> tuple[int, int]:
        one, other = self.chance.sample(range(self.size), 2)
        return one, other

    def edit(self, index: int) -> None:
        """Change one column of a row, whichever."""
        changes = {
            "at": "at + interval '1 microsecond'",
            "request_id": "request_id || 'x'",
            "actor_kind": "'patient'",
            "actor_id": "gen_random_uuid()",
            "hospital_id": "gen_random_uuid()",
            "action": "'records.timeline.read'",
            "subject_id": self.chance.choice(["NULL", "gen_random_uuid()"]),
            "object_kind": self.chance.choice(["NULL", "'report'"]),
            "object_id": "gen_random_uuid()",
            "purpose": "'treatment'",
            "basis_id": "gen_random_uuid()",
            "basis_version": "7",
            "facts": "facts || '{\"forged\": 1}'",
        }
        column = self.chance.choice(sorted(changes))
        change = "UPDATE audit_entries SET {column} = {value} WHERE id = %s"
        self.do(statements.compose(change, column=column, value=changes[column]), self.entry_of(index))

    def cut(self, size: int) -> None:
        """Take away all that was sealed after so many leaves."""
        self.connection.execute("DELETE FROM audit_checkpoints WHERE size > %s", [size])
        for level in range(1, 4):
            self.connection.execute(
                "DELETE FROM audit_nodes WHERE level = %s AND (index + 1) * %s > %s", [level, 256**level, size]
            )
        self.do("DELETE FROM audit_leaves WHERE index >= %s", size)

    def signed_size(self) -> int:
        """One at which the log was signed, not the last."""
        sizes = self.connection.execute("SELECT size FROM audit_checkpoints ORDER BY size").fetchall()
        return cast(int, self.chance.choice(sizes[:-1])[0])

    # Rows

    def _way_edit(self) -> None:
        self.edit(self.some_leaf())

    def _way_edit_many(self) -> None:
        for _ in range(5):
            self.edit(self.some_leaf())

    def _way_delete(self) -> None:
        self.do("DELETE FROM audit_entries WHERE id = %s", self.entry_of(self.some_leaf()))

    def _way_delete_waiting(self) -> None:
        self.do("DELETE FROM audit_entries WHERE id = (SELECT min(entry_id::text)::uuid FROM audit_unsealed)")

    def _way_insert(self) -> None:
        self.copy_row(self.some_leaf())

    def copy_row(self, index: int) -> UUID:
        """A row that was never written, like one that was."""
        fresh = new_id()
        self.do(
            "INSERT INTO audit_entries SELECT (jsonb_populate_record(entry, jsonb_build_object('id', %s::uuid))).* "
            "FROM audit_entries entry WHERE id = %s",
            fresh,
            self.entry_of(index),
        )
        return fresh

    def _way_replace(self) -> None:
        index = self.some_leaf()
        self.do("UPDATE audit_leaves SET entry_id = %s WHERE index = %s", self.copy_row(index), index)

    def _way_swap_rows(self) -> None:
        one, other = map(self.entry_of, self.two())
        aside = new_id()
        for old, new in ((one, aside), (other, one), (aside, other)):
            self.do("UPDATE audit_entries SET id = %s WHERE id = %s", new, old)

    def _way_forget_waiting(self) -> None:
        self.do("DELETE FROM audit_unsealed WHERE entry_id = (SELECT min(entry_id::text)::uuid FROM audit_unsealed)")

    def _way_seal_again(self) -> None:
        self.do("INSERT INTO audit_unsealed VALUES (%s)", self.entry_of(self.some_leaf()))

    # Leaves

    def _way_swap_leaves(self) -> None:
        one, other = self.two()
        for old, new in ((one, self.size + 9), (other, one), (self.size + 9, other)):
            self.do("UPDATE audit_leaves SET index = %s WHERE index = %s", new, old)

    def _way_swap_whose_leaf(self) -> None:
        one, other = self.two()
        first, second = self.entry_of(one), self.entry_of(other)
        for index, entry in ((one, new_id()), (other, first), (one, second)):
            self.do("UPDATE audit_leaves SET entry_id = %s WHERE index = %s", entry, index)

    def _way_edit_salt(self) -> None:
        self.do("UPDATE audit_leaves SET salt = substr(sha256(salt), 1, 16) WHERE index = %s", self.some_leaf())

    def _way_edit_hash(self) -> None:
        self.do("UPDATE audit_leaves SET hash = sha256(hash) WHERE index = %s", self.some_leaf())

    def _way_call_lost(self) -> None:
        self.do("UPDATE audit_leaves SET entry_id = NULL, salt = NULL WHERE index = %s", self.some_leaf())

    def _way_delete_leaf(self) -> None:
        self.do("DELETE FROM audit_leaves WHERE index = %s", self.some_leaf())

    def _way_delete_with_leaf(self) -> None:
        index = self.some_leaf()
        self.do("DELETE FROM audit_entries WHERE id = %s", self.entry_of(index))
        self.do("DELETE FROM audit_leaves WHERE index = %s", index)

    def _way_add_far_leaf(self) -> None:
        far = self.size + 10**15
        self.do("INSERT INTO audit_leaves VALUES (%s, %s, substr(sha256(''), 1, 16), sha256(''))", far, new_id())

    def _way_close_the_gap(self) -> None:
        """Take a row away, and let those after it move up."""
        index = self.chance.randrange(self.size - 1)
        self.do("DELETE FROM audit_entries WHERE id = %s", self.entry_of(index))
        self.do("DELETE FROM audit_leaves WHERE index = %s", index)
        self.do("UPDATE audit_leaves SET index = index + 1000000 WHERE index > %s", index)
        self.do("UPDATE audit_leaves SET index = index - 1000001 WHERE index > 1000000")

    # Ends

    def _way_truncate_leaves(self) -> None:
        self.do("DELETE FROM audit_leaves WHERE index >= %s", self.chance.randrange(1, self.size))

    def _way_truncate(self) -> None:
        self.cut(self.chance.randrange(1, self.size))

    def _way_truncate_with_rows(self) -> None:
        """What a backup that was put back looks like."""
        size = self.signed_size()
        self.do("DELETE FROM audit_entries WHERE id IN (SELECT entry_id FROM audit_leaves WHERE index >= %s)", size)
        self.cut(size)

    def _way_empty(self) -> None:
        for table in (*TABLES, "audit_unsealed"):
            self.do(statements.compose("DELETE FROM {table}", table=table))

    # Whatever is above them

    def _way_edit_node(self) -> None:
        self.do("UPDATE audit_nodes SET hash = sha256(hash)")

    def _way_delete_node(self) -> None:
        self.do("DELETE FROM audit_nodes")

    def _way_add_node(self) -> None:
        self.do("INSERT INTO audit_nodes VALUES (%s, 77, sha256(''))", self.chance.randrange(1, 4))

    def _way_delete_last_checkpoint(self) -> None:
        self.do("DELETE FROM audit_checkpoints WHERE size = %s", self.size)

    def _way_edit_checkpoint(self) -> None:
        size = self.signed_size()
        note: str = self.ask("SELECT note FROM audit_checkpoints WHERE size = %s", size)
        # The last sign of a line of base64 may hold bits that mean nothing.
        places = [n for n, sign in enumerate(note) if sign not in "\n=" and note[n + 1 : n + 2] not in {"=", "\n"}]
        place = self.chance.choice(places)
        changed = note[:place] + ("A" if note[place] != "A" else "B") + note[place + 1 :]
        self.do("UPDATE audit_checkpoints SET note = %s WHERE size = %s", changed, size)

    def _way_sign_another_root(self) -> None:
        size = self.signed_size()
        note = sign(Checkpoint(ORIGIN, size, self.chance.randbytes(32)))
        self.do("UPDATE audit_checkpoints SET note = %s WHERE size = %s", note, size)

    def _way_sign_by_nobody(self) -> None:
        note = sign_checkpoint(Checkpoint(ORIGIN, self.size, bytes(32)), Ed25519PrivateKey.generate())
        self.do("UPDATE audit_checkpoints SET note = %s WHERE size = %s", note, self.size)

    # With the platform's own keys and code

    def seal_again(self, size: int) -> None:
        """Write anew what comes after so many leaves, as if it had been so from the beginning."""
        again = """
            INSERT INTO audit_unsealed
            SELECT id FROM audit_entries WHERE id IN (SELECT entry_id FROM audit_leaves WHERE index >= %s)
        """
        self.do(again, size)
        self.cut(size)
        seal(most=self.chance.randrange(10, 100))

    def _way_rewrite(self) -> None:
        self.edit(self.some_leaf())
        self.seal_again(0)

    def _way_rewrite_the_end(self) -> None:
        size = self.signed_size()
        self.edit(self.chance.randrange(size, self.size))
        self.seal_again(size)

    def _way_rewrite_without_a_row(self) -> None:
        self._way_delete()
        self.seal_again(0)

    def _way_fill_up_an_old_backup(self) -> None:
        self._way_truncate_with_rows()
        self.connection.execute("ALTER TABLE audit_entries ENABLE TRIGGER USER")
        act(40)
        seal()
