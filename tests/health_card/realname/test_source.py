"""The adapter against the simulated source, and against answers that no honest source gives."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from core.config import RealNameAccess
from health_card.realname import source as adapter
from health_card.realname.models import Outcome
from health_card.realname.source import Method, Proof, RealNameSource, RealNameUnavailable, Verification
from tests.health_card.conftest import Outside, new_key
from tests.support.city import resident_id

CHECKS, VERIFICATIONS = "/realname/v1/checks", "/realname/v1/verifications"
NAME = "张测试"
# As the product has it; tests that do not look at it are given more time.
PATIENCE = adapter._TIMEOUT_SECONDS


def check(access: RealNameAccess, number: str, name: str = NAME, certificate_type: str = "01") -> Outcome:
    return RealNameSource(access).check(name=name, certificate_type=certificate_type, number=number).result


def test_it_agrees_disagrees_and_does_not_know_passports(outside: Outside) -> None:
    number = resident_id()
    assert check(outside.access, number) is Outcome.AGREED
    assert check(outside.access, "110105194912310021") is Outcome.DISAGREED
    assert check(outside.access, "E12345678", certificate_type="03") is Outcome.NOT_COVERED
    outside.control.disagree(number)
    assert check(outside.access, number) is Outcome.DISAGREED


def test_every_answer_has_a_reference_of_its_own(outside: Outside) -> None:
    source, number = RealNameSource(outside.access), resident_id()
    asked = [source.check(name=NAME, certificate_type="01", number=number).reference for _ in range(2)]
    assert len(set(asked)) == 2


@pytest.mark.parametrize("method", Method)
def test_a_face_or_bank_check_proves_one_identity_once(outside: Outside, method: Method) -> None:
    identity = {"name": NAME, "certificate_type": "01", "number": resident_id()}
    source = RealNameSource(outside.access)
    ask: dict[Method, Callable[..., Verification]] = {Method.FACE: source.check_face, Method.BANK: source.check_bank}
    token = outside.control.prove(method, **identity)
    proved = ask[method](token, **identity)
    assert (proved.result, proved.method) == (Proof.AGREED, method)
    assert abs(datetime.now(UTC) - proved.checked_at) < timedelta(minutes=1)
    assert ask[method](token, **identity).result is Proof.UNKNOWN
    for changes in ({"name": "李测试"}, {"number": resident_id()}, {"certificate_type": "99"}):
        token = outside.control.prove(method, **identity)
        assert ask[method](token, **(identity | changes)).result is Proof.DISAGREED
    (other,) = set(Method) - {method}
    assert ask[other](outside.control.prove(method, **identity), **identity).result is Proof.UNKNOWN


@pytest.mark.parametrize("fault", ["500", "429", "drop", "garbage", "busy"])
def test_a_source_that_is_down_says_nothing_about_anybody(outside: Outside, fault: str) -> None:
    outside.control.order_fault(CHECKS, fault)
    with pytest.raises(RealNameUnavailable):
        check(outside.access, resident_id())
    assert check(outside.access, resident_id()) is Outcome.AGREED


def test_a_slow_source_is_given_up(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    assert PATIENCE == (2.0, 3.0)
    monkeypatch.setattr(adapter, "_TIMEOUT_SECONDS", (1.0, 0.2))
    outside.control.order_fault(CHECKS, "slow")
    with pytest.raises(RealNameUnavailable):
        check(outside.access, resident_id())


def test_only_our_key_is_answered(outside: Outside) -> None:
    for wrong in (replace(outside.access, key=new_key()), replace(outside.access, client_id="somebody")):
        with pytest.raises(RealNameUnavailable):
            check(wrong, resident_id())


def test_who_was_asked_about_is_never_logged(outside: Outside, caplog: pytest.LogCaptureFixture) -> None:
    number = resident_id()
    with caplog.at_level("DEBUG"):
        for fault in ("500", "drop", "garbage"):
            outside.control.order_fault(CHECKS, fault)
            with pytest.raises(RealNameUnavailable):
                check(outside.access, number)
        check(outside.access, number)
    assert [word for word in (NAME, number) if word in caplog.text] == []
    assert outside.access.key not in repr(outside.access)


class Forger:
    """A source that answers whatever it is told to."""

    def __init__(self, port: int) -> None:
        self.access = RealNameAccess(f"http://127.0.0.1:{port}", "tests", new_key())
        self.changes: dict[str, Any] = {}
        self.status = 200
        self.received = b""

    def answer(self, body: bytes) -> bytes:
        self.received = body
        answer = {
            "request_id": json.loads(body)["request_id"],
            "result": "agreed",
            "reference": "R1",
            "checked_at": datetime.now(UTC).isoformat(),
        }
        return json.dumps(answer | self.changes).encode()


@pytest.fixture(scope="module")
def forger() -> Iterator[Forger]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = state.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(state.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_request(self, *_: object, **__: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    state = Forger(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "changes"),
    [
        (200, {"request_id": "0190a000-0000-7000-8000-000000000000"}),
        (200, {"result": "perhaps"}),
        (200, {"reference": ""}),
        (200, {"reference": "张测试"}),
        (200, {"checked_at": "2099-01-01T00:00:00Z"}),
        (200, {"checked_at": "2026-01-01T00:00:00"}),
        (200, {"more": "x" * 20_000}),
        (201, {}),
        (302, {}),
        (403, {}),
    ],
)
def test_an_answer_that_does_not_fit_is_no_answer(forger: Forger, status: int, changes: dict[str, Any]) -> None:
    forger.status, forger.changes = 200, {}
    assert check(forger.access, resident_id()) is Outcome.AGREED
    forger.status, forger.changes = status, changes
    with pytest.raises(RealNameUnavailable):
        check(forger.access, resident_id())


def test_a_verification_by_another_method_than_asked_is_no_answer(forger: Forger) -> None:
    forger.status, forger.changes = 200, {"method": "bank"}
    with pytest.raises(RealNameUnavailable):
        RealNameSource(forger.access).check_face("token", name=NAME, certificate_type="01", number=resident_id())


def test_a_verification_tells_the_source_no_name_and_no_number(forger: Forger) -> None:
    forger.status, forger.changes = 200, {"method": "face"}
    number, sent = resident_id(), []
    for _ in range(2):
        RealNameSource(forger.access).check_face("token", name=NAME, certificate_type="01", number=number)
        sent.append(json.loads(forger.received))
    assert [word for word in (NAME, number) if word in json.dumps(sent, ensure_ascii=False)] == []
    assert sent[0]["identity_digest"] != sent[1]["identity_digest"], "a new salt each time"
