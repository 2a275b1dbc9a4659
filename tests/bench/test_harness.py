"""The client sends each request once, and rounds alternate."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.harness import alternate, percentile, ratios
from bench.load import send_all


class Echo(BaseHTTPRequestHandler):
    """Answers the path it was asked for; /gone is not there."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.path.encode()
        # In two pieces: an answer may come in as many as the network likes.
        self.send_response(404 if self.path == "/gone" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.flush()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def requests_for(*paths: str) -> list[bytes]:
    return [f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode() for path in paths]


def test_every_request_is_sent_once_and_every_status_counted(port: int) -> None:
    load = send_all(port, requests_for(*[f"/{n}" for n in range(20)], "/gone"), connections=3, seconds=60)
    assert load.statuses == {"200": 20, "404": 1}
    assert len(load.latencies_ms) == 21
    assert load.seconds > 0


def test_when_the_time_is_over_only_what_is_under_way_is_answered(port: int) -> None:
    load = send_all(port, requests_for(*["/x"] * 50), connections=4, seconds=0)
    assert load.statuses == {"200": 4}


def test_rounds_alternate_and_medians_and_ratios_are_of_rounds() -> None:
    order: list[str] = []
    values = {"product": iter([10.0, 30.0, 20.0]), "ceiling": iter([20.0, 40.0, 100.0])}

    def contender(name: str) -> dict[str, float]:
        order.append(name)
        return {"per_second": next(values[name])}

    figures = alternate(
        "any", {"product": lambda: contender("product"), "ceiling": lambda: contender("ceiling")}, rounds=3
    )
    assert order == ["product", "ceiling", "ceiling", "product", "product", "ceiling"]
    assert [figure.values["per_second"] for figure in figures] == [20.0, 40.0]
    assert ratios(figures) == {"per_second": {"median": 0.5, "lowest": 0.2, "highest": 0.75}}


def test_a_percentile_is_a_value_that_occurred() -> None:
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([float(n) for n in range(1, 201)], 99) == 198.0
    assert percentile([7.0], 99) == 7.0
