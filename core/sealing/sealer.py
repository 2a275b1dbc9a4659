"""Sealing: audit rows that wait get places, and the whole log is signed anew. Each second, one sealer at a time."""

import secrets
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from flask import Flask
from prometheus_client import Gauge
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core import clock, db, keys, observe, statements
from core.db import copy_lines
from core.sealing import copying
from core.sealing.check_proof import Checkpoint
from core.sealing.leaves import READ_COLUMNS, SALT_BYTES, hash_row
from core.sealing.merkle import GrowingTree, Node
from core.sealing.models import LogCheckpoint, LogLeaf, LogNode
from core.sealing.notes import KEY_PURPOSE, name_log, sign_checkpoint
from core.sealing.reading import KeptHashes, LogDamaged, find_last
from core.web import current_config

# At most so many rows under one signature.
MOST = 8192
EVERY_SECONDS = 1.0

# The id of a row, its salt and the leaf's hash.
Leaf = tuple[UUID | None, bytes | None, bytes]

BROKEN = Gauge(
    "yimatong_audit_log_broken",
    "1: nothing is sealed, since the log is not what was signed",
    multiprocess_mode="livemostrecent",
)

_TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended('audit_log', 0))"
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('audit_log', 0))"
# A row that waits and is not there was taken away before it was sealed: it stays here, and verifying tells of it.
_WAITING = """
SELECT entry.id, {columns} FROM audit_unsealed JOIN audit_entries entry ON entry.id = audit_unsealed.entry_id
ORDER BY entry.id LIMIT %(most)s
"""
_TAKE_AWAY = "DELETE FROM audit_unsealed WHERE entry_id = ANY(%(sealed)s)"
_SELECT_WAITING = statements.compose(_WAITING, columns=READ_COLUMNS)


def seal_waiting(session: Session, origin: str, *, outside: Checkpoint | None, most: int = MOST) -> int:
    """Give the rows that wait their places, and sign what the log is then; returns how many there were.

    :param origin: the log's name, when this is the first time: it never changes afterwards.
    :param outside: what the copy outside the database says. A log that is behind it is never signed: there would be two
        of the same name.
    :returns: 0 also when another sealer is at work.
    :raises LogDamaged: what is there is not what was signed.
    """
    locked = statements.run(session, _TRY_LOCK, {})
    if locked is None or not locked[0]:
        return 0
    last = find_last(session)
    checkpoint = last[0] if last else Checkpoint(origin, 0, GrowingTree().root)
    rows = statements.list_rows(session, _SELECT_WAITING, {"most": most})
    if not rows:
        return 0
    kept = KeptHashes(session, checkpoint.size)
    tree = GrowingTree.resume(kept.read, checkpoint.size)
    if tree.root != checkpoint.root:
        raise LogDamaged(f"the {checkpoint.size} leaves do not lead to the root that was signed")
    copying.check_mark(outside, kept)
    write_leaves(session, tree, _salt_and_hash(rows))
    signed = Checkpoint(checkpoint.origin, tree.size, tree.root)
    note = sign_checkpoint(signed, keys.ring(session, KEY_PURPOSE).signing_key)
    session.add(LogCheckpoint(size=tree.size, sealed_at=clock.now(), note=note))
    statements.run(session, _TAKE_AWAY, {"sealed": [row[0] for row in rows]})
    return len(rows)


def lock_log(session: Session) -> None:
    """Let nobody else add to the log until the transaction ends."""
    statements.run(session, _LOCK, {})


def _salt_and_hash(rows: Sequence[Sequence[Any]]) -> Iterator[Leaf]:
    salts = secrets.token_bytes(SALT_BYTES * len(rows))
    for number, (entry_id, *columns) in enumerate(rows):
        salt = salts[number * SALT_BYTES : (number + 1) * SALT_BYTES]
        yield entry_id, salt, hash_row(salt, columns)


def write_leaves(session: Session, tree: GrowingTree, leaves: Iterable[Leaf]) -> None:
    """Add leaves to the log, and the nodes that they complete."""
    lines: list[tuple[object, ...]] = []
    nodes: list[Node] = []
    for leaf in leaves:
        lines.append((tree.size, *leaf))
        nodes += tree.add(leaf[2])
    copy_lines(session, LogLeaf, ("index", "entry_id", "salt", "hash"), lines)
    session.add_all(LogNode(level=node.level, index=node.index, hash=node.hash) for node in nodes)


def run_forever(app: Flask, stop: threading.Event) -> None:
    """Seal what waits, each second, until ``stop`` is set."""
    while not stop.is_set():
        try:
            with app.app_context():
                seal_all()
            BROKEN.set(0)
        except OperationalError:
            observe.log.warning("audit_log.database_unavailable")
        except (LogDamaged, OSError) as error:
            # Nothing is lost: rows wait, in the database, until somebody has looked.
            BROKEN.set(1)
            observe.log.error("audit_log.not_sealed", error=type(error).__name__, reason=str(error))
        stop.wait(EVERY_SECONDS)


def seal_all() -> int:
    """Seal all that waits, and bring the copy outside the database up to it. Needs an app context.

    :returns: how many rows were sealed.
    :raises LogDamaged: what is there is not what was signed, or not what the copy holds.
    :raises OSError: the copy cannot be written; what was sealed is sealed.
    """
    config, sealed = current_config(), 0
    copy = copying.OutsideCopy(config.audit_copy_dir)
    while True:
        mark = copy.read_mark()
        with db.transaction() as session:
            now = seal_waiting(session, name_log(config.base_url), outside=mark)
        copying.bring_out(copy)
        sealed += now
        if now < MOST:
            return sealed
