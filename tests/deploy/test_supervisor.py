"""The supervisor of ``make run``: it restarts what dies, says so, and leaves no process behind."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from core.embedded.process import find_port, find_processes, is_free
from deploy.supervisor import (
    FAMILY_VARIABLE,
    Program,
    StartFailed,
    StopRequested,
    Supervisor,
    answers,
    own_environment,
    python,
)

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_SECONDS = 60

# A server whose worker, a process of its own, holds the port: as Granian's do.
SERVER = """
import subprocess, sys, time
worker = "import http.server as h, sys; h.test(h.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind='127.0.0.1')"
subprocess.Popen([sys.executable, "-c", worker, sys.argv[1]], start_new_session=True)
time.sleep(600)
"""

# What deploy/run.py does, with the programs that a test names.
RUN = """
import json, sys
from pathlib import Path
from core import embedded
from deploy.supervisor import Program, StopRequested, Supervisor, own_environment, python
folder, family, programs = Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3])
supervisor = Supervisor(lambda line: print(line, flush=True))
supervisor.heed_signals()
try:
    with embedded.hold_folder(folder):
        try:
            supervisor.start(embedded.Redis(folder, durable=False))
            for name, arguments in programs.items():
                supervisor.start(Program(name, python(*arguments), own_environment(), folder, folder, family))
            print("running", flush=True)
            supervisor.watch()
        finally:
            supervisor.stop()
except StopRequested:
    print("stopped", flush=True)
"""


@pytest.fixture
def family() -> str:
    return secrets.token_hex(8)


def family_of(name: str) -> Callable[[], list[int]]:
    mark = f"{FAMILY_VARIABLE}={name}/".encode()
    return lambda: find_processes(lambda entry: mark in (entry / "environ").read_bytes())


def mentions(folder: Path) -> Callable[[Path], bool]:
    return lambda entry: str(folder).encode() in (entry / "cmdline").read_bytes()


@contextmanager
def running(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """RUN as a process that is gone in the end: whoever waits for one that goes on, waits for ever."""
    command = [sys.executable, "-c", RUN, *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as run:
        try:
            assert run.stdout is not None
            assert run.stdout.readline() == "running\n"
            yield run
        finally:
            run.kill()


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS} s: {what}"
        time.sleep(0.05)


def restart_until(supervisor: Supervisor, is_so: Callable[[], bool], what: str) -> None:
    def look() -> bool:
        supervisor.restart_dead()
        return is_so()

    wait_until(look, what)


def in_session(session_id: int) -> list[int]:
    """Living processes of a session."""

    def is_member(entry: Path) -> bool:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
        return fields[0] != "Z" and int(fields[3]) == session_id

    return find_processes(is_member)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(said: list[str]) -> Iterator[Supervisor]:
    made = Supervisor(said.append)
    yield made
    made.stop()


def program(name: str, folder: Path, family: str, *arguments: str) -> Program:
    return Program(name, python(*arguments), own_environment(), folder, folder, family)


def test_a_killed_server_takes_its_orphans_along_and_comes_back(
    supervisor: Supervisor, said: list[str], tmp_path: Path, family: str
) -> None:
    port = find_port()
    server = program("server", tmp_path, family, "-c", SERVER, str(port))
    supervisor.start(server)
    supervisor.wait_until_answering(server, f"http://127.0.0.1:{port}/", DEADLINE_SECONDS)
    first = family_of(family)()
    assert len(first) == 2
    assert server.process_id is not None
    os.kill(server.process_id, signal.SIGKILL)
    wait_until(lambda: not server.is_running, "the server has been killed")
    assert answers(f"http://127.0.0.1:{port}/"), "the orphan still holds the port"
    restart_until(supervisor, lambda: server.is_running, "the server is started again")
    supervisor.wait_until_answering(server, f"http://127.0.0.1:{port}/", DEADLINE_SECONDS)
    assert not set(first) & set(family_of(family)())
    assert [line for line in said if line.startswith("server ")] == [
        "server 已退出，0.5 秒后重启 · server has ended, starting it again in 0.5 s"
    ]
    supervisor.stop()
    assert family_of(family)() == []
    assert is_free(port)


def test_the_pause_before_a_restart_grows(supervisor: Supervisor, said: list[str], tmp_path: Path, family: str) -> None:
    supervisor.start(program("broken", tmp_path, family, "-c", "pass"))
    restart_until(supervisor, lambda: len(said) == 3, "it has died three times")
    assert [line.rpartition(" in ")[2] for line in said] == ["0.5 s", "1 s", "2 s"]


def test_a_command_that_fails_is_quoted(supervisor: Supervisor, tmp_path: Path, family: str) -> None:
    failing = program("migrate", tmp_path, family, "-c", "print('no such table'); raise SystemExit(3)")
    with pytest.raises(StartFailed, match=r"(?s)migrate failed \(3\);.*migrate\.log ends with:\nno such table"):
        supervisor.run_to_end(failing)


def test_a_command_that_ends_well_leaves_nothing(supervisor: Supervisor, tmp_path: Path, family: str) -> None:
    start = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    supervisor.run_to_end(program("prepare", tmp_path, family, "-c", start))
    assert family_of(family)() == []


def test_a_server_that_never_answers_is_quoted(supervisor: Supervisor, tmp_path: Path, family: str) -> None:
    silent = program("server", tmp_path, family, "-c", "import time; print('hm', flush=True); time.sleep(600)")
    supervisor.start(silent)
    wait_until(lambda: silent.log.read_text() == "hm\n", "it has written its line")
    with pytest.raises(StartFailed, match=r"(?s)did not answer within 0 s;.*hm"):
        supervisor.wait_until_answering(silent, f"http://127.0.0.1:{find_port()}/readyz", 0)


def test_only_200_is_an_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert not answers(f"http://127.0.0.1:{port}/readyz")


def test_nothing_is_started_after_a_stop(supervisor: Supervisor, tmp_path: Path, family: str) -> None:
    supervisor.stop()
    with pytest.raises(StopRequested):
        supervisor.start(program("late", tmp_path, family, "-c", "pass"))
    assert family_of(family)() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_request_to_stop_leaves_no_process(tmp_path: Path, family: str, number: signal.Signals) -> None:
    port = find_port()
    programs = {"server": ["-c", SERVER, str(port)], "worker": ["-c", "import time; time.sleep(600)"]}
    with running(str(tmp_path / "var"), family, json.dumps(programs)) as run:
        assert run.stdout is not None
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/"), "the server answers")
        # One that was only just started does not show yet whose it is.
        wait_until(lambda: len(family_of(family)()) == 3, "the worker runs")
        children = family_of(family)()
        sessions = [run.pid, *children]
        run.send_signal(number)
        assert run.stdout.read() == "stopped\n"
        assert run.wait() == 0
    assert [in_session(session) for session in sessions] == [[]] * 4
    assert family_of(family)() == []
    assert find_processes(mentions(tmp_path)) == []


def test_a_killed_supervisor_takes_its_children_along(tmp_path: Path, family: str) -> None:
    programs = {"worker": ["-c", "import time; time.sleep(600)"]}
    with running(str(tmp_path / "var"), family, json.dumps(programs)) as run:
        wait_until(lambda: len(family_of(family)()) == 1, "the worker runs")
        run.kill()
    wait_until(lambda: family_of(family)() == [], "the worker ends")
    wait_until(lambda: find_processes(mentions(tmp_path)) == [], "Redis ends")
