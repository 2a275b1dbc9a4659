"""The same act by many hands at once is one row."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier
from uuid import UUID

from sqlalchemy import func, select

from core import audit, db
from core.actor import SYSTEM
from core.audit import AuditEntry
from core.ids import new_id
from tests.support.city import City

# Each of them holds a database connection at the barrier: no more than the pool has.
THREADS, ROUNDS = 6, 5


def act(city: City, person_id: UUID, together: Barrier) -> None:
    with city.app.app_context(), db.transaction() as session:
        session.execute(select(1))
        together.wait(timeout=60)
        audit.record_act_once(
            session,
            SYSTEM,
            "tests.thing.read",
            within=timedelta(minutes=15),
            subject_id=person_id,
            of=("thing", person_id),
        )


def test_acts_at_the_same_moment_fold_into_one_row(committing_city: City) -> None:
    for _ in range(ROUNDS):
        person_id, together = new_id(), Barrier(THREADS)
        with ThreadPoolExecutor(THREADS) as pool:
            for done in [pool.submit(act, committing_city, person_id, together) for _ in range(THREADS)]:
                done.result()
        with db.transaction() as session:
            assert session.scalar(select(func.count(AuditEntry.id)).filter_by(subject_id=person_id)) == 1
