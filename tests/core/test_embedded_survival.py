"""The embedded servers when something is killed: nothing is left behind, nothing acknowledged is lost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from core import embedded
from core.embedded.process import find_processes, is_alive, runs

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 60

# Starts both servers, says their ids and addresses, then waits to be killed.
OWNER = """
import json, sys, time
from pathlib import Path
from typing import Any
from core import embedded
folder = Path(sys.argv[1])
with embedded.hold_folder(folder):
    servers = embedded.Postgres(folder), embedded.Redis(folder)
    urls = [server.start() for server in servers]
    print(json.dumps({"ids": [server.process_id for server in servers], "urls": urls}), flush=True)
    time.sleep(600)
"""


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS} s: {what}"
        time.sleep(0.05)


def write_row(database_url: str, number: int) -> None:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (number int)")
        connection.execute("INSERT INTO kept VALUES (%s)", [number])


def read_rows(database_url: str) -> list[int]:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        return [row[0] for row in connection.execute("SELECT number FROM kept ORDER BY number")]


@contextmanager
def owned(folder: Path) -> Iterator[tuple["subprocess.Popen[bytes]", dict[str, Any]]]:
    """Servers of a process of their own, which is gone in the end: who waits for one that goes on waits for ever."""
    with subprocess.Popen([sys.executable, "-c", OWNER, str(folder)], cwd=ROOT, stdout=subprocess.PIPE) as owner:
        try:
            assert owner.stdout is not None
            yield owner, json.loads(owner.stdout.readline())
        finally:
            owner.kill()


@pytest.mark.parametrize("kills_servers_too", [False, True], ids=["owner", "owner and servers"])
def test_kill_9_leaves_nothing_behind_and_loses_nothing(tmp_path: Path, kills_servers_too: bool) -> None:
    folder = tmp_path / "var"
    with owned(folder) as (owner, started):
        write_row(started["urls"][0], 1)
        for process_id in started["ids"] if kills_servers_too else ():
            os.kill(process_id, signal.SIGKILL)
        owner.kill()
    wait_until(lambda: not any(map(is_alive, started["ids"])), "the servers end with their owner")
    with embedded.servers(folder) as (database_url, redis_url):
        assert [database_url, redis_url] == started["urls"]
        assert read_rows(database_url) == [1]


def test_starting_at_once_after_a_kill_waits_for_the_predecessor(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    with owned(folder) as (owner, started):
        # An open transaction, and a server that is slow to hear: both outlive the owner.
        with psycopg.connect(started["urls"][0].replace("+psycopg", "")) as connection:
            connection.execute("CREATE TABLE never_committed ()")
            os.kill(started["ids"][0], signal.SIGSTOP)
            owner.kill()
            owner.wait()
            os.kill(started["ids"][0], signal.SIGCONT)
            with embedded.servers(folder) as (database_url, _):
                assert database_url == started["urls"][0]
            with pytest.raises(psycopg.OperationalError):
                connection.execute("SELECT 1")
            connection.close()


def test_a_server_that_nobody_looks_after_is_replaced(tmp_path: Path) -> None:
    abandoned = embedded.Postgres(tmp_path, durable=False), embedded.Redis(tmp_path, durable=False)
    urls = [server.start() for server in abandoned]
    write_row(urls[0], 1)
    with embedded.servers(tmp_path, durable=False) as (database_url, _):
        assert [server.is_running for server in abandoned] == [False, False]
        assert read_rows(database_url) == [1]


@pytest.mark.parametrize("kind", [embedded.Postgres, embedded.Redis])
def test_a_killed_server_is_started_again_at_the_same_address(
    tmp_path: Path, kind: type[embedded.Postgres] | type[embedded.Redis]
) -> None:
    server = kind(tmp_path)
    try:
        url = server.start()
        assert server.process_id is not None
        os.kill(server.process_id, signal.SIGKILL)
        wait_until(lambda: not server.is_running, "the server ends")
        assert server.start() == url
    finally:
        server.stop()


def test_a_pid_file_that_names_another_program_is_forgotten(tmp_path: Path) -> None:
    with embedded.servers(tmp_path / "var", durable=False):
        pass
    pid_file = tmp_path / "var" / "pg" / "data" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{pid_file.parent}\n")
    with embedded.servers(tmp_path / "var", durable=False) as (database_url, _):
        write_row(database_url, 1)


def test_a_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / "var" / "pg" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with embedded.servers(tmp_path / "var", durable=False) as (database_url, _):
        write_row(database_url, 1)


def test_a_clean_stop_leaves_no_process(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    ours = runs("postgres", str(folder / "pg" / "data")), runs("valkey-server", str(folder / "redis" / "redis.conf"))
    with embedded.servers(folder, durable=False):
        assert [len(find_processes(is_ours)) for is_ours in ours] == [1, 1]
    assert [find_processes(is_ours) for is_ours in ours] == [[], []]
    assert "database system is shut down" in (folder / "log" / "postgres.log").read_text()
