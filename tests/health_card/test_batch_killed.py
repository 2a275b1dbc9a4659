"""``kill -9`` of the worker while it writes a chunk: the batch ends as if nothing had been, each line once."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from flask import Flask
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session

from accounts.models import Role
from core import clock, db
from core.audit import AuditEntry
from core.dispatch import Dispatcher
from core.outbox import OutboxMessage
from health_card.batches import issuing, jobs, service
from health_card.batches.models import CardBatchRow
from health_card.certificates import CertificateType, check_certificate
from health_card.models import Card, Person
from health_card.service.identities import add_certificate
from tests.support.city import City, resident_id
from tests.support.lists import open_batch, person, progress, result
from tests.support.prepared import Prepared

ROWS, CHUNK_ROWS = 70, 20


def issue_batches(app: Flask) -> None:
    """The worker as far as it issues batches, with chunks that a test can afford."""
    issuing.CHUNK_ROWS = CHUNK_ROWS
    Dispatcher(app, {service.DUE_TOPIC: jobs.issue_batch}).run_forever(threading.Event())


@contextmanager
def a_certificate_being_registered(city: City, number: str) -> Iterator[None]:
    """Somebody else is about to have this certificate: whoever writes it too waits for him, who gives up in the end."""
    patient = city.patient()
    with Session(db.orm.engine) as session:
        other = session.get_one(Person, patient.person_id)
        add_certificate(session, other, check_certificate(CertificateType.RESIDENT_ID, number), is_primary=False)
        yield


def wait_until(is_so: Callable[[], bool]) -> None:
    gives_up_at = time.monotonic() + 120
    while not is_so():
        assert time.monotonic() < gives_up_at
        time.sleep(0.02)


def is_writing_certificates() -> bool:
    """Whether a COPY stands still in the middle, with persons written before it."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
        "AND query LIKE 'COPY \"person_certificates\"%'"
    )
    with db.transaction() as session:
        return bool(session.scalar(waiting))


def count(table: type[Person] | type[Card]) -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_worker_killed_in_the_middle_of_a_chunk_costs_and_doubles_no_card(committing_city: City) -> None:
    city, numbers = committing_city, [resident_id() for _ in range(ROWS)]
    operator = city.staff(None, Role.OPERATOR)
    with db.transaction() as session:
        # What others have left undone would make persons too.
        session.execute(delete(OutboxMessage))
    batch_id = open_batch(city, operator, [person(number) for number in numbers])
    with a_certificate_being_registered(city, numbers[CHUNK_ROWS * 2 + 7]):
        before = count(Person), count(Card)
        with Prepared(partial(issue_batches, city.app)) as worker:
            worker.start()
            wait_until(is_writing_certificates)
            worker.kill()
    assert (count(Person) - before[0], count(Card) - before[1]) == (2 * CHUNK_ROWS, 2 * CHUNK_ROWS)
    assert progress(city, operator, batch_id)["rows_done"] == 2 * CHUNK_ROWS

    with db.transaction() as session:
        # The lease of what the dead worker held has run out.
        session.execute(
            update(OutboxMessage).where(OutboxMessage.topic == service.DUE_TOPIC).values(due_at=clock.now())
        )
    Dispatcher(city.app, jobs.HANDLERS).run_due()
    shown = progress(city, operator, batch_id)
    assert (shown["state"], shown["rows_made"], shown["rows_done"]) == ("done", ROWS, ROWS)
    assert (count(Person) - before[0], count(Card) - before[1]) == (ROWS, ROWS)
    with db.transaction() as session:
        lines = session.scalars(select(CardBatchRow.line).filter_by(batch_id=batch_id)).all()
        made = issuing.list_made_cards(session, batch_id=batch_id, first_line=1, last_line=ROWS + 1)
        registered = select(func.count()).where(AuditEntry.object_id.in_([each.card_id for each in made]))
        assert session.scalar(registered.where(AuditEntry.action == "health_card.person.registered")) == ROWS
    assert sorted(lines) == list(range(2, ROWS + 2))
    outcome = result(city, operator, batch_id)
    assert [row[:2] for row in outcome] == [[str(line), "已发卡"] for line in range(2, ROWS + 2)]
    assert len({row[2] for row in outcome}) == ROWS
