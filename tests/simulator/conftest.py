"""One simulator process for these tests, an independent merchant client, and a place where notifications arrive."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from simulator.running import Running, new_secrets, running
from tests.simulator.merchant import Arrived, Merchant, Receiver


@pytest.fixture(scope="session")
def settings() -> dict[str, str]:
    """Random secrets; every delay of the notifications is a hundred times shorter."""
    return {**new_secrets(), "SIMULATOR_RETRY_SCALE": "0.01"}


@pytest.fixture(scope="session")
def shared(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("simulator"), settings) as simulator:
        yield simulator


@pytest.fixture
def simulator(shared: Running) -> Iterator[Running]:
    """The shared process, without faults before and after."""
    shared.control.clear_faults()
    yield shared
    shared.control.clear_faults()


@pytest.fixture
def own_simulator(settings: dict[str, str], tmp_path: Path) -> Iterator[Running]:
    """A process of one's own: for clocks, kills and restarts."""
    with running(tmp_path / "state", settings) as simulator:
        yield simulator


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with state.lock:
                state.arrived.append(Arrived(self.path, dict(self.headers), body))
                statuses = state.answers.get(self.path, [])
                status = statuses.pop(0) if statuses else 204
            self.send_response(status)
            self.end_headers()

        def log_request(self, *_: object, **__: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def merchant_of_all(shared: Running, settings: dict[str, str]) -> Merchant:
    return Merchant(settings, shared)


@pytest.fixture
def merchant(simulator: Running, merchant_of_all: Merchant) -> Merchant:
    """Of the shared simulator, without faults; its library checks the keys once."""
    return merchant_of_all
