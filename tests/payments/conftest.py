"""The platform as WeChat Pay sees it: a live server that notifications reach, and the simulator it orders at."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug.serving import make_server

from app import create_app
from core import clock, db
from core.config import read_config
from core.dispatch import Dispatcher
from core.outbox import OutboxMessage
from payments.jobs import HANDLERS
from simulator.control import Control
from simulator.running import running
from tests.payments.till import Notifier, Till
from tests.support.city import City
from tests.support.settings import with_simulator


@pytest.fixture(scope="session")
def notifier(environment: dict[str, str]) -> Notifier:
    return Notifier(environment)


@pytest.fixture(scope="module")
def till_of_module(module_city: City) -> Till:
    return Till.open(module_city)


@pytest.fixture
def till(till_of_module: Till, city: City) -> Till:
    """Each test finds it as it was opened."""
    return till_of_module


@dataclass(frozen=True)
class Market:
    """A platform that commits, behind a real address, with a simulated WeChat Pay."""

    app: Flask
    city: City
    control: Control

    def till(self, **options: Any) -> Till:
        """A till whose patient WeChat knows."""
        opened = Till.open(self.city, **options)
        self.control.mint_code(opened.openid())
        return opened

    def work(self) -> int:
        """The worker does what is due."""
        return Dispatcher(self.app, HANDLERS).run_due()

    def make_due(self, topic: str, repayment_id: object) -> None:
        """Time passes for one message."""
        with db.transaction() as session:
            session.execute(
                update(OutboxMessage).where(OutboxMessage.key == f"{topic}:{repayment_id}").values(due_at=clock.now())
            )


@pytest.fixture(scope="session")
def market_app(
    environment: dict[str, str], migrated_app: Flask, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Flask, Control]]:
    assert migrated_app
    folder: Path = tmp_path_factory.mktemp("wechat")
    apps: list[Flask] = []

    def serve(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        # The application can be made only when the address is known, and the address when the server is there.
        return apps[0](environ, start)

    server = make_server("127.0.0.1", 0, serve, threaded=True)
    base_url = f"http://127.0.0.1:{server.server_port}"
    with running(folder, environment | {"SIMULATOR_RETRY_SCALE": "0.01"}) as simulator:
        config = read_config(with_simulator(environment, simulator.base_url) | {"BASE_URL": base_url})
        apps.append(create_app(config))
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield apps[0], simulator.control
        server.shutdown()
        thread.join()
        server.server_close()
    with apps[0].app_context():
        db.orm.engine.dispose()


@pytest.fixture
def market(market_app: tuple[Flask, Control]) -> Iterator[Market]:
    app, control = market_app
    control.clear_faults()
    with app.app_context():
        yield Market(app, City(app, app.extensions["yimatong.config"]), control)
    control.clear_faults()
