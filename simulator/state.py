"""What the simulator remembers: one SQLite file, written before any answer leaves, so that a kill forgets nothing."""

import fcntl
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS people (openid TEXT PRIMARY KEY, unionid TEXT);
CREATE TABLE IF NOT EXISTS codes (
    code TEXT PRIMARY KEY, openid TEXT NOT NULL, minted_at REAL NOT NULL, used_at REAL);
CREATE TABLE IF NOT EXISTS phones (wx_code TEXT PRIMARY KEY, openid TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS logins (openid TEXT NOT NULL, at REAL NOT NULL);
CREATE INDEX IF NOT EXISTS logins_by_person ON logins (openid, at);
CREATE TABLE IF NOT EXISTS access_tokens (token TEXT PRIMARY KEY, expires_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS acceptances (
    openid TEXT NOT NULL, template_id TEXT NOT NULL, remaining INTEGER NOT NULL, PRIMARY KEY (openid, template_id));
CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY AUTOINCREMENT, openid TEXT NOT NULL, template_id TEXT NOT NULL, data TEXT NOT NULL,
    sent_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS disagreements (number TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS proofs (
    token TEXT PRIMARY KEY, method TEXT NOT NULL, identity TEXT NOT NULL, made_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS nonces (nonce TEXT PRIMARY KEY, seen_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    out_trade_no TEXT PRIMARY KEY, parameters TEXT NOT NULL, openid TEXT NOT NULL,
    amount_fen INTEGER NOT NULL CHECK (amount_fen > 0), notify_url TEXT NOT NULL,
    created_at REAL NOT NULL, expires_at REAL NOT NULL, closed_at REAL);
CREATE TABLE IF NOT EXISTS prepays (
    prepay_id TEXT PRIMARY KEY, out_trade_no TEXT NOT NULL REFERENCES orders, issued_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS charges (
    transaction_id TEXT PRIMARY KEY, out_trade_no TEXT NOT NULL UNIQUE REFERENCES orders,
    openid TEXT NOT NULL, amount_fen INTEGER NOT NULL, paid_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    out_trade_no TEXT NOT NULL, operation TEXT NOT NULL, at REAL NOT NULL,
    status INTEGER NOT NULL, code TEXT, fault TEXT);
CREATE INDEX IF NOT EXISTS calls_by_order ON calls (out_trade_no);
CREATE TABLE IF NOT EXISTS notifications (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, out_trade_no TEXT NOT NULL REFERENCES orders,
    kind TEXT NOT NULL, body BLOB NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    due_at REAL, waits_for INTEGER REFERENCES notifications);
CREATE INDEX IF NOT EXISTS notifications_due ON notifications (due_at) WHERE due_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS deliveries (
    notification INTEGER NOT NULL REFERENCES notifications, attempt INTEGER NOT NULL, at REAL NOT NULL,
    status INTEGER, answer TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults (
    number INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL, fault TEXT NOT NULL,
    remaining INTEGER NOT NULL, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS clock (only INTEGER PRIMARY KEY CHECK (only = 1), ahead_seconds REAL NOT NULL);
INSERT OR IGNORE INTO clock VALUES (1, 0);
"""


class AlreadyRunning(Exception):
    """Another simulator holds this folder: two of them would send every notification twice."""


class State:
    """The only door to the file. One connection, one writer at a time; transactions do not nest."""

    def __init__(self, folder: Path) -> None:
        """Open or create the state in ``folder``.

        :raises AlreadyRunning: another process uses the same folder.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_file = (folder / "simulator.lock").open("w")
        try:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock_file.close()
            raise AlreadyRunning(f"another simulator uses {folder}") from None
        self._mutex = threading.Lock()
        self._connection = sqlite3.connect(folder / "simulator.sqlite3", isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(_SCHEMA)
        self._ahead_seconds = float(self._connection.execute("SELECT ahead_seconds FROM clock").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing; on disk when the block ends."""
        with self._mutex:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def now(self) -> float:
        """The simulator's clock in Unix seconds: real time plus what tests advanced. Signatures use real time."""
        return time.time() + self._ahead_seconds

    def advance_clock(self, seconds: float) -> float:
        """Let codes, orders and retries grow older by ``seconds``; returns the new time."""
        with self.transaction() as db:
            db.execute("UPDATE clock SET ahead_seconds = ahead_seconds + ?", (seconds,))
            self._ahead_seconds = float(db.execute("SELECT ahead_seconds FROM clock").fetchone()[0])
        return self.now()

    def close(self) -> None:
        """Close the file and let go of the folder."""
        with self._mutex:
            self._connection.close()
        self._lock_file.close()


def as_text(moment: float | None) -> str | None:
    """Unix seconds as RFC 3339 in UTC."""
    return None if moment is None else datetime.fromtimestamp(moment, UTC).isoformat()
