"""Verifying the log: every row, leaf, node and checkpoint, and what the copy outside the database says of them.

One pass in the order of sealing, whose memory does not grow with the log. Needs nothing but reading: no secret,
no key that signs.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg

from core import statements
from core.sealing.check_proof import Checkpoint, Key, NotProven, read_checkpoint, read_note
from core.sealing.copying import OutsideCopy
from core.sealing.leaves import READ_COLUMNS, hash_row
from core.sealing.merkle import GrowingTree, Node
from core.sealing.notes import KEY_PURPOSE
from core.sealing.reading import HASH_BYTES
from core.sealing.verifying_copy import read_leaves

# So many findings are kept with their words; more are counted.
MOST_FINDINGS = 1000
# So many altered rows are compared with each other, for two that stand in each other's place.
MOST_COMPARED = 50
# Over a wider one nothing is looked at: somebody may have put a leaf at the end of all numbers.
WIDEST_GAP = 1_000_000
_AT_ONCE = 2000

_LEAVES = """
SELECT leaf.index, leaf.entry_id, leaf.salt, leaf.hash, entry.id, {columns}
FROM audit_leaves leaf LEFT JOIN audit_entries entry ON entry.id = leaf.entry_id ORDER BY leaf.index
"""
_SELECT_LEAVES = statements.compose(_LEAVES, columns=READ_COLUMNS)
_CHECKPOINTS = "SELECT size, note FROM audit_checkpoints ORDER BY size"
_NODES = "SELECT level, index, hash FROM audit_nodes WHERE level = %(level)s ORDER BY index"
_NODES_ABOVE = "SELECT count(*) FROM audit_nodes WHERE level > %(level)s"
# Rows that are not sealed and do not wait, that wait and are gone, that are sealed and wait.
_UNSEALED = """
SELECT 'inserted', 'row ' || entry.id || ' was never sealed, and does not wait for it' FROM audit_entries entry
WHERE NOT EXISTS (SELECT FROM audit_leaves WHERE entry_id = entry.id)
    AND NOT EXISTS (SELECT FROM audit_unsealed WHERE entry_id = entry.id)
UNION ALL SELECT 'deleted', 'row ' || entry_id || ' was deleted before it was sealed' FROM audit_unsealed
WHERE NOT EXISTS (SELECT FROM audit_entries WHERE id = entry_id)
UNION ALL SELECT 'inserted', 'row ' || entry_id || ' is sealed, and waits for it once more' FROM audit_unsealed waiting
WHERE EXISTS (SELECT FROM audit_leaves WHERE entry_id = waiting.entry_id)
"""
_WAITING = "SELECT count(*) FROM audit_unsealed"
_KEYS = "SELECT public_key, killed_at IS NOT NULL FROM signing_keys WHERE purpose = %(purpose)s"

Connection = psycopg.Connection[Any]


@dataclass
class Report:
    """What was looked at, and what is wrong: ``found`` has a word for the kind of damage, and a sentence."""

    leaves: int = 0
    checkpoints: int = 0
    waiting: int = 0
    copied: int | None = None
    found: list[tuple[str, str]] = field(default_factory=list)
    more: int = 0

    def add(self, kind: str, sentence: str) -> None:
        """Note a finding."""
        if len(self.found) < MOST_FINDINGS:
            self.found.append((kind, sentence))
        else:
            self.more += 1

    @property
    def kinds(self) -> set[str]:
        """The kinds of damage."""
        return {kind for kind, _ in self.found}


@dataclass(frozen=True)
class _Altered:
    """A row that is not what was sealed at its place."""

    index: int
    entry_id: object
    salt: bytes
    hash: bytes
    columns: Sequence[Any]


def verify_log(connection: Connection, copy: OutsideCopy | None = None) -> Report:
    """Verify the log of a database.

    :param connection: inside a transaction that sees one moment (REPEATABLE READ), and has not read anything yet.
    :param copy: what lies outside; without it, a log that was cut off or written anew as a whole is not noticed.
    """
    return _Verifying(connection, copy).run()


class _Verifying:
    def __init__(self, connection: Connection, copy: OutsideCopy | None) -> None:
        self._connection = connection
        self._report = Report()
        self._numbers = count()
        # First of all: the copy never has more than the database had a moment ago.
        self._mark, self._copied = read_leaves(copy, self._report.add) if copy else (None, iter(()))
        self._report.copied = self._mark.size if self._mark else None
        self._keys, self._killed = self._read_keys()
        self._tree = GrowingTree()
        self._cursors = ExitStack()
        self._checkpoints: Iterator[Sequence[Any]] = iter(())
        self._next: Sequence[Any] | None = None
        self._signed = 0
        self._origin: str | None = None
        self._nodes: dict[int, Iterator[Sequence[Any]]] = {}
        # Once a leaf is not the one that was sealed, the tree above it says nothing more.
        self._is_torn = False
        self._altered: list[_Altered] = []
        self._moved: list[tuple[int, bytes, bytes]] = []

    def run(self) -> Report:
        with self._cursors:
            self._look_through()
        return self._report

    def _look_through(self) -> None:
        self._checkpoints = self._read(_CHECKPOINTS)
        self._next = next(self._checkpoints, None)
        for index, entry_id, salt, hash_, found_id, *columns in self._read(_SELECT_LEAVES):
            if index - self._tree.size > WIDEST_GAP:
                self._is_torn = True
                self._report.add(
                    "deleted", f"leaves {self._tree.size} to {index - 1} are not there; none after them count"
                )
                break
            self._note_missing(index)
            self._check_row(_Altered(index, entry_id, salt, hash_, columns), is_there=found_id is not None)
            self._add(hash_)
        self._report.leaves = self._tree.size
        self._check_end()
        self._tell_altered()
        self._tell_moved()
        self._check_unsealed()

    def _check_row(self, leaf: _Altered, *, is_there: bool) -> None:
        if leaf.entry_id is None:
            self._report.add("lost", f"leaf {leaf.index} has no row: it was lost, and its hash taken from the copy")
        elif not is_there:
            self._report.add("deleted", f"row {leaf.entry_id}, leaf {leaf.index}, was deleted")
        elif hash_row(leaf.salt, leaf.columns) != leaf.hash:
            self._altered.append(leaf)
            if len(self._altered) > MOST_FINDINGS:
                self._tell_altered()

    def _note_missing(self, index: int) -> None:
        while self._tree.size < index:
            self._report.add("deleted", f"leaf {self._tree.size} was deleted")
            self._is_torn = True
            self._add(bytes(HASH_BYTES), is_missing=True)

    def _add(self, hash_: bytes, *, is_missing: bool = False) -> None:
        index = self._tree.size
        copied = next(self._copied, None)
        if copied is not None and copied != hash_ and not is_missing:
            self._is_torn = True
            self._moved.append((index, hash_, copied))
            if len(self._moved) > MOST_FINDINGS:
                self._tell_moved()
        for node in self._tree.add(hash_):
            self._check_node(node)
        if self._next is not None and self._next[0] == self._tree.size:
            self._check_checkpoint(*self._next)
            self._signed, self._next = self._next[0], next(self._checkpoints, None)

    def _check_node(self, node: Node) -> None:
        if node.level not in self._nodes:
            self._nodes[node.level] = self._read(_NODES, level=node.level)
        kept = next(self._nodes[node.level], None)
        if self._is_torn or (kept is not None and (kept[1], kept[2]) == (node.index, node.hash)):
            return
        first = node.index << 8 * node.level
        last = first + (1 << 8 * node.level) - 1
        self._report.add("rewritten", f"leaves {first} to {last} do not lead to the node that was kept of them")
        self._is_torn = True

    def _check_checkpoint(self, size: int, note: str) -> None:
        self._report.checkpoints += 1
        try:
            checkpoint = read_checkpoint(note)
            self._origin = self._origin or checkpoint.origin
            self._check_signature(note, checkpoint)
        except ValueError as wrong:
            self._report.add("forged", f"checkpoint {size}: {wrong}")
            return
        if (checkpoint.origin, checkpoint.size) != (self._origin, size):
            self._report.add("forged", f"checkpoint {size} is one of {checkpoint.size} leaves of {checkpoint.origin}")
        elif checkpoint.root != self._tree.root and not self._is_torn:
            self._is_torn = True
            self._report.add("rewritten", f"the first {size} leaves do not lead to the root that was signed of them")

    def _check_signature(self, note: str, checkpoint: Checkpoint) -> None:
        """What a key has signed that was killed since proves nothing, nor does it accuse: later ones hold the same."""
        try:
            read_note(note, [Key(checkpoint.origin, public) for public in self._keys])
        except NotProven:
            read_note(note, [Key(checkpoint.origin, public) for public in self._killed])

    def _check_end(self) -> None:
        size = self._tree.size
        while self._next is not None:
            self._report.checkpoints += 1
            self._signed, self._next = self._next[0], next(self._checkpoints, None)
        if self._signed != size:
            self._report.add("truncated", f"{self._signed} leaves were signed, {size} are there")
        if self._mark is not None and self._mark.size > size:
            self._report.add(
                "rolled back",
                f"the copy has {self._mark.size} leaves, the database {size}: cut off, or an older backup",
            )
        left = any(next(nodes, None) for nodes in self._nodes.values())
        if (left or self._count(_NODES_ABOVE, level=len(self._nodes))) and not self._is_torn:
            self._report.add("rewritten", "there are nodes over leaves that are not there")

    def _tell_altered(self) -> None:
        """Rows that are not what was sealed; of a few of them, whether two stand in each other's place."""
        altered, self._altered = self._altered, []
        swapped: dict[int, int] = {}
        if len(altered) <= MOST_COMPARED:
            for one in altered:
                for other in altered:
                    if one is not other and hash_row(other.salt, one.columns) == other.hash:
                        swapped[one.index] = other.index
        for row in altered:
            if row.index in swapped:
                self._report.add("swapped", f"the rows of leaves {row.index} and {swapped[row.index]} were swapped")
            else:
                self._report.add("edited", f"row {row.entry_id}, leaf {row.index}, is not what was sealed")

    def _tell_moved(self) -> None:
        """Leaves that are others than in the copy."""
        moved, self._moved = self._moved, []
        places = {copied: index for index, _, copied in moved}
        for index, hash_, _ in moved:
            if hash_ in places:
                self._report.add("swapped", f"leaf {index} stands in the place of leaf {places[hash_]}")
            else:
                self._report.add("rewritten", f"leaf {index} is not the one that the copy holds")

    def _check_unsealed(self) -> None:
        for kind, sentence in self._read(_UNSEALED):
            self._report.add(kind, sentence)
        self._report.waiting = self._count(_WAITING)

    def _count(self, statement: str, **values: Any) -> int:
        row = self._connection.execute(statement, values).fetchone()
        return int(row[0]) if row else 0

    def _read_keys(self) -> tuple[list[bytes], list[bytes]]:
        """Those that are good, and those that were killed."""
        rows = self._connection.execute(_KEYS, {"purpose": KEY_PURPOSE}).fetchall()
        good, killed = (
            [bytes(public) for public, is_killed in rows if is_killed == wanted] for wanted in (False, True)
        )
        return good, killed

    def _read(self, statement: str, **values: Any) -> Iterator[Sequence[Any]]:
        """Rows as they are asked for: the database keeps the others."""
        cursor = self._cursors.enter_context(self._connection.cursor(f"verify_{next(self._numbers)}"))
        cursor.itersize = _AT_ONCE
        cursor.execute(statement, values)
        return iter(cursor)
