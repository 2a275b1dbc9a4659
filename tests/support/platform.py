"""The whole platform as a newcomer starts it: ``make run`` in a folder of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import requests

from core.embedded.process import find_port

ROOT = Path(__file__).resolve().parents[2]
_READY_WITHIN_SECONDS = 240
_STOPPED_WITHIN_SECONDS = 60


class Platform:
    """A running installation. It can be stopped and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = find_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def credentials_file(self) -> Path:
        return self.folder / "demo" / "credentials.json"

    @property
    def credentials(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.credentials_file.read_text())
        return found

    def start(self) -> None:
        """Start and wait until it serves."""
        with (self.folder.parent / "run.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deploy.run", "--folder", str(self.folder)],
                cwd=ROOT,
                env={**_without_outside_servers(), "PORT": str(self.port)},
                stdout=log,
                stderr=log,
            )
        gives_up_at = time.monotonic() + _READY_WITHIN_SECONDS
        while not self._is_ready():
            assert self._process.poll() is None, (self.folder.parent / "run.log").read_text()
            assert time.monotonic() < gives_up_at, "not ready in time"
            time.sleep(0.2)

    def list_listening(self) -> set[tuple[str, int]]:
        """Addresses and ports at which its processes take connections."""
        assert self._process is not None
        family = [above := psutil.Process(self._process.pid), *above.children(recursive=True)]
        found: set[tuple[str, int]] = set()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                sockets = process.net_connections(kind="inet")
                found |= {(one.laddr.ip, one.laddr.port) for one in sockets if one.status == psutil.CONN_LISTEN}
        return found

    def stop(self) -> int:
        """Ctrl-C; returns the exit code. Nothing that it started may be left."""
        assert self._process is not None
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.send_signal(signal.SIGINT)
        code = self._process.wait(_STOPPED_WITHIN_SECONDS)
        _, alive = psutil.wait_procs(family, timeout=_STOPPED_WITHIN_SECONDS)
        assert alive == [], f"left behind: {alive}"
        self._process = None
        return code

    def kill(self, program: str) -> None:
        """``kill -9`` of one program's main process: server or worker. One that is being started again is awaited."""
        mark = {"server": "deploy.server", "worker": "jobs"}[program]
        assert self._process is not None
        gives_up_at = time.monotonic() + _READY_WITHIN_SECONDS
        while time.monotonic() < gives_up_at:
            for child in psutil.Process(self._process.pid).children():
                with suppress(psutil.NoSuchProcess):
                    if mark in child.cmdline():
                        child.kill()
                        return
            time.sleep(0.2)
        raise AssertionError(f"no {program} runs")

    def run_command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the operator (``flask --app app ...``) in the environment of the running worker."""
        assert self._process is not None
        children = psutil.Process(self._process.pid).children()
        environment = next(child.environ() for child in children if "worker" in child.cmdline())
        command = [sys.executable, "-m", "flask", "--app", "app", *arguments]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)

    def play_demo(self) -> subprocess.Popen[str]:
        """``make demo`` against this installation."""
        return subprocess.Popen(
            [sys.executable, "-m", "simulator.demo"],
            cwd=ROOT,
            env={
                **os.environ,
                "BASE_URL": self.base_url,
                "CREDENTIALS_FILE": str(self.credentials_file),
                "DEMO_QUICK": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _is_ready(self) -> bool:
        try:
            return requests.get(f"{self.base_url}/readyz", timeout=30).status_code == 200
        except requests.RequestException:
            return False


def _without_outside_servers() -> dict[str, str]:
    # The point of this installation is that it brings its own.
    return {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL", "BASE_URL"}}


@contextmanager
def running_platform(folder: Path) -> Iterator[Platform]:
    """An installation for the length of a ``with`` block."""
    platform = Platform(folder)
    try:
        # One that does not come up in time is stopped too.
        platform.start()
        yield platform
    finally:
        if platform._process is not None:
            platform.stop()
