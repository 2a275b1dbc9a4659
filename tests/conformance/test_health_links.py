"""SMART Health Links opened by a reader of others (kill-the-clipboard), over a real port."""

import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import make_server

from tests.support.charts import send_report
from tests.support.city import City
from tests.support.links import PASSCODE, Link, make

READER = Path(__file__).with_name("health_links") / "read.mjs"
pytestmark = [pytest.mark.system("node"), pytest.mark.system("health-link-reader")]


@pytest.fixture
def server(committing_city: City) -> Iterator[str]:
    running = make_server("127.0.0.1", 0, committing_city.app, threaded=True)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.shutdown()
    thread.join()
    running.server_close()


def read(server: str, *asked: tuple[Link, dict[str, Any]]) -> list[Any]:
    """What the reader makes of each, all in one process."""
    lines = "".join(
        json.dumps({"link": link.health_link, "server": server, "recipient": "Verona", "passcode": PASSCODE} | more)
        + "\n"
        for link, more in asked
    )
    done = subprocess.run(["node", READER], input=lines, capture_output=True, text=True, timeout=120, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_reader_of_others_opens_a_link_and_understands_how_it_is_refused(committing_city: City, server: str) -> None:
    patient = committing_city.patient()
    report_id = send_report(committing_city, committing_city.hospital(), patient)
    link, once = (make(committing_city, patient, may_download=True, openings=count) for count in (20, 1))
    embedded, fetched, wrong, used, closed = read(
        server,
        (link, {"embeddedLengthMax": 200_000}),
        (link, {}),
        (link, {"passcode": "000001"}),
        (once, {}),
        (once, {}),
    )
    for found in (embedded, fetched):
        assert (found["flag"], found["requiresPasscode"]) == ("LP", True), found
        (bundle,) = found["resources"]
        assert str(report_id) in {one["resource"]["id"] for one in bundle["entry"]}
    assert wrong["error"] == "SHLInvalidPasscodeError"
    assert used["resources"]
    assert closed["error"] == "SHLManifestNotFoundError"
