"""MLLP over real sockets: frames, broken and slow peers, parallel repeats, ports that come and go, a clean stop."""

import gc
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

import pytest
from flask import Flask
from hl7.client import MLLPClient
from sqlalchemy import func, select, text, update

from accounts.models import MllpEndpoint
from core import db
from records.hl7v2 import mllp
from records.hl7v2.mllp import Limits
from records.reports.models import Report
from tests.support.city import City, Hospital, Patient
from tests.support.hl7v2 import oru
from tests.support.ports import opened_port

SMALL = Limits(frame_bytes=64 * 1024, small_bytes=8 * 1024, connections=20, frame_seconds=60.0)


@dataclass(frozen=True)
class Listening:
    """A listener at work, one hospital's port, and a patient whom that hospital knows as ``number``."""

    city: City
    hospital: Hospital
    patient: Patient
    number: str
    port: int

    def message(self, **changes: str) -> bytes:
        return oru(self.hospital.code, self.number, **changes).encode()

    def count_reports(self) -> int:
        with db.transaction() as session:
            return session.scalar(select(func.count()).where(Report.person_id == self.patient.person_id)) or 0


@contextmanager
def serving(app: Flask, limits: Limits = SMALL) -> Iterator[threading.Event]:
    """A listener in a thread of its own, as in the worker."""
    stop = threading.Event()
    thread = threading.Thread(target=partial(mllp.serve, app, stop, limits=limits, poll_seconds=0.05))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(timeout=60)
        assert not thread.is_alive()


@pytest.fixture
def listening(committing_app: Flask, committing_city: City) -> Iterator[Listening]:
    city = committing_city
    hospital, patient = city.hospital(), city.patient()
    number = f"MZ{secrets.token_hex(4)}"
    city.visit(city.staff(hospital), patient, hospital, patient_number=number)
    with opened_port(hospital.id) as port, serving(committing_app):
        wait_until(lambda: can_connect(port))
        yield Listening(city, hospital, patient, number, port)


def wait_until(done: Callable[[], bool]) -> None:
    for _ in range(1200):
        if done():
            return
        threading.Event().wait(0.05)
    pytest.fail("waited for nothing")


def can_connect(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60)


def frame(message: bytes) -> bytes:
    return b"\x0b" + message + b"\x1c\r"


def read_all(peer: socket.socket) -> bytes:
    """What is sent until the other side closes."""
    received = b""
    while more := peer.recv(65536):
        received += more
    return received


def read_frame(peer: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\x1c\r"):
        more = peer.recv(65536)
        assert more, "closed before the acknowledgement"
        received += more
    return received


def test_an_independent_client_is_acknowledged(listening: Listening) -> None:
    with MLLPClient("127.0.0.1", listening.port) as client:
        first = client.send_message(listening.message(control_id="K1"))
        again = client.send_message(listening.message(control_id="K2"))
    assert b"MSA|AA|K1\r" in first
    assert b"MSA|AA|K2\r" in again
    assert listening.count_reports() == 2


def test_an_acknowledged_report_is_committed(listening: Listening) -> None:
    with connect(listening.port) as peer:
        peer.sendall(frame(listening.message()))
        assert b"MSA|AA|" in read_frame(peer)
        assert listening.count_reports() == 1


def test_parallel_repeats_of_one_message_are_one_report_with_one_acknowledgement(listening: Listening) -> None:
    message = listening.message()

    def send(_: int) -> bytes:
        with connect(listening.port) as peer:
            peer.sendall(frame(message))
            return read_frame(peer)

    with ThreadPoolExecutor(16) as pool:
        acknowledgements = set(pool.map(send, range(16)))
    assert len(acknowledgements) == 1
    assert b"MSA|AA|" in acknowledgements.pop()
    assert listening.count_reports() == 1


def test_frames_may_come_in_pieces_together_and_with_line_ends_between(listening: Listening) -> None:
    messages = [listening.message(control_id=f"K{number}") for number in range(3)]
    with connect(listening.port) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = b"\r\n".join(frame(message) for message in messages)
        for start in range(0, len(sent), 97):
            peer.sendall(sent[start : start + 97])
        peer.shutdown(socket.SHUT_WR)
        received = read_all(peer)
    assert [f"MSA|AA|K{number}\r".encode() in received for number in range(3)] == [True] * 3
    assert received.count(b"\x0b") == 3


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x0b" + b"x" * (SMALL.frame_bytes * 3),
        b"\x16\x03\x01\x02\x00",
    ],
    ids=["http", "too large", "tls"],
)
def test_a_broken_peer_is_dropped_and_harms_nobody(listening: Listening, sent: bytes) -> None:
    with connect(listening.port) as peer:
        try:
            peer.sendall(sent)
            assert read_all(peer) == b""
        except (ConnectionResetError, BrokenPipeError):
            pass
    with connect(listening.port) as peer:
        peer.sendall(frame(listening.message()))
        assert b"MSA|AA|" in read_frame(peer)


def test_a_frame_that_does_not_end_is_dropped(committing_app: Flask, committing_city: City) -> None:
    with (
        opened_port(committing_city.hospital().id) as port,
        serving(committing_app, replace(SMALL, frame_seconds=0.2)),
    ):
        wait_until(partial(can_connect, port))
        with connect(port) as peer:
            peer.sendall(b"\x0bMSH|^~\\&|never ends")
            assert read_all(peer) == b""


def test_a_peer_that_leaves_in_the_middle_leaves_nothing(listening: Listening) -> None:
    with connect(listening.port) as peer:
        peer.sendall(frame(listening.message())[:-1])
        peer.shutdown(socket.SHUT_WR)
        assert read_all(peer) == b""
    assert listening.count_reports() == 0


def test_too_many_connections_are_turned_away(listening: Listening) -> None:
    peers: list[socket.socket] = []

    def hold_one_more() -> bool:
        # A connection of before may not have been cleared away yet: then this one is turned away, and tried again.
        peer = connect(listening.port)
        if not is_served(peer):
            peer.close()
            return False
        peers.append(peer)
        return len(peers) == SMALL.connections

    try:
        wait_until(hold_one_more)
        with connect(listening.port) as one_more:
            assert not is_served(one_more)
    finally:
        for peer in peers:
            peer.close()
    peers.clear()
    wait_until(lambda: hold_one_more() or bool(peers))
    peers[0].close()


def is_served(peer: socket.socket) -> bool:
    try:
        peer.sendall(frame(b"hello"))
        return b"MSA|AR|" in peer.recv(65536)
    except (ConnectionResetError, BrokenPipeError):
        return False


def test_one_hospital_does_not_take_the_places_of_another(committing_app: Flask, committing_city: City) -> None:
    """Neither with idle connections nor with large messages that come slowly."""
    limits = replace(SMALL, port_connections=3, port_large_frames=1, large_frames=2)
    here, there = committing_city.hospital(), committing_city.hospital()
    large = frame(b"x" * 2 * limits.small_bytes)
    with (
        opened_port(here.id) as port,
        opened_port(there.id) as other,
        serving(committing_app, limits),
        ExitStack() as held,
    ):
        for each in (port, other):
            wait_until(partial(can_connect, each))
        slow = [held.enter_context(connect(port)) for _ in range(3)]
        for peer in slow:
            peer.sendall(large[:-2])
        wait_until(lambda: not is_served(held.enter_context(connect(port))))
        with connect(other) as quick:
            assert is_served(quick)
            quick.sendall(large)
            assert b"MSA|AR|" in read_frame(quick)
        slow[0].sendall(large[-2:])
        assert b"MSA|AR|" in read_frame(slow[0])


def test_a_port_that_is_closed_stops_listening_and_its_connections_end(listening: Listening) -> None:
    with connect(listening.port) as peer:
        peer.sendall(frame(b"hello"))
        read_frame(peer)
        with db.transaction() as session:
            session.execute(
                update(MllpEndpoint).where(MllpEndpoint.hospital_id == listening.hospital.id).values(is_enabled=False)
            )
        wait_until(lambda: not can_connect(listening.port))
        peer.sendall(frame(listening.message()))
        assert read_all(peer) == b""
    assert listening.count_reports() == 0


def test_a_message_for_one_hospital_is_not_taken_at_anothers_port(listening: Listening) -> None:
    other = listening.city.hospital()
    with connect(listening.port) as peer:
        peer.sendall(frame(oru(other.code, listening.number).encode()))
        answer = read_frame(peer)
    assert b"MSA|AR|" in answer
    assert b"records.facility_wrong" in answer


def test_stopping_ends_idle_connections_and_answers_what_is_in_work(
    committing_app: Flask, committing_city: City
) -> None:
    hospital = committing_city.hospital()
    with opened_port(hospital.id) as port:
        with serving(committing_app) as stop:
            wait_until(lambda: can_connect(port))
            with connect(port) as idle, connect(port) as busy:
                assert is_served(idle)
                with db.transaction() as session:
                    # We hold what a message of this control id must wait for, so it is in work while we stop.
                    key = func.hashtextextended(f"{hospital.id}/hl7v2/K1", 0)
                    session.execute(select(func.pg_advisory_xact_lock(key)))
                    busy.sendall(frame(oru(hospital.code, "nobody", control_id="K1").encode()))
                    wait_until(lambda: session.scalar(text(_WAITING)) == 1)
                    stop.set()
                    assert read_all(idle) == b""
                assert b"records.person_not_matched" in read_all(busy)
        assert not can_connect(port)


def test_stopping_leaves_no_connection_open_that_was_just_let_in(committing_app: Flask, committing_city: City) -> None:
    """Not even one whose turn to be served has not come: an open one is told of when it is thrown away."""
    hospital = committing_city.hospital()
    with opened_port(hospital.id) as port, ExitStack() as held:
        # How far each was let in when the listener stops is chance.
        for turn in range(8):
            with serving(committing_app):
                wait_until(lambda: can_connect(port))
                crowd = threading.Thread(target=partial(_come_until_refused, port, held))
                crowd.start()
                threading.Event().wait(0.02 * turn)
            crowd.join()
        gc.collect()


def _come_until_refused(port: int, held: ExitStack) -> None:
    with suppress(ConnectionError):
        while True:
            held.enter_context(connect(port))


_WAITING = """
SELECT count(*) FROM pg_locks
WHERE locktype = 'advisory' AND NOT granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def test_messages_of_many_connections_are_filed_together_and_answered_each(listening: Listening) -> None:
    peers = [connect(listening.port) for _ in range(18)]
    try:
        for number, peer in enumerate(peers):
            peer.sendall(frame(listening.message(control_id=f"M{number}")))
        answers = [read_frame(peer) for peer in peers]
    finally:
        for peer in peers:
            peer.close()
    assert [f"MSA|AA|M{number}\r".encode() in answer for number, answer in enumerate(answers)] == [True] * 18
    assert listening.count_reports() == 18


def test_a_large_message_is_taken_in_and_a_larger_one_is_not(listening: Listening) -> None:
    with connect(listening.port) as peer:
        note = "NTE|1||" + "长" * 15_000
        large = oru(listening.hospital.code, listening.number, "OBX|1|NM|X^y||1||||||F", note, control_id="L1")
        assert SMALL.small_bytes < len(large.encode()) < SMALL.frame_bytes
        peer.sendall(frame(large.encode()))
        assert b"MSA|AA|L1\r" in read_frame(peer)
    assert listening.count_reports() == 1
