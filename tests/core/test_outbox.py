"""Messages: written with their cause, carried out once, never lost with a worker."""

import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import select, text

from core import db, observe, outbox
from core.dispatch import LEASE, LONGEST_BACKOFF_SECONDS, MAX_ATTEMPTS, Dispatcher, Handler, TryLater
from core.errors import NotSignedIn
from core.outbox import OutboxMessage
from tests.conftest import SteppingClock


class Killed(BaseException):
    """The worker ends in the middle of a handler, without a word."""


@pytest.fixture
def topic() -> str:
    return f"tests.{secrets.token_hex(8)}"


@pytest.fixture
def dispatcher(committing_app: Flask, topic: str) -> Callable[[Handler], Dispatcher]:
    return lambda handler: Dispatcher(committing_app, {topic: handler})


def announce(topic: str, number: int = 0, **options: Any) -> bool:
    with db.transaction() as session:
        return outbox.announce(session, topic, {"number": number}, **options)


def messages(topic: str) -> list[OutboxMessage]:
    with db.transaction() as session:
        return list(session.scalars(select(OutboxMessage).filter_by(topic=topic).order_by(OutboxMessage.id)))


def the_message(topic: str) -> OutboxMessage:
    (message,) = messages(topic)
    return message


def fail(_: dict[str, Any]) -> None:
    raise ValueError("张测试 must not be kept")


def test_a_message_leaves_with_the_commit_of_its_cause(topic: str, dispatcher: Callable[[Handler], Dispatcher]) -> None:
    done: list[int] = []
    worker = dispatcher(lambda payload: done.append(payload["number"]))
    with db.transaction() as session:
        outbox.announce(session, topic, {"number": 1})
        announced_inside: list[int] = []
        with ThreadPoolExecutor(1) as pool:
            announced_inside.append(pool.submit(worker.run_due).result())
    assert announced_inside == [0]
    with suppress(NotSignedIn), db.transaction() as session:
        outbox.announce(session, topic, {"number": 2})
        raise NotSignedIn
    assert worker.run_due() == 1
    assert done == [1]
    assert the_message(topic).done_at is not None


def test_the_same_key_is_announced_once(topic: str, committing_app: Flask) -> None:
    assert announce(topic, key=topic)
    assert not announce(topic, key=topic)
    assert len(messages(topic)) == 1
    assert announce(topic)
    assert announce(topic)


def test_a_message_waits_for_its_time_and_keeps_its_request_id(
    topic: str, dispatcher: Callable[[Handler], Dispatcher], stepping_clock: SteppingClock
) -> None:
    seen: list[str] = []
    worker = dispatcher(lambda _: seen.append(observe.request_id()))
    observe.begin_request("the-cause-0001")
    announce(topic, due_at=stepping_clock.time + timedelta(minutes=5))
    observe.begin_request()
    assert worker.run_due() == 0
    stepping_clock.forward(minutes=5)
    assert worker.run_due() == 1
    assert seen == ["the-cause-0001"]


def test_topics_of_other_workers_are_left_alone(topic: str, committing_app: Flask) -> None:
    announce(topic)
    assert Dispatcher(committing_app, {f"{topic}.other": fail}).run_due() == 0


def test_several_workers_do_each_message_once(topic: str, dispatcher: Callable[[Handler], Dispatcher]) -> None:
    with db.transaction() as session:
        for number in range(200):
            outbox.announce(session, topic, {"number": number})
    done: list[int] = []
    together = threading.Barrier(4)

    def work(_: int) -> int:
        together.wait()
        return dispatcher(lambda payload: done.append(payload["number"])).run_due()

    with ThreadPoolExecutor(4) as pool:
        tried = list(pool.map(work, range(4)))
    assert sum(tried) == 200
    assert sorted(done) == list(range(200))
    assert {message.attempts for message in messages(topic)} == {1}


def test_a_claimed_message_is_not_waited_for(topic: str, dispatcher: Callable[[Handler], Dispatcher]) -> None:
    """Two messages, one locked by another transaction: the worker takes the other one (SKIP LOCKED)."""
    announce(topic, 1)
    announce(topic, 2)
    done: list[int] = []
    worker = dispatcher(lambda payload: done.append(payload["number"]))
    # The pool is left after the transaction: a worker that waits for the lock fails the test and can end.
    with ThreadPoolExecutor(1) as pool, db.transaction() as session:
        session.execute(
            text("SELECT id FROM outbox_messages WHERE topic = :topic ORDER BY id LIMIT 1 FOR UPDATE"), {"topic": topic}
        )
        assert pool.submit(worker.run_due).result(timeout=60) == 1
    assert done == [2]
    assert worker.run_due() == 1


def test_a_killed_workers_message_is_done_again_when_its_lease_has_run_out(
    topic: str, dispatcher: Callable[[Handler], Dispatcher], stepping_clock: SteppingClock
) -> None:
    announce(topic)

    def be_killed(_: dict[str, Any]) -> None:
        raise Killed

    with pytest.raises(Killed):
        dispatcher(be_killed).run_due()
    done: list[int] = []
    other = dispatcher(lambda payload: done.append(payload["number"]))
    stepping_clock.forward(seconds=LEASE.total_seconds() - 1)
    assert other.run_due() == 0
    stepping_clock.forward(seconds=1)
    assert other.run_due() == 1
    assert done == [0]
    assert other.run_due() == 0


def test_a_waiting_worker_takes_over_at_once_from_one_that_is_gone(
    topic: str, dispatcher: Callable[[Handler], Dispatcher], stepping_clock: SteppingClock
) -> None:
    announce(topic)
    stop = threading.Event()

    def be_killed(_: dict[str, Any]) -> None:
        raise Killed

    with pytest.raises(Killed):
        dispatcher(be_killed).run_forever(stop)
    held = the_message(topic)
    # Its time stands still: nothing comes due by itself.
    assert (held.due_at, held.held_by is None) == (stepping_clock.time + LEASE, False)
    # Who takes nothing over would wait for ever.
    in_vain = threading.Timer(60, stop.set)
    in_vain.start()
    dispatcher(lambda _: stop.set()).run_forever(stop)
    in_vain.cancel()
    finished = the_message(topic)
    assert (finished.done_at is None, finished.held_by, finished.attempts) == (False, None, 2)


def test_what_a_living_worker_holds_is_left_to_it(
    topic: str, committing_app: Flask, stepping_clock: SteppingClock
) -> None:
    announce(topic)
    stop, seen, done = threading.Event(), threading.Event(), list[str]()
    # It looks for workers that are gone each time before it looks for messages.
    other = Dispatcher(committing_app, {topic: lambda _: done.append("other"), f"{topic}.seen": lambda _: seen.set()})

    def finish(_: dict[str, Any]) -> None:
        enough = threading.Event()
        beside = threading.Thread(target=other.run_forever, args=(enough,), kwargs={"idle_seconds": 0.1})
        beside.start()
        announce(f"{topic}.seen")
        assert seen.wait(timeout=60)
        enough.set()
        beside.join(timeout=60)
        done.append("first")
        stop.set()

    Dispatcher(committing_app, {topic: finish}).run_forever(stop)
    assert done == ["first"]


def test_a_late_finisher_does_not_settle_what_another_worker_holds(
    topic: str, dispatcher: Callable[[Handler], Dispatcher], stepping_clock: SteppingClock
) -> None:
    announce(topic)

    def ask_for_later(_: dict[str, Any]) -> None:
        raise TryLater(600)

    def be_overtaken(_: dict[str, Any]) -> None:
        stepping_clock.forward(seconds=LEASE.total_seconds())
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(dispatcher(ask_for_later).run_due).result() == 1

    assert dispatcher(be_overtaken).run_due() == 1
    message = the_message(topic)
    assert message.done_at is None
    assert message.due_at == stepping_clock.time + timedelta(seconds=600)


def test_what_waited_too_long_in_a_batch_is_claimed_anew_before_it_is_done(
    topic: str, dispatcher: Callable[[Handler], Dispatcher], stepping_clock: SteppingClock
) -> None:
    announce(topic, 1)
    announce(topic, 2)
    done: list[int] = []

    def be_slow(payload: dict[str, Any]) -> None:
        done.append(payload["number"])
        stepping_clock.forward(seconds=LEASE.total_seconds() - 1 if payload["number"] == 2 else LEASE.total_seconds())

    dispatcher(be_slow).run_due()
    assert done.count(2) == 1
    assert messages(topic)[1].attempts == 2


def test_a_failing_message_is_tried_ever_more_slowly_and_is_dead_after_20(
    topic: str, dispatcher: Callable[[Handler], Dispatcher], stepping_clock: SteppingClock
) -> None:
    announce(topic)
    worker = dispatcher(fail)
    for attempt in range(1, MAX_ATTEMPTS):
        assert worker.run_due() == 1
        wait = timedelta(seconds=min(2**attempt, LONGEST_BACKOFF_SECONDS))
        assert the_message(topic).due_at == stepping_clock.time + wait
        assert worker.run_due() == 0
        stepping_clock.forward(seconds=wait.total_seconds())
    assert worker.run_due() == 1
    message = the_message(topic)
    assert (message.attempts, message.dead_at, message.done_at) == (20, stepping_clock.time, None)
    assert message.last_error == "ValueError"
    stepping_clock.forward(days=30)
    assert worker.run_due() == 0


def test_coming_back_later_as_asked_is_no_failure(
    topic: str, dispatcher: Callable[[Handler], Dispatcher], stepping_clock: SteppingClock
) -> None:
    announce(topic)
    outcomes: list[Exception | None] = [*[TryLater(7)] * (MAX_ATTEMPTS + 5), ValueError(), None]

    def do(_: dict[str, Any]) -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    worker = dispatcher(do)
    for _ in range(MAX_ATTEMPTS + 5):
        assert worker.run_due() == 1
        assert the_message(topic).due_at == stepping_clock.time + timedelta(seconds=7)
        stepping_clock.forward(seconds=7)
    assert worker.run_due() == 1
    assert (the_message(topic).attempts, the_message(topic).dead_at) == (1, None)
    stepping_clock.forward(seconds=2)
    assert worker.run_due() == 1
    assert the_message(topic).done_at is not None


def test_a_message_that_wakes_nobody_is_done_at_the_next_look(
    topic: str, dispatcher: Callable[[Handler], Dispatcher]
) -> None:
    with psycopg.connect(plain_address(), autocommit=True) as listener:
        listener.execute(f"LISTEN {outbox.CHANNEL}")
        announce(topic, wakes=False)
        announce(f"{topic}.wakes")
        assert [told.payload for told in listener.notifies(timeout=60, stop_after=1)] == [f"{topic}.wakes"]
    assert dispatcher(lambda _: None).run_due() == 1


LISTENERS_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'
"""


def plain_address() -> str:
    return db.orm.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)


def test_a_waiting_worker_wakes_at_once_and_outlives_its_connection(
    topic: str, dispatcher: Callable[[Handler], Dispatcher]
) -> None:
    done = threading.Semaphore(0)
    stop = threading.Event()
    worker = dispatcher(lambda _: done.release())
    # Its own look at the table comes after ten minutes: whatever is done before was told by NOTIFY.
    waiting = {"idle_seconds": 600.0}
    running = threading.Thread(target=worker.run_forever, args=(stop,), kwargs=waiting, daemon=True)
    announce(topic)
    running.start()
    assert done.acquire(timeout=60)
    announce(topic)
    assert done.acquire(timeout=60)
    with db.transaction() as session:
        session.execute(text(LISTENERS_END))
    announce(topic)
    assert done.acquire(timeout=60)
    stop.set()
    announce(f"{topic}.wakes")
    running.join(timeout=60)
    assert not running.is_alive()
