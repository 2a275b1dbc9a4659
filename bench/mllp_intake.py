"""Laboratory messages a second, durable: the worker's MLLP listener, and beside it the rows copied by hand."""

import random
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psutil
from sqlalchemy import func, select, update

from accounts import service as accounts
from app import create_app
from bench.bare_mllp import BareIntake, Ward
from bench.harness import (
    Figure,
    Machines,
    Round,
    Settings,
    alternate,
    cpu_seconds,
    machines,
    percentile,
    send_from_process,
)
from bench.town import make_town
from core import clock, db
from core.actor import SYSTEM, Actor, ActorKind
from core.config import read_config
from core.embedded.process import find_port
from core.outbox import OutboxMessage
from core.vault import vault
from health_card import service as health_card
from health_card.models import Holder
from health_card.notices.models import MessageCredit
from records.hl7v2.mllp import claim_files

# What an analyser sends of one blood sample: LOINC code, name, unit, reference range.
ITEMS = (
    ("6690-2", "白细胞计数", "10*9/L", "3.5-9.5"),
    ("789-8", "红细胞计数", "10*12/L", "4.3-5.8"),
    ("718-7", "血红蛋白", "g/L", "130-175"),
    ("4544-3", "红细胞压积", "%", "40-50"),
    ("777-3", "血小板计数", "10*9/L", "125-350"),
    ("770-8", "中性粒细胞百分数", "%", "40-75"),
    ("736-9", "淋巴细胞百分数", "%", "20-50"),
    ("5905-5", "单核细胞百分数", "%", "3-10"),
)
CONNECTIONS = 128
CROWD = 3000


@dataclass(frozen=True)
class Intake:
    """The listener that is measured, and the worker that tells of what was filed meanwhile."""

    listener_id: int | None
    jobs_id: int | None
    port: int
    ward: Ward


@dataclass(frozen=True)
class Spent:
    """CPU seconds of a round."""

    listener: float
    jobs: float
    database: float


@dataclass(frozen=True)
class Ready:
    """A town whose hospital's port is listened on. ``bare``: a copy of its database."""

    running: Machines
    intake: Intake
    bare: BareIntake
    chance: random.Random


def measure(settings: Settings) -> list[Figure]:
    """Each round sends new messages over many connections; the other one files as many in one process."""
    with _listening(settings) as ready:
        contenders = {"product": lambda: _send(ready, settings), "bare": lambda: _copy(ready, settings)}
        return alternate("mllp_intake", contenders, settings.rounds)


def measure_crowded(settings: Settings) -> list[Figure]:
    """The same messages while thousands of other connections are open, some of them in the middle of a message."""
    with _listening(settings) as ready:
        contenders = {"crowded": lambda: _send_in_crowd(ready, settings), "alone": lambda: _send(ready, settings)}
        return alternate("mllp_crowded", contenders, settings.rounds)


@contextmanager
def _listening(settings: Settings) -> Iterator[Ready]:
    with tempfile.TemporaryDirectory(prefix="yimatong-bench-") as name, machines(Path(name) / "servers") as running:
        config = read_config(running.environment)
        with create_app(config).app_context():
            card_numbers = make_town(config, persons=settings.persons, seed=settings.seed).card_numbers
            port = find_port()
            ward = _open_ward(card_numbers, port)
            _quieten_town()
            db.orm.session.remove()
            db.orm.engine.dispose()
            bare = BareIntake(running.copy_database("bare"), vault(), ward)
            listener, jobs = running.start_worker("listener"), running.start_worker("jobs")
            _wait_for(port)
            _wait_until_told()
            intake = Intake(listener.process_id, jobs.process_id, port, ward)
            try:
                yield Ready(running, intake, bare, random.Random(settings.seed))
            finally:
                bare.close()


def _send_in_crowd(ready: Ready, settings: Settings) -> Round:
    claim_files()
    with ExitStack() as crowd:
        for number in range(CROWD):
            peer = crowd.enter_context(socket.create_connection(("127.0.0.1", ready.intake.port), timeout=20))
            if number % 50 == 0:
                peer.sendall(b"\x0bMSH|^~")
        return _send(ready, settings)


def write_message(ward: Ward, chance: random.Random) -> str:
    """An ORU^R01 of one blood count."""
    order = secrets.token_hex(8)
    lines = [
        f"MSH|^~\\&|LIS|{ward.hospital_code}|YIMATONG|CITY|20260305100001||ORU^R01^ORU_R01|{order}|P|2.5.1||||||"
        "UNICODE UTF-8",
        f"PID|1||{chance.choice(ward.numbers)}^^^{ward.hospital_code}^PI",
        "PV1|1|O",
        f"OBR|1||{order}^LIS|58410-2^全血细胞计数^LN|||20260305083000|||||||||||||||20260305100000||LAB|F",
    ]
    for number, (code, name, unit, usual) in enumerate(ITEMS, start=1):
        value = f"{chance.uniform(1, 200):.2f}"
        lines.append(f"OBX|{number}|NM|{code}^{name}^LN||{value}|{unit}^{unit}^UCUM|{usual}|N|||F")
    return "\r".join(lines) + "\r"


def _open_ward(card_numbers: list[str], port: int) -> Ward:
    """A hospital that knows everybody under a number of its own, and its port."""
    code = f"B{secrets.token_hex(6).upper()}"
    numbers: dict[str, UUID] = {}
    with db.transaction() as session:
        hospital_id = accounts.register_hospital(session, SYSTEM, code=code, name="测试检验医院", level=3)
        accounts.open_mllp_port(session, SYSTEM, hospital_id=hospital_id, port=port)
        system = Actor(ActorKind.MACHINE, hospital_id, frozenset(), hospital_id=hospital_id)
        for place, card_number in enumerate(card_numbers):
            person_id = health_card.find_person(session, system, card_number=card_number)
            assert person_id is not None
            health_card.bind_patient_number(session, system, person_id=person_id, number=f"MZ{place:06d}")
            numbers[f"MZ{place:06d}"] = person_id
    return Ward(hospital_id, code, numbers)


def _quieten_town() -> None:
    """What making the town left to be done is none of the reports', and no phone of it has accepted messages."""
    template_id = "demo-notices"
    with db.transaction() as session:
        session.execute(update(OutboxMessage).where(OutboxMessage.done_at.is_(None)).values(done_at=clock.now()))
        for login_id in session.scalars(select(Holder.login_id)).all():
            session.add(MessageCredit(login_id=login_id, template_id=template_id, remaining=0, changed_at=clock.now()))


def _send(ready: Ready, settings: Settings) -> Round:
    running, intake, chance = ready.running, ready.intake, ready.chance
    frames = [f"\x0b{write_message(intake.ward, chance)}\x1c\r" for _ in range(int(settings.seconds * 2500))]
    many = Settings(**{**vars(settings), "connections": CONNECTIONS})
    database, listener = running.database_cpu_seconds(), cpu_seconds(intake.listener_id)
    jobs = cpu_seconds(intake.jobs_id)
    load = send_from_process(intake.port, frames, many, protocol="mllp")
    listener = cpu_seconds(intake.listener_id) - listener
    memory_mib = psutil.Process(intake.listener_id).memory_info().rss / 2**20
    _wait_until_told()
    database = running.database_cpu_seconds() - database
    jobs = cpu_seconds(intake.jobs_id) - jobs
    if set(load.statuses) != {"AA"}:
        raise RuntimeError(f"answers were {dict(load.statuses)}")
    spent = Spent(listener, jobs, database)
    figures = _figures(len(load.latencies_ms), load.seconds, spent, percentile(load.latencies_ms, 99))
    return figures | {"listener_mib": memory_mib}


def _copy(ready: Ready, settings: Settings) -> Round:
    running, bare = ready.running, ready.bare
    bodies = [write_message(ready.intake.ward, ready.chance).encode() for _ in range(int(settings.seconds * 3000))]
    database, worker, started = running.database_cpu_seconds(), time.process_time(), time.perf_counter()
    filed = bare.file(bodies, seconds=settings.seconds)
    seconds, worker = time.perf_counter() - started, time.process_time() - worker
    spent = Spent(worker, 0.0, running.database_cpu_seconds() - database)
    return _figures(filed, seconds, spent, bare.slowest_ms) | {
        "listener_mib": psutil.Process().memory_info().rss / 2**20
    }


def _figures(messages: int, seconds: float, spent: Spent, p99_ms: float) -> Round:
    return {
        "per_second": messages / seconds,
        "per_cpu_second": messages / (spent.listener + spent.jobs + spent.database),
        "p99_ms": p99_ms,
        "listener_cpu_ms": spent.listener * 1000 / messages,
        # Never nothing, as the other contender tells nobody and ratios are of all figures.
        "jobs_cpu_ms": max(spent.jobs * 1000 / messages, 0.001),
        "database_cpu_ms": spent.database * 1000 / messages,
    }


def _wait_until_told() -> None:
    """What one round leaves to be told is not on the account of the next one."""
    until = time.monotonic() + 120
    due = select(func.count()).where(OutboxMessage.done_at.is_(None), OutboxMessage.due_at <= clock.now())
    while time.monotonic() < until:
        with db.snapshot() as session:
            if not session.scalar(due):
                break
        time.sleep(0.2)
    db.orm.engine.dispose()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the listener did not open the port")
