"""Carrying the outbox out: claim with a lease, do, mark done. A killed worker's messages come due again: at once,
when another one sees that it is gone, and at the latest when the lease ends.
"""

import secrets
import select
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from flask import Flask
from sqlalchemy import ColumnElement, Select, func, or_, update
from sqlalchemy import select as sql_select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from core import clock, db, observe, statements
from core.outbox import CHANNEL, OutboxMessage

Handler = Callable[[dict[str, Any]], None]

LEASE = timedelta(seconds=60)
BATCH = 10
# So many are carried out together at most.
MANY = 100
MAX_ATTEMPTS = 20
LONGEST_BACKOFF_SECONDS = 3600

# A worker that waits for messages holds a lock of this class on a number of its own, for as long as its connection
# lives: PostgreSQL lets it go when the worker is killed.
_LIVES = 0x0B0C5
_SHOW_LIFE = "SELECT pg_advisory_lock(%s, %s)"
_TAKE_OVER = """
UPDATE outbox_messages SET due_at = %(now)s, held_by = NULL
WHERE held_by IS NOT NULL AND due_at > %(now)s AND held_by NOT IN (
    SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = %(lives)s AND granted
)
"""


@dataclass(frozen=True)
class Claim:
    """A message that this worker holds until its lease ends.

    :ivar attempts: this one included. Coming back later as asked (``TryLater``) does not count as one.
    :ivar leased_until: no two claims of a message have the same; it fences a late finisher off.
    """

    id: UUID
    topic: str
    payload: dict[str, Any]
    request_id: str
    attempts: int
    leased_until: datetime


class TryLater(Exception):
    """A handler's way to say: not yet; keep the message and come back after ``seconds``."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"again in {seconds} s")
        self.seconds = seconds


# The places of messages that are not done yet: to be done alone (None), or so many seconds later; 0: not this time.
Left = Mapping[int, int | None]


@dataclass(frozen=True)
class Together:
    """A handler whose messages the database alone can carry out, many in the transaction that marks them done.

    ``many`` is given payloads in the order of announcing. When it fails, nothing of it has happened, and each of the
    messages is done ``alone``: one that cannot be done stops no other.
    """

    alone: Handler
    many: Callable[[Session, Sequence[dict[str, Any]]], Left]

    def __call__(self, payload: dict[str, Any]) -> None:
        self.alone(payload)


class Dispatcher:
    """Runs handlers. A handler is idempotent, takes ids, and opens its own short transactions."""

    def __init__(self, app: Flask, handlers: Mapping[str, Handler]) -> None:
        self._app = app
        self._handlers = handlers
        self._together = {topic: each for topic, each in handlers.items() if isinstance(each, Together)}
        # The number of its lock; None: only the lease says that its messages are held.
        self._number: int | None = None

    def run_due(self) -> int:
        """Do every message that is due now; returns how many were tried."""
        tried = 0
        while some := self._do_together() + self._do_alone():
            tried += some
        return tried

    def run_forever(self, stop: threading.Event, *, idle_seconds: float = 1.0) -> None:
        """Work until ``stop`` is set; wakes at once on NOTIFY, and every ``idle_seconds`` for what came due."""
        while not stop.is_set():
            try:
                self._listen_and_work(stop, idle_seconds)
            except (OperationalError, psycopg.OperationalError):
                observe.log.warning("outbox.database_unavailable")
                stop.wait(1.0)

    def _listen_and_work(self, stop: threading.Event, idle_seconds: float) -> None:
        with self._app.app_context():
            address = db.orm.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(address, autocommit=True) as listener:
            self._number = secrets.randbelow(2**31)
            listener.execute(_SHOW_LIFE, (_LIVES, self._number))
            listener.execute(f"LISTEN {CHANNEL}")
            while not stop.is_set():
                self._take_over()
                self.run_due()
                self._count_waiting()
                select.select([listener.fileno()], [], [], idle_seconds)
                # Take every waiting notification off the connection; what they say is in the table.
                for _ in listener.notifies(timeout=0):
                    pass

    def _take_over(self) -> None:
        """What a worker held that is no more is due now."""
        with self._app.app_context(), db.transaction() as session:
            statements.run(session, _TAKE_OVER, {"now": clock.now(), "lives": _LIVES})

    def _do_together(self) -> int:
        """Their rows are locked until all is committed, and need no lease: a killed worker leaves them as they were."""
        if not self._together:
            return 0
        held: list[_Held] = []
        try:
            with self._app.app_context(), db.transaction() as session:
                held = _hold(session, self._together)
                causes = {each.request_id for each in held}
                observe.begin_request(causes.pop() if len(causes) == 1 else None)
                left = self._carry_out(session, held)
                alone = _settle_together(session, self._number, held, left)
        except Exception as error:
            if not held:
                raise
            # The error's text may quote a row, so only its type is logged.
            observe.log.warning("outbox.group_failed", messages=len(held), error=type(error).__name__)
            left = {each.id: None for each in held}
            with self._app.app_context(), db.transaction() as session:
                alone = _claim(session, self._number, self._together, OutboxMessage.id.in_(left), limit=len(held))
        for each in held:
            if each.id not in left:
                observe.OUTBOX_HANDLED.labels(each.topic, "done").inc()
        for claim in alone:
            self._do(claim)
        return len(held) - sum(seconds == 0 for seconds in left.values())

    def _carry_out(self, session: Session, held: Sequence["_Held"]) -> dict[UUID, int | None]:
        left: dict[UUID, int | None] = {}
        for topic in {each.topic: None for each in held}:
            ours = [each for each in held if each.topic == topic]
            places = self._together[topic].many(session, [each.payload for each in ours])
            left |= {ours[place].id: seconds for place, seconds in places.items()}
        return left

    def _do_alone(self) -> int:
        # What was tried before is not done with others again: it may be what failed them.
        is_alone = or_(OutboxMessage.topic.not_in(self._together), OutboxMessage.attempts > 0)
        with self._app.app_context(), db.transaction() as session:
            claims = _claim(session, self._number, self._handlers, is_alone, limit=BATCH)
        for claim in claims:
            self._do(claim)
        return len(claims)

    def _do(self, claim: Claim) -> None:
        if clock.now() >= claim.leased_until:
            # Those before it in the batch took long: by now it is another worker's, or due again.
            return
        observe.begin_request(claim.request_id)
        try:
            with self._app.app_context():
                self._handlers[claim.topic](claim.payload)
        except TryLater as later:
            due_at = clock.now() + timedelta(seconds=later.seconds)
            self._settle(claim, "later", due_at=due_at, attempts=claim.attempts - 1)
        except Exception as error:
            self._fail(claim, error)
        else:
            self._settle(claim, "done", done_at=clock.now())

    def _fail(self, claim: Claim, error: Exception) -> None:
        # The error's text may quote a row, so only its type is kept and logged.
        name = type(error).__name__
        observe.log.warning("outbox.failed", topic=claim.topic, message=str(claim.id), error=name)
        if claim.attempts >= MAX_ATTEMPTS:
            self._settle(claim, "dead", dead_at=clock.now(), error=name)
            return
        wait = min(2**claim.attempts, LONGEST_BACKOFF_SECONDS)
        self._settle(claim, "failed", due_at=clock.now() + timedelta(seconds=wait), error=name)

    def _settle(self, claim: Claim, outcome: str, *, error: str | None = None, **values: Any) -> None:
        statement = (
            update(OutboxMessage)
            .where(OutboxMessage.id == claim.id, OutboxMessage.due_at == claim.leased_until)
            .where(OutboxMessage.done_at.is_(None))
            .values(last_error=error, held_by=None, **values)
        )
        with self._app.app_context(), db.transaction() as session:
            session.execute(statement)
        observe.OUTBOX_HANDLED.labels(claim.topic, outcome).inc()

    def _count_waiting(self) -> None:
        waiting = sql_select(func.count()).where(OutboxMessage.done_at.is_(None), OutboxMessage.dead_at.is_(None))
        with self._app.app_context(), db.snapshot() as session:
            observe.OUTBOX_WAITING.set(session.scalar(waiting) or 0)


@dataclass(frozen=True)
class _Held:
    """A message whose row is locked."""

    id: UUID
    topic: str
    payload: dict[str, Any]
    request_id: str


def _choose_due(topics: Iterable[str], *only: ColumnElement[bool], limit: int) -> Select[tuple[UUID]]:
    return (
        sql_select(OutboxMessage.id)
        .where(OutboxMessage.done_at.is_(None), OutboxMessage.dead_at.is_(None))
        .where(OutboxMessage.due_at <= clock.now(), OutboxMessage.topic.in_(topics), *only)
        .order_by(OutboxMessage.due_at, OutboxMessage.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )


def _hold(session: Session, topics: Iterable[str]) -> list[_Held]:
    due = _choose_due(topics, OutboxMessage.attempts == 0, limit=MANY).add_columns(
        OutboxMessage.topic, OutboxMessage.payload, OutboxMessage.request_id
    )
    return sorted((_Held(*row) for row in session.execute(due).tuples()), key=lambda each: each.id)


def _claim(
    session: Session, number: int | None, topics: Iterable[str], *only: ColumnElement[bool], limit: int
) -> list[Claim]:
    due = _choose_due(topics, *only, limit=limit).scalar_subquery()
    claimed = (
        update(OutboxMessage)
        .where(OutboxMessage.id.in_(due))
        .values(due_at=clock.now() + LEASE, held_by=number, attempts=OutboxMessage.attempts + 1)
        .returning(
            OutboxMessage.id,
            OutboxMessage.topic,
            OutboxMessage.payload,
            OutboxMessage.request_id,
            OutboxMessage.attempts,
            OutboxMessage.due_at,
        )
    )
    # RETURNING has no order of its own; ids have that of announcing.
    return sorted((Claim(*row) for row in session.execute(claimed)), key=lambda claim: claim.id)


def _settle_together(
    session: Session, number: int | None, held: Sequence[_Held], left: Mapping[UUID, int | None]
) -> list[Claim]:
    """Mark as done what is; gives those of the others that are to be done alone, now."""
    now, changing = clock.now(), update(OutboxMessage).execution_options(synchronize_session=False)
    done = [each.id for each in held if each.id not in left]
    if done:
        session.execute(changing.where(OutboxMessage.id.in_(done)).values(done_at=now, attempts=1))
    for seconds in {seconds for seconds in left.values() if seconds}:
        later = [id_ for id_, wanted in left.items() if wanted == seconds]
        due_at = now + timedelta(seconds=seconds)
        session.execute(changing.where(OutboxMessage.id.in_(later)).values(due_at=due_at))
    alone = [id_ for id_, seconds in left.items() if seconds is None]
    topics = {each.topic for each in held}
    return _claim(session, number, topics, OutboxMessage.id.in_(alone), limit=len(alone)) if alone else []
