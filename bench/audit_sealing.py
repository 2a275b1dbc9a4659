"""Sealing the audit trail: rows get places, hashes and a signature; beside it a bare COPY of as many leaves."""

import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from app import create_app
from bench.harness import Figure, Machines, Round, Settings, alternate, machines
from core import audit, db
from core.actor import SYSTEM
from core.config import read_config
from core.ids import new_id
from core.sealing.sealer import seal_all

# What four seconds bring at the 2,000 reads a second that the sealer has to keep up with; one signature holds them.
ROWS = 8000
_FACTS = {"items": 20}


def measure(settings: Settings) -> list[Figure]:
    """Each round seals as many rows, which were written before it, and brings the copy outside up to them."""
    with tempfile.TemporaryDirectory(prefix="yimatong-bench-") as name, machines(Path(name) / "servers") as running:
        address = running.product_url.replace("+psycopg", "", 1)
        with (
            create_app(read_config(running.environment)).app_context(),
            psycopg.connect(address, autocommit=True) as bare,
        ):
            bare.execute("CREATE TABLE bare_leaves (LIKE audit_leaves INCLUDING ALL)")
            _write_acts(ROWS)
            seal_all()
            try:
                contenders = {"seal": lambda: _seal(running), "COPY of leaves": lambda: _copy(running, bare)}
                return alternate("audit_sealing", contenders, settings.rounds)
            finally:
                db.orm.session.remove()
                db.orm.engine.dispose()


def _write_acts(count: int) -> None:
    reads = (("records.timeline.read", new_id(), ("visit", new_id())) for _ in range(count))
    with db.transaction() as session:
        audit.record_acts(session, SYSTEM, reads, facts=_FACTS)


def _seal(running: Machines) -> Round:
    _write_acts(ROWS)
    return _spend(running, seal_all)


def _copy(running: Machines, bare: "psycopg.Connection[tuple[object, ...]]") -> Round:
    lines = [(index, new_id(), secrets.token_bytes(16), secrets.token_bytes(32)) for index in range(ROWS)]
    bare.execute("TRUNCATE bare_leaves")

    def write() -> int:
        with bare.cursor() as cursor, cursor.copy("COPY bare_leaves FROM STDIN") as copy:
            for line in lines:
                copy.write_row(line)
        return len(lines)

    return _spend(running, write)


def _spend(running: Machines, act: Callable[[], int]) -> Round:
    database, own, started = running.database_cpu_seconds(), time.process_time(), time.perf_counter()
    done = act()
    if done != ROWS:
        raise RuntimeError(f"{done} rows were written, not {ROWS}")
    seconds, own = time.perf_counter() - started, time.process_time() - own
    database = running.database_cpu_seconds() - database
    return {
        "per_second": done / seconds,
        "python_cpu_us": own * 1_000_000 / done,
        "database_cpu_us": database * 1_000_000 / done,
    }
