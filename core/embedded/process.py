"""One server process and its folder: lock, port, start, stop, and what a killed predecessor left running."""

import fcntl
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from core.embedded.account import Account
from core.embedded.errors import AlreadyRunning, EmbeddedError

STOP_SECONDS = 30.0
POLL_SECONDS = 0.02
LOG_LIMIT_BYTES = 10 * 1024 * 1024

# Below Linux's range for outgoing connections, so that no client of ours takes a stopped server's port.
FIRST_PORT, LAST_PORT = 20_000, 29_999


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Be the only one who runs servers in ``folder``; the kernel lets go when we end, however we end.

    :raises AlreadyRunning: somebody else holds it.
    """
    make_folder(folder)
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"already running in {folder} (process {lock.read().strip() or 'unknown'})") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def make_folder(folder: Path) -> None:
    """Make the folder and what is missing above it; folders that exist keep their modes."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        folder.chmod(0o711)  # The servers' account passes through to its own folder and sees nothing else.


def load_settings(path: Path) -> dict[str, str]:
    """Passwords and port of an earlier start, or nothing."""
    if not path.exists():
        return {}
    settings: dict[str, str] = json.loads(path.read_text())
    return settings


def save_settings(path: Path, settings: dict[str, str]) -> None:
    """Replace the file in one step, readable for its owner only."""
    fresh = path.with_suffix(".new")
    Account().own_file(fresh, json.dumps(settings, indent=1))
    fresh.replace(path)


def is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1 at this port now."""
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def find_port(preferred: int | None = None) -> int:
    """A port nobody listens on, the preferred one if it is free.

    :raises EmbeddedError: none was found.
    """
    if preferred is not None and is_free(preferred):
        return preferred
    for _ in range(200):
        port = FIRST_PORT + secrets.randbelow(LAST_PORT - FIRST_PORT + 1)
        if is_free(port):
            return port
    raise EmbeddedError(f"no free port between {FIRST_PORT} and {LAST_PORT} on 127.0.0.1")


def start_process(
    command: Sequence[str],
    *,
    log: Path,
    folder: Path,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    death_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own; it gets ``death_signal`` when the calling thread ends.

    :param command: an absolute path and its arguments.
    :param folder: where it runs.
    :raises EmbeddedError: not on Linux, or not called from the main thread.
    """
    if sys.platform != "linux":
        raise EmbeddedError("the embedded servers need Linux: set DATABASE_URL and REDIS_URL to servers of your own")
    if threading.current_thread() is not threading.main_thread():
        raise EmbeddedError("start servers from the main thread: they end with the thread that starts them")
    with open_log(log) as stream:
        return subprocess.Popen(
            [*(account or Account()).launcher(), f"--death-signal={int(death_signal)}", "--", *command],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd=folder,
            env=server_environment() if environment is None else environment,
            start_new_session=True,
        )


def server_environment() -> dict[str, str]:
    """A plain environment: nothing of the caller's (PGDATA, LD_PRELOAD, language) may change what the servers do."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


@contextmanager
def open_log(log: Path) -> Iterator[int]:
    """Append to a log file; a long one is put aside first, one generation is kept."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(".log.1"))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_tail(log: Path, lines: int = 8) -> str:
    """The last lines of a log, for an error message."""
    with suppress(OSError):
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    return ""


def stop_server(process: subprocess.Popen[bytes], *signals: signal.Signals) -> None:
    """Ask an own child to end, by each signal in turn and last by SIGKILL, and wait for it."""
    for number in (*signals, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            return


def find_processes(is_wanted: Callable[[Path], bool]) -> list[int]:
    """Ids of the living processes whose folder in ``/proc`` the caller recognises."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with suppress(OSError):  # It has ended in between, or is somebody else's.
                if is_wanted(entry):
                    found.append(int(entry.name))
    return found


def runs(program: str, argument: str) -> Callable[[Path], bool]:
    """Recognise a process that runs ``program`` (a file name) with ``argument`` among its arguments."""

    def is_wanted(entry: Path) -> bool:
        words = (entry / "cmdline").read_bytes().split(b"\0")
        return Path(os.fsdecode(words[0])).name == program and os.fsencode(argument) in words[1:]

    return is_wanted


def inherited(variable: str) -> Callable[[Path], bool]:
    """Recognise a process that was started with this ``NAME=value`` in its environment, however indirectly."""
    return lambda entry: variable.encode() in (entry / "environ").read_bytes().split(b"\0")


def end_processes(is_wanted: Callable[[Path], bool], *signals: signal.Signals) -> int:
    """End processes that are not our own children (a killed predecessor's), politely first, and wait.

    Call only while holding the folder they belong to: then nobody but a predecessor can have started them.

    :param signals: tried in turn, ``STOP_SECONDS`` each; last comes SIGKILL.
    :return: how many there were.
    """
    asked: set[int] = set()
    for number in (*signals, signal.SIGKILL):
        for process_id in find_processes(is_wanted):
            asked.add(process_id)
            with suppress(ProcessLookupError):
                os.kill(process_id, number)
        deadline = time.monotonic() + STOP_SECONDS
        while (any(map(is_alive, asked)) or find_processes(is_wanted)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
    return len(asked)


def is_alive(process_id: int) -> bool:
    """Whether a process still holds anything: its ports are closed later than its memory, which names it, is gone."""
    try:
        state = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in {"Z", "X"}
