"""Carrying the outbox out: claim with a lease, do, mark done. A killed worker's messages come due again."""

import select
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from flask import Flask
from sqlalchemy import func, update
from sqlalchemy import select as sql_select
from sqlalchemy.exc import OperationalError

from core import clock, db, observe
from core.outbox import CHANNEL, OutboxMessage

Handler = Callable[[dict[str, Any]], None]

LEASE = timedelta(seconds=60)
BATCH = 10
MAX_ATTEMPTS = 20
LONGEST_BACKOFF_SECONDS = 3600


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


class Dispatcher:
    """Runs handlers. A handler is idempotent, takes ids, and opens its own short transactions."""

    def __init__(self, app: Flask, handlers: Mapping[str, Handler]) -> None:
        self._app = app
        self._handlers = handlers

    def run_due(self) -> int:
        """Do every message that is due now; returns how many were tried."""
        tried = 0
        while claims := self._claim():
            for claim in claims:
                self._do(claim)
            tried += len(claims)
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
            listener.execute(f"LISTEN {CHANNEL}")
            while not stop.is_set():
                self.run_due()
                self._count_waiting()
                select.select([listener.fileno()], [], [], idle_seconds)
                # Take every waiting notification off the connection; what they say is in the table.
                for _ in listener.notifies(timeout=0):
                    pass

    def _claim(self) -> list[Claim]:
        now = clock.now()
        due = (
            sql_select(OutboxMessage.id)
            .where(OutboxMessage.done_at.is_(None), OutboxMessage.dead_at.is_(None))
            .where(OutboxMessage.due_at <= now, OutboxMessage.topic.in_(self._handlers))
            .order_by(OutboxMessage.due_at, OutboxMessage.id)
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        )
        claimed = (
            update(OutboxMessage)
            .where(OutboxMessage.id.in_(due.scalar_subquery()))
            .values(due_at=now + LEASE, attempts=OutboxMessage.attempts + 1)
            .returning(
                OutboxMessage.id,
                OutboxMessage.topic,
                OutboxMessage.payload,
                OutboxMessage.request_id,
                OutboxMessage.attempts,
                OutboxMessage.due_at,
            )
        )
        with self._app.app_context(), db.transaction() as session:
            # RETURNING has no order of its own; ids have that of announcing.
            return sorted((Claim(*row) for row in session.execute(claimed)), key=lambda claim: claim.id)

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
            .values(last_error=error, **values)
        )
        with self._app.app_context(), db.transaction() as session:
            session.execute(statement)
        observe.OUTBOX_HANDLED.labels(claim.topic, outcome).inc()

    def _count_waiting(self) -> None:
        waiting = sql_select(func.count()).where(OutboxMessage.done_at.is_(None), OutboxMessage.dead_at.is_(None))
        with self._app.app_context(), db.snapshot() as session:
            observe.OUTBOX_WAITING.set(session.scalar(waiting) or 0)
