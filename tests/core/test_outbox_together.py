"""Messages that are carried out together, in the transaction that marks them done."""

import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import db, observe, outbox
from core.dispatch import BATCH, MANY, Dispatcher, Left, Together
from core.outbox import OutboxMessage
from tests.conftest import SteppingClock

Many = Callable[[Session, Sequence[dict[str, Any]]], Left]


class Killed(BaseException):
    """The worker ends in the middle of a group, without a word."""


class Work:
    """A topic of its own, and what came of its messages. ``poison``: these numbers cannot be done."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.topic = f"tests.{secrets.token_hex(8)}"
        self.groups: list[list[int]] = []
        self.alone: list[int] = []
        self.poison: set[int] = set()

    def announce(self, *numbers: int) -> None:
        with db.transaction() as session:
            for number in numbers:
                outbox.announce(session, self.topic, {"number": number})

    def messages(self, topic: str | None = None) -> list[OutboxMessage]:
        with db.transaction() as session:
            mine = select(OutboxMessage).filter_by(topic=topic or self.topic).order_by(OutboxMessage.id)
            return list(session.scalars(mine))

    def do_alone(self, payload: dict[str, Any]) -> None:
        self.alone.append(payload["number"])
        if payload["number"] in self.poison:
            raise ValueError("张测试 must not be kept")

    def do_many(self, session: Session, payloads: Sequence[dict[str, Any]]) -> Left:
        """Leave a trace of each in the transaction, to see what is undone."""
        numbers = [payload["number"] for payload in payloads]
        self.groups.append(numbers)
        for number in numbers:
            outbox.announce(session, f"{self.topic}.trace", {"number": number})
        if self.poison & set(numbers):
            raise ValueError("张测试 must not be kept")
        return {}

    def run(self, many: Many | None = None) -> int:
        return Dispatcher(self.app, {self.topic: Together(self.do_alone, many or self.do_many)}).run_due()

    def traces(self) -> list[int]:
        return [message.payload["number"] for message in self.messages(f"{self.topic}.trace")]


@pytest.fixture
def work(committing_app: Flask) -> Work:
    return Work(committing_app)


def test_what_is_due_is_done_together_in_the_order_of_announcing(work: Work) -> None:
    work.announce(*range(MANY + 1))
    assert work.run() == MANY + 1
    assert work.groups == [list(range(MANY)), [MANY]]
    assert (work.alone, work.traces()) == ([], list(range(MANY + 1)))
    assert all(message.done_at and message.attempts == 1 for message in work.messages())
    assert work.run() == 0


def test_one_that_cannot_be_done_stops_no_other(work: Work, stepping_clock: SteppingClock) -> None:
    work.poison = {3}
    work.announce(*range(BATCH + 5))
    assert work.run() == BATCH + 5
    assert work.traces() == [], "what the group had done is undone"
    assert work.alone == list(range(BATCH + 5))
    left = [message for message in work.messages() if message.done_at is None]
    assert [(each.payload["number"], each.attempts, each.last_error) for each in left] == [(3, 1, "ValueError")]
    stepping_clock.forward(seconds=2)
    work.announce(99)
    assert work.run() == 2
    assert work.groups[-1] == [99], "who has failed once spoils no group again"
    assert work.traces() == [99]


def test_a_killed_group_is_done_again_as_if_it_had_never_begun(work: Work) -> None:
    work.announce(1, 2)

    def be_killed(session: Session, payloads: Sequence[dict[str, Any]]) -> Left:
        work.do_many(session, payloads)
        raise Killed

    with pytest.raises(Killed):
        work.run(be_killed)
    assert [(message.done_at, message.attempts) for message in work.messages()] == [(None, 0)] * 2
    assert work.run() == 2
    assert work.traces() == [1, 2]


def test_what_a_group_leaves_is_done_alone_or_later_or_next(work: Work, stepping_clock: SteppingClock) -> None:
    work.announce(*range(4))
    asked: list[list[int]] = []

    def leave(session: Session, payloads: Sequence[dict[str, Any]]) -> Left:
        asked.append([payload["number"] for payload in payloads])
        return {1: None, 2: 7, 3: 0} if len(payloads) == 4 else {}

    assert work.run(leave) == 4
    assert (asked, work.alone) == ([[0, 1, 2, 3], [3]], [1])
    zero, one, two, three = work.messages()
    assert None not in (zero.done_at, one.done_at, three.done_at)
    assert (two.done_at, two.attempts, two.due_at) == (None, 0, stepping_clock.time + timedelta(seconds=7))
    stepping_clock.forward(seconds=7)
    assert work.run(leave) == 1
    assert asked[-1] == [2]


def test_several_workers_do_each_message_once(work: Work) -> None:
    work.announce(*range(3 * MANY))
    together = threading.Barrier(3)

    def run(_: int) -> int:
        together.wait()
        return work.run()

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(run, range(3))) == 3 * MANY
    assert sorted(work.traces()) == list(range(3 * MANY))
    assert work.alone == []


def test_what_one_cause_has_announced_keeps_its_request_id(work: Work) -> None:
    observe.begin_request("the-cause-0002")
    work.announce(1, 2)
    observe.begin_request()
    work.run()
    assert {message.request_id for message in work.messages(f"{work.topic}.trace")} == {"the-cause-0002"}
