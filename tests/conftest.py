"""Real servers for every test: embedded ones, or outside ones through DATABASE_URL and REDIS_URL."""

import gc
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from limits.storage import RedisStorage
from sqlalchemy import Connection, Engine, QueuePool, create_engine, make_url, text

from accounts import wechat
from accounts.service import staff
from app import create_app
from consent.links import passcodes
from core import clock, db, embedded, keys, limits
from core.config import Config, read_config
from deploy import ohif
from health_card.batches import jobs as batches
from health_card.confirmation.service import pins
from health_card.realname import source
from payments import wechatpay
from records.exports import jobs as exports
from records.pacs import jobs as pacs
from records.quarantine import jobs as quarantine
from records.uploads import jobs as uploads
from tests.support.city import City
from tests.support.savepoints import begin_savepoint, keep_statements, send
from tests.support.settings import random_environment
from tests.support.watching import Watch, watch

# What a test marked ``system(name)`` needs, and where it stands on Debian (or where ``.ci/run`` puts it).
SYSTEM_PROGRAMS = {
    "chromium": "/usr/bin/chromium-headless-shell",
    "orthanc": "/usr/share/orthanc/plugins/libOrthancDicomWeb.so",
    "ohif": str(ohif.PLACE / "index.html"),
    "dcmtk": "/usr/bin/storescu",
    "log-verifier": str(
        Path(__file__).parent / "conformance" / "log_verifier" / "node_modules" / "@sigstore" / "verify"
    ),
    "fhir-validator": str(Path(__file__).parent / "conformance" / "validator" / "node_modules" / "@medplum" / "core"),
    "health-link-reader": str(
        Path(__file__).parent / "conformance" / "health_links" / "node_modules" / "kill-the-clipboard"
    ),
}

# The same examples every time: what is red here was made red by a change. FUZZ_EXAMPLES asks for others. How long it
# takes to make them is the machine's affair.
settings.register_profile(
    "suite", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
if "FUZZ_EXAMPLES" not in os.environ:
    settings.load_profile("suite")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a system package that is missing, and say so; where all must run, fail instead."""
    for marker in item.iter_markers("system"):
        name = str(marker.args[0])
        if Path(SYSTEM_PROGRAMS.get(name, name)).exists() or shutil.which(name):
            continue
        reason = f"{name} is not installed"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(f"{reason}, and REQUIRE_ALL=1", pytrace=False)
        pytest.skip(reason)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes comes first, so that it does not run alone at the end.

    Files whose tests really commit come last: what they leave behind is seen by no test that counts rows.
    """
    slow = {
        item.path
        for item in items
        if "platform" in getattr(item, "fixturenames", ()) or item.path.stem.endswith("_fuzz")
    }
    committing = {
        item.path for item in items if {"committing_app", "market_app"} & set(getattr(item, "fixturenames", ()))
    }
    items.sort(key=lambda item: (item.path not in slow, item.path in committing))


def pytest_collection_finish() -> None:
    """What was made until now stays: the collector need not look at it any more, nor after every 700th object."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000)


@pytest.fixture(scope="module", autouse=True)
def _collect_after_module() -> Iterator[None]:
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _collect_after_test() -> Iterator[None]:
    """What a test leaves unclosed is found at its own end, not in whichever test the collector comes by later."""
    yield
    gc.collect(1)


@pytest.fixture(autouse=True)
def _everything_seen_is_in_the_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test shows anybody's records without an access row, whatever it is about (``tests.support.watching``)."""
    yield
    if "migrated_app" not in request.fixturenames or request.node.get_closest_marker("prove"):
        return
    watching: Watch = request.getfixturevalue("migrated_app").extensions["tests.watch"]
    unlogged, watching.unlogged = watching.unlogged, []
    assert unlogged == []


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """A folder of this test run."""
    with tempfile.TemporaryDirectory(prefix="yimatong-test-") as name:
        yield Path(name)


@pytest.fixture(scope="session")
def server_urls(folder: Path) -> Iterator[tuple[str, str]]:
    """Addresses of PostgreSQL and Redis, with a database of this run's own."""
    given = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    if given[0] and given[1]:
        yield from _database_on(given[0], given[1])
        return
    with embedded.servers(folder / "servers", durable=False) as urls:
        yield from _database_on(*urls)


def _database_on(database_url: str, redis_url: str) -> Iterator[tuple[str, str]]:
    name = f"test_{secrets.token_hex(6)}"
    address = make_url(database_url).set(drivername="postgresql+psycopg")
    administrator = create_engine(address, isolation_level="AUTOCOMMIT")
    with administrator.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield address.set(database=name).render_as_string(hide_password=False), redis_url
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    administrator.dispose()


@pytest.fixture(scope="session")
def environment(server_urls: tuple[str, str], folder: Path) -> dict[str, str]:
    """The environment that a process of the platform would be started with."""
    return random_environment(*server_urls, folder)


@pytest.fixture(scope="session")
def config(environment: dict[str, str]) -> Config:
    return read_config(environment)


@pytest.fixture(scope="session", autouse=True)
def _cheap_passwords() -> None:
    staff.HASHING = pins.HASHING = passcodes.HASHING = "pbkdf2:sha256:1"


@pytest.fixture(scope="session", autouse=True)
def _patience() -> None:
    """On a busy machine a Redis or a simulator that is well answers late, too; some tests shorten this again."""
    limits.TIMEOUT_SECONDS = wechat._REDIS_TIMEOUT_SECONDS = 60.0
    wechat._TIMEOUT_SECONDS = wechatpay._TIMEOUT_SECONDS = (60.0, 60)
    source._TIMEOUT_SECONDS = (60.0, 60.0)
    # However long a job takes, it does all in one go.
    batches.SLICE = batches.NAMES_SLICE = exports.SLICE = uploads.SLICE = quarantine.SLICE = timedelta(hours=1)
    pacs._WORK = timedelta(hours=1)


@pytest.fixture(scope="session")
def migrated_app(config: Config) -> Iterator[Flask]:
    """The application on a database whose schema the migrations made, with its keys."""
    app = create_app(config)
    app.extensions["tests.watch"] = watch(app)
    with app.app_context():
        keep_statements(db.orm.engine)
        pool = db.orm.engine.pool
        assert isinstance(pool, QueuePool)
        # Races wait for each other's connections; on a busy machine longer than half a minute.
        pool._timeout = 300.0
        app.test_cli_runner().invoke(args=["prepare"], catch_exceptions=False)
        keys.forget_rings()
        db.orm.session.configure(join_transaction_mode="create_savepoint")
        yield app
        db.orm.engine.dispose()


@contextmanager
def outer_transaction(app: Flask) -> Iterator[Connection]:
    """One connection for everything that happens inside, and nothing of it stays."""
    engine = db.orm.engine
    with engine.connect() as connection:
        outer = connection.begin()
        engines = cast("dict[str | None, Any]", db.orm.engines)
        engines[None] = connection
        try:
            yield connection
        finally:
            db.orm.session.remove()
            engines[None] = engine
            send(connection, "ROLLBACK")
            outer.rollback()


@pytest.fixture(scope="module")
def module_app(migrated_app: Flask) -> Iterator[Flask]:
    """The application inside an outer transaction of the module: what is made here stands before each of its tests."""
    with migrated_app.app_context(), outer_transaction(migrated_app):
        yield migrated_app


@pytest.fixture
def app(migrated_app: Flask) -> Iterator[Flask]:
    """The application inside an outer transaction that is rolled back: no test sees another's rows."""
    with migrated_app.app_context():
        _count_anew()
        of_module: Engine | Connection = db.orm.engine
        if isinstance(of_module, Connection):
            begin_savepoint(of_module, "test")
            yield migrated_app
            db.orm.session.remove()
            send(of_module, "ROLLBACK TO SAVEPOINT test")
        else:
            with outer_transaction(migrated_app):
                yield migrated_app
        keys.forget_rings()


@pytest.fixture(autouse=True)
def _leave_the_module_as_it_was(request: pytest.FixtureRequest) -> None:
    """A test that asks only for what its module made is rolled back too."""
    if "module_app" in request.fixturenames:
        request.getfixturevalue("app")


def _count_anew() -> None:
    # Tests share an address, and those of a module share persons: however many of them a fast machine does within a
    # minute, their tries must not add up. What was counted ends by itself.
    limiter = limits._limiter
    assert limiter is not None
    storage = limiter.storage
    assert isinstance(storage, RedisStorage)
    storage.key_prefix = secrets.token_hex(8)


@pytest.fixture
def committing_app(migrated_app: Flask) -> Iterator[Flask]:
    """The application with real commits, for races. What it writes stays, so it makes its own persons."""
    with migrated_app.app_context():
        engine: Engine | Connection = db.orm.engine
        assert isinstance(engine, Engine), "no commits in a module that makes things for all its tests"
        _count_anew()
        yield migrated_app


@pytest.fixture
def city(app: Flask, config: Config) -> City:
    return City(app, config)


@pytest.fixture(scope="module")
def module_city(module_app: Flask, config: Config) -> City:
    """For what many tests of a module begin with, and is dear to make. A test that changes it leaves it unchanged."""
    return City(module_app, config)


@pytest.fixture
def committing_city(committing_app: Flask, config: Config) -> City:
    return City(committing_app, config)


class SteppingClock:
    """A clock that tests move. It starts at the real time and then stands still."""

    def __init__(self) -> None:
        self.time = clock.now()

    def __call__(self) -> datetime:
        return self.time

    def forward(self, **by: float) -> None:
        self.time += timedelta(**by)


@pytest.fixture
def stepping_clock() -> Iterator[SteppingClock]:
    stepping = SteppingClock()
    clock.set_clock(stepping)
    yield stepping
    clock.set_clock(None)
