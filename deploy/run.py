"""``make run``: the whole platform and the outside world it talks to, on this machine, until Ctrl-C."""

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.embedded import AlreadyRunning, EmbeddedError, Postgres, Redis, hold_folder
from core.embedded.process import end_processes, find_port, is_free
from deploy import ohif
from deploy.installation import OUTSIDE_WORLD_ONLY, read_or_make_secrets
from deploy.supervisor import (
    FAMILY_VARIABLE,
    Program,
    StartFailed,
    StopRequested,
    Supervisor,
    own_environment,
    python,
)

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 180.0

# Measured best on two cores: two workers, two threads each (a pool of two database connections each).
GRANIAN = ("-m", "granian", "--interface", "wsgi", "--factory", "--workers", "2", "--blocking-threads", "2")
# A worker that is asked to stop while it still starts never hears it: then it is killed after so many seconds.
GRANIAN_LIMITS = (
    "--workers-kill-timeout",
    "5",
    "--respawn-failed-workers",
    "--no-access-log",
    "--no-ws",
    "--http",
    "1",
)
# The simulated WeChat takes messages of any template.
MESSAGE_TEMPLATES = json.dumps(
    {"*": {"template_id": "demo-notices", "data": {"thing1": "title", "thing2": "hospital", "time3": "time"}}}
)
STAFF_PAGE = "/staff/sign-in"


def say(line: str) -> None:
    """One line to the person at the terminal."""
    print(line, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run until asked to stop.

    :return: the exit code: 0 stopped as asked, 1 could not start (the reason has been printed).
    """
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--folder", type=Path, default=ROOT / "var", help="where all data live")
    folder: Path = parser.parse_args(arguments).folder.absolute()
    os.umask(0o077)  # Images, logs and sign-ins that any child writes are for the owner alone.
    supervisor = Supervisor(say)
    supervisor.heed_signals()
    try:
        with hold_folder(folder):
            try:
                run_everything(supervisor, folder)
            finally:
                say("正在停止 … · stopping ...")
                supervisor.stop()
                say("已停止。· stopped.")
    except StopRequested:
        return 0
    except (AlreadyRunning, EmbeddedError, StartFailed) as error:
        print(error, file=sys.stderr, flush=True)
    return 1


def run_everything(supervisor: Supervisor, folder: Path) -> None:
    """Start all in order, say where to look, and keep it running.

    :raises StopRequested: somebody asked to stop.
    :raises StartFailed, EmbeddedError: something does not come up.
    """
    installation = Installation.open(folder)
    end_processes(installation.is_left_over, signal.SIGTERM)
    if not is_free(installation.port):
        raise StartFailed(f"端口 {installation.port} 已被占用 · port {installation.port} is taken: PORT=8001 make run")
    say("正在启动数据库 … · starting the database ...")
    start_storage(supervisor, installation)
    simulator = installation.outside("simulator", "-m", "simulator", *installation.simulator_options())
    supervisor.start(simulator)
    supervisor.wait_until_answering(simulator, f"{installation.simulator_url}/healthz", READY_SECONDS)
    say("正在准备数据 … · preparing the data ...")
    supervisor.run_to_end(installation.outside("city", "-m", "simulator.city"))
    address = ("--host", "127.0.0.1", "--port", str(installation.port))
    server = installation.inside("server", "-m", "deploy.server", *GRANIAN[2:], *GRANIAN_LIMITS, *address)
    supervisor.start(server)
    supervisor.start(installation.inside("worker", "-m", "worker", "jobs", "sealer"))
    supervisor.start(installation.inside("listener", "-m", "worker", "listener", "images"))
    supervisor.wait_until_answering(server, f"http://127.0.0.1:{installation.port}/readyz", READY_SECONDS)
    say("正在放入演示档案 … · putting the demo records in ...")
    supervisor.run_to_end(installation.outside("records", "-m", "simulator.records"))
    for line in describe(installation.url, installation.credentials_file):
        say(line)
    supervisor.watch()


def start_storage(supervisor: Supervisor, installation: "Installation") -> None:
    """PostgreSQL and Redis of our own, unless the environment names others."""
    environment = installation.environment
    if not environment.get("DATABASE_URL"):
        postgres = Postgres(installation.folder)
        supervisor.start(postgres)
        environment["DATABASE_URL"] = postgres.url
    if not environment.get("REDIS_URL"):
        redis = Redis(installation.folder)
        supervisor.start(redis)
        environment["REDIS_URL"] = redis.url


@dataclass
class Installation:
    """One folder's settings: what each process is told."""

    folder: Path
    port: int
    simulator_port: int
    secrets: dict[str, str]
    environment: dict[str, str]

    @classmethod
    def open(cls, folder: Path) -> "Installation":
        """Read the folder's secrets (made at the first start) and the few variables a person may set: PORT, BASE_URL,
        DATABASE_URL, REDIS_URL."""
        secrets = read_or_make_secrets(folder / "demo" / "secrets.json")
        port = int(os.environ.get("PORT") or 8000)
        simulator_port = find_port()
        simulator_url = f"http://127.0.0.1:{simulator_port}"
        metrics = folder / "metrics"
        shutil.rmtree(metrics, ignore_errors=True)
        for private in (metrics, folder / "storage", folder / "simulator"):
            private.mkdir(mode=0o700, exist_ok=True)
        environment = own_environment() | secrets
        environment |= {
            "YIMATONG_PROFILE": "demo",
            "PORT": str(port),
            "BASE_URL": os.environ.get("BASE_URL") or f"http://127.0.0.1:{port}",
            "STORAGE_DIR": str(folder / "storage"),
            "AUDIT_COPY_DIR": os.environ.get("AUDIT_COPY_DIR") or str(folder / "audit-log"),
            "METRICS_DIR": str(metrics),
            "OHIF_DIR": str(ohif.PLACE) if ohif.PLACE.is_dir() else "",
            "WECHAT_BASE_URL": simulator_url,
            "WECHATPAY_BASE_URL": simulator_url,
            "REALNAME_BASE_URL": simulator_url,
            "WECHAT_TEMPLATES": MESSAGE_TEMPLATES,
            "SIMULATOR_BASE_URL": simulator_url,
            "CREDENTIALS_FILE": str(folder / "demo" / "credentials.json"),
        }
        return cls(folder, port, simulator_port, secrets, environment)

    @property
    def url(self) -> str:
        """The platform's public address."""
        return self.environment["BASE_URL"]

    @property
    def simulator_url(self) -> str:
        """The address of the simulated WeChat and WeChat Pay."""
        return self.environment["SIMULATOR_BASE_URL"]

    @property
    def credentials_file(self) -> Path:
        """The demo sign-ins."""
        return Path(self.environment["CREDENTIALS_FILE"])

    def simulator_options(self) -> tuple[str, ...]:
        """The simulator's own command line."""
        return ("--port", str(self.simulator_port), "--state", str(self.folder / "simulator"))

    def is_left_over(self, entry: Path) -> bool:
        """Whether a process was started by an earlier run on this folder."""
        mark = f"{FAMILY_VARIABLE}={self._family}/".encode()
        return any(word.startswith(mark) for word in (entry / "environ").read_bytes().split(b"\0"))

    def inside(self, name: str, *arguments: str) -> Program:
        """A Python program of the platform."""
        kept = {key: value for key, value in self.environment.items() if key not in OUTSIDE_WORLD_ONLY}
        multiprocess = {"PROMETHEUS_MULTIPROC_DIR": kept["METRICS_DIR"]}
        return self._program(name, arguments, {**kept, **multiprocess})

    def outside(self, name: str, *arguments: str) -> Program:
        """A Python program of the simulated outside world; it alone knows that world's secrets."""
        return self._program(name, arguments, dict(self.environment))

    @property
    def _family(self) -> str:
        return self.secrets["INSTALLATION"]

    def _program(self, name: str, arguments: Sequence[str], environment: dict[str, str]) -> Program:
        return Program(name, python(*arguments), environment, ROOT, self.folder / "log", self._family)


def describe(url: str, credentials_file: Path) -> list[str]:
    """What a newcomer needs to know: the pages, who can sign in, and the next command."""
    credentials = json.loads(credentials_file.read_text())
    lines = [
        "",
        f"一码通已就绪 · Yimatong is ready: {url}",
        f"  接口文档 · API          {url}/docs",
        f"  工作人员登录 · staff    {url}{STAFF_PAGE}",
    ]
    for person in credentials.get("staff", []):
        place = person["hospital"] or "平台 platform"
        lines.append(f"    {person['role']} · {place}: {person['username']} / {person['password']}")
    lines += [
        f"  全部演示账号 · all demo sign-ins: {credentials_file}",
        "  另开一个终端看完整故事 · the whole story, in another terminal: make demo",
        "  Ctrl-C 停止 · stops",
        "",
    ]
    return lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
