"""Keeps a list of processes running until it is told to stop, and leaves none behind, however it ends itself."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Protocol
from urllib.parse import urlsplit

from core.embedded.errors import EmbeddedError
from core.embedded.process import end_processes, inherited, read_tail, start_process

POLL_SECONDS = 0.1
STOP_SECONDS = 15.0
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.5, 8.0
SETTLED_SECONDS = 30.0  # Running longer than this, a process has earned a short first delay again.

# Each process and all that it starts inherit this variable: that is how the rest of a killed one's family is found.
FAMILY_VARIABLE = "YIMATONG_FAMILY"


class StartFailed(Exception):
    """Something did not come up; the message has the end of its log."""


class StopRequested(Exception):
    """Somebody pressed Ctrl-C or sent SIGTERM."""


class Service(Protocol):
    """What a supervisor looks after: an embedded server or a ``Program``."""

    @property
    def name(self) -> str:
        """One word for people and for the log file."""

    @property
    def is_running(self) -> bool:
        """Whether its main process lives."""

    def start(self) -> object:
        """Start it, and return when it runs."""

    def stop(self) -> None:
        """Stop it, and return when nothing of it is left."""


@dataclass
class Program:
    """One command and the processes that it starts in turn."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(repr=False)
    folder: Path
    logs: Path
    family: str
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        """Where its output goes."""
        return self.logs / f"{self.name}.log"

    @property
    def is_running(self) -> bool:
        """Whether the command itself lives; what it started may outlive it."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """Of the command, once started."""
        return self._process.pid if self._process else None

    @property
    def exit_code(self) -> int | None:
        """Of the command, once ended; negative: the signal that ended it."""
        return self._process.poll() if self._process else None

    def start(self) -> None:
        """End what is left of an earlier run (a server's workers keep its port), then start anew."""
        end_processes(inherited(f"{FAMILY_VARIABLE}={self._mark}"))
        self._process = start_process(
            self.command,
            log=self.log,
            folder=self.folder,
            environment={**self.environment, FAMILY_VARIABLE: self._mark},
        )

    def stop(self) -> None:
        """Ask the command to end, wait, and end by force what is left of its family."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        end_processes(inherited(f"{FAMILY_VARIABLE}={self._mark}"))
        if self._process:
            self._process.wait()

    def describe_log(self) -> str:
        """Where its log is and what it says last, for an error message."""
        return f"{self.log} ends with:\n{read_tail(self.log, 20)}"

    @property
    def _mark(self) -> str:
        return f"{self.family}/{self.name}"


class Supervisor:
    """Starts services in order, restarts those that die, stops them in reverse order. Single-threaded on purpose:
    the kernel ends each child with the thread that started it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._services: list[Service] = []
        self._started_at: dict[str, float] = {}
        self._restart_at: dict[str, float] = {}
        self._delays: dict[str, float] = {}
        self._is_stopping = False

    def heed_signals(self) -> None:
        """From now on Ctrl-C, SIGTERM and a closed terminal ask for an orderly stop."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._request_stop)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # Ignored: somebody said nohup.
            signal.signal(signal.SIGHUP, self._request_stop)

    def start(self, service: Service) -> None:
        """Start a service and look after it from now on.

        :raises EmbeddedError: an embedded server does not come up.
        :raises StopRequested: somebody asked to stop.
        """
        self._check_wanted()
        self._services.append(service)
        self._started_at[service.name] = time.monotonic()
        service.start()

    def run_to_end(self, program: Program) -> None:
        """Run a command that ends by itself, such as the migrations.

        :raises StartFailed: it ended with an error.
        :raises StopRequested: somebody asked to stop; the command has been stopped.
        """
        self._check_wanted()
        try:
            program.start()
            while program.is_running:
                self._pause()
        finally:
            program.stop()
        if program.exit_code != 0:
            raise StartFailed(f"{program.name} failed ({program.exit_code}); {program.describe_log()}")

    def wait_until_answering(self, program: Program, url: str, timeout_seconds: float) -> None:
        """Wait until ``url`` answers 200, restarting what dies meanwhile.

        :raises StartFailed: it did not in time.
        :raises StopRequested: somebody asked to stop.
        """
        deadline = time.monotonic() + timeout_seconds
        while not answers(url):
            if time.monotonic() > deadline:
                late = f"{url} did not answer within {timeout_seconds:.0f} s"
                raise StartFailed(f"{late}; {program.describe_log()}")
            self.restart_dead()
            self._pause()

    def watch(self) -> None:
        """Restart what dies until somebody asks to stop.

        :raises StopRequested: always, in the end.
        """
        while True:
            self.restart_dead()
            self._pause()

    def restart_dead(self) -> None:
        """Look once at every service: say which have died, and start those again whose pause is over."""
        now = time.monotonic()
        for service in self._services:
            name = service.name
            if service.is_running:
                continue
            if name not in self._restart_at:
                has_settled = now - self._started_at[name] > SETTLED_SECONDS
                delay = FIRST_DELAY_SECONDS if has_settled else self._delays.get(name, FIRST_DELAY_SECONDS)
                self._delays[name] = min(delay * 2, LONGEST_DELAY_SECONDS)
                self._restart_at[name] = now + delay
                self._say(f"{name} 已退出，{delay:g} 秒后重启 · {name} has ended, starting it again in {delay:g} s")
            elif now >= self._restart_at[name]:
                del self._restart_at[name]
                self._started_at[name] = now
                self._start_again(service)

    def stop(self) -> None:
        """Stop everything, the last started first. Further requests to stop change nothing."""
        self._is_stopping = True
        for service in reversed(self._services):
            service.stop()
        self._services.clear()

    def _request_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._is_stopping = True

    def _check_wanted(self) -> None:
        if self._is_stopping:
            raise StopRequested

    def _pause(self) -> None:
        self._check_wanted()
        time.sleep(POLL_SECONDS)
        self._check_wanted()

    def _start_again(self, service: Service) -> None:
        try:
            service.start()
        except EmbeddedError as error:
            self._say(f"{service.name}: {error}")


def answers(url: str) -> bool:
    """Whether an HTTP GET of a local address is answered with 200 (asked directly, whatever proxy is configured)."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=2)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def own_environment() -> dict[str, str]:
    """What a child gets of ours: all, but output unbuffered, so that its log is complete when it is killed."""
    return {**os.environ, "PYTHONUNBUFFERED": "1"}


def python(*arguments: str) -> list[str]:
    """A command that runs the interpreter we run on."""
    return [sys.executable, *arguments]
