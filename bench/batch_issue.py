"""Cards a second from a list of people: the worker's own job, and beside it the same by hand (bench/bare_batch.py)."""

import csv
import io
import random
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from accounts import service as accounts
from accounts.models import Role
from app import create_app
from bench.bare_batch import BareBatch
from bench.harness import Figure, Machines, Round, Settings, alternate, machines
from bench.town import invent_name, invent_number
from core import db, storage
from core.actor import SYSTEM, Actor, ActorKind
from core.config import read_config
from core.dispatch import TryLater
from core.vault import vault
from health_card.batches import jobs, service
from health_card.batches.reading import examine_list

HEADER = ("证件类型", "证件号码", "姓名", "手机号", "地址")


def measure(settings: Settings) -> list[Figure]:
    """Each round issues the cards of a new list of as many people, none of whom is there yet, in one process."""
    with tempfile.TemporaryDirectory(prefix="yimatong-bench-") as name, machines(Path(name) / "servers") as running:
        config = read_config(running.environment)
        with create_app(config).app_context():
            operator_id = hire_operator()
            _leave_database()
            bare = BareBatch(running.copy_database("bare"), vault(), operator_id)
            lists = Lists(random.Random(settings.seed), settings.rows)
            try:
                return alternate("batch_issue", _contenders(running, bare, lists, operator_id), settings.rounds)
            finally:
                bare.close()
                _leave_database()


class Lists:
    """Lists of people, no one of whom is in two of them."""

    def __init__(self, chance: random.Random, rows: int) -> None:
        self._chance, self._written, self.rows = chance, 0, rows

    def write(self) -> bytes:
        """The next one, as CSV."""
        sheet = io.StringIO(newline="")
        writer = csv.writer(sheet)
        writer.writerow(HEADER)
        writer.writerows(self._line() for _ in range(self.rows))
        return sheet.getvalue().encode()

    def _line(self) -> list[str]:
        self._written += 1
        number = invent_number(self._chance, self._written)
        phone = f"1700000{self._chance.randrange(10**4):04d}"
        return ["01", number, invent_name(self._chance), phone, f"测试路{self._written}号"]


def hire_operator() -> UUID:
    """Somebody who may send lists. Needs an app context, and commits."""
    with db.transaction() as session:
        return accounts.hire_staff(
            session,
            SYSTEM,
            hospital_id=None,
            username=f"b{secrets.token_hex(6)}",
            name="测试操作员",
            role=Role.OPERATOR,
            employee_number="B000001",
            password=secrets.token_urlsafe(12),
        )


def open_batch(document: bytes, operator_id: UUID) -> UUID:
    """Send a list, as its route does."""
    with storage.Staging() as staging:
        listed = staging.new_file()
        listed.write(document)
        listed.finish()
        with listed.open() as again:
            layout = examine_list(again)
        with db.transaction() as session:
            actor = Actor(ActorKind.STAFF, operator_id, frozenset())
            key = secrets.token_hex(8)
            reply, _ = service.open_batch(session, actor, key=key, name="bench", listed=listed, layout=layout)
    return UUID(reply["batch_id"])


def issue_batch(batch_id: UUID) -> None:
    """Let the worker's handler do it, called again as often as it asks for that.

    :raises RuntimeError: not every line gave a card: what was refused is not what is measured.
    """
    while True:
        try:
            jobs.issue_batch({"batch_id": str(batch_id)})
            break
        except TryLater:
            continue
    with db.snapshot() as session:
        batch = service.get_batch(session, batch_id)
    if batch.rows_made != batch.rows_total:
        raise RuntimeError(f"{batch.rows_made} cards for {batch.rows_total} lines")


def _contenders(running: Machines, bare: BareBatch, lists: Lists, operator_id: UUID) -> dict[str, Callable[[], Round]]:
    def by_product() -> Round:
        batch_id = open_batch(lists.write(), operator_id)
        return _time(running, lists.rows, lambda: issue_batch(batch_id))

    def by_hand() -> Round:
        document, batch_id = lists.write(), bare.open(lists.rows)
        return _time(running, lists.rows, lambda: bare.issue(batch_id, document))

    return {"product": by_product, "bare": by_hand}


def _time(running: Machines, rows: int, act: Callable[[], None]) -> Round:
    database, worker, started = running.database_cpu_seconds(), time.process_time(), time.perf_counter()
    act()
    seconds, worker = time.perf_counter() - started, time.process_time() - worker
    database = running.database_cpu_seconds() - database
    return {
        "per_second": rows / seconds,
        "per_cpu_second": rows / (worker + database),
        "worker_cpu_ms": worker * 1000 / rows,
        "database_cpu_ms": database * 1000 / rows,
    }


def _leave_database() -> None:
    db.orm.session.remove()
    db.orm.engine.dispose()
