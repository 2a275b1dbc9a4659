"""``kill -9`` of the listener under load: nothing that was acknowledged is lost, and nothing is filed twice."""

import random
import secrets
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial

from flask import Flask
from sqlalchemy import select

from core import db
from records.hl7v2 import mllp
from records.intake.models import InboundMessage
from records.reports.models import Report
from tests.records.hl7v2.test_mllp import can_connect, connect, frame, read_frame, wait_until
from tests.support.city import City
from tests.support.hl7v2 import oru
from tests.support.ports import opened_port
from tests.support.prepared import Prepared

KILLS, SENDERS = 2, 6


@contextmanager
def listening(listener: Prepared, port: int) -> Iterator[None]:
    """Killed in the end without warning."""
    listener.start()
    try:
        wait_until(lambda: can_connect(port))
        yield
    finally:
        listener.kill()


def send_until_acknowledged(
    port: int, messages: Iterator[bytes], acknowledged: list[str], stop: threading.Event
) -> None:
    """Each message again and again, under its own id, until it is acknowledged."""
    for message in messages:
        control_id = message.split(b"|")[9].decode()
        while True:
            try:
                with connect(port) as peer:
                    peer.sendall(frame(message))
                    answer = read_frame(peer)
            except (OSError, AssertionError):
                stop.wait(0.02)
                continue
            assert f"MSA|AA|{control_id}\r".encode() in answer, answer
            acknowledged.append(control_id)
            break
        if stop.is_set():
            return


def test_nothing_acknowledged_is_lost_and_nothing_is_filed_twice(committing_app: Flask, committing_city: City) -> None:
    hospital, patient = committing_city.hospital(), committing_city.patient()
    number, seed = f"MZ{secrets.token_hex(4)}", random.randrange(10**6)
    print(f"seed {seed}")
    committing_city.bind_number(hospital, patient, number)
    chance, stop = random.Random(seed), threading.Event()
    acknowledged: list[str] = []

    def messages() -> Iterator[bytes]:
        while True:
            yield oru(hospital.code, number).encode()

    serve = partial(mllp.serve, committing_app, threading.Event(), poll_seconds=0.1)
    with opened_port(hospital.id) as port, ExitStack() as kept, ThreadPoolExecutor(SENDERS) as pool:
        listeners = [kept.enter_context(Prepared(serve)) for _ in range(KILLS + 1)]
        try:
            for turn, listener in enumerate(listeners):
                with listening(listener, port):
                    if turn == 0:
                        sending = [
                            pool.submit(send_until_acknowledged, port, messages(), acknowledged, stop)
                            for _ in range(SENDERS)
                        ]
                    before = len(acknowledged)
                    wait_until(lambda before=before: len(acknowledged) > before + 10)  # type: ignore[misc]
                    stop.wait(chance.uniform(0, 0.3))
                    if turn == KILLS:
                        stop.set()
                        for one in sending:
                            one.result(timeout=60)
        finally:
            stop.set()
    with db.transaction() as session:
        filed = Counter(
            session.scalars(
                select(InboundMessage.message_key)
                .join(Report, Report.inbound_message_id == InboundMessage.id)
                .where(Report.person_id == patient.person_id, InboundMessage.state == "accepted")
            )
        )
    print(f"acknowledged {len(acknowledged)}, filed {len(filed)}")
    assert Counter(acknowledged) == filed
