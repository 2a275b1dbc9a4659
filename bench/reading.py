"""What a patient reads: beside the same query behind a bare route, and in a database a hundred times as large."""

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from accounts import service as accounts
from accounts import tokens
from app import create_app
from bench import filling
from bench.harness import Figure, Machines, Round, Settings, alternate, machines
from bench.town import register_reader
from core import db
from core.actor import SYSTEM, Actor
from core.config import Config, read_config

READERS = 200
_BARE = "bench.bare_reading:create_app"
_REPORTS = "SELECT person_id, array_agg(id) FROM reports WHERE person_id = ANY(%s) GROUP BY person_id"
_BYTES = """
SELECT (pg_total_relation_size('reports') + pg_total_relation_size('timeline_entries'))::float / count(*) FROM reports
"""


@dataclass(frozen=True)
class Reader:
    """Somebody at his phone. ``report_ids``: whose reports he may open."""

    actor: Actor
    person_id: UUID
    report_ids: tuple[UUID, ...] = ()


# What of a reader's is asked for, some of it by chance.
_Address = Callable[[Reader, random.Random], str]


def measure_timeline(settings: Settings) -> list[Figure]:
    """A page of 40 lines."""
    return _measure("timeline", settings, ask_timeline)


def measure_report(settings: Settings) -> list[Figure]:
    """One report of 20 results."""
    return _measure("report_read", settings, ask_report)


def measure_fhir(settings: Settings) -> list[Figure]:
    """40 results of one patient, as FHIR shows them."""
    return _measure("fhir_read", settings, ask_results)


def measure_growth(settings: Settings) -> list[Figure]:
    """A page and a report in the large database, and in the small; the readers have as many reports in both."""
    with town(settings) as (running, config, readers):
        urls = {"large": running.product_url, "small": running.copy_database("small")}
        sizes = {"large": settings.reports, "small": settings.small_reports or settings.reports // 10}
        for name, url in urls.items():
            filling.fill(url, sizes[name], [reader.person_id for reader in readers])
            running.serve(name, "app:create_app", database_url=url, ready="/readyz")
        with_reports = find_reports(urls["large"], readers)
        figures = []
        for bench, address in (("timeline_growth", ask_timeline), ("report_growth", ask_report)):
            requests = _write_requests(config, with_reports, settings.seed, address)
            contenders = {name: _contender(running, name, requests, settings, url) for name, url in urls.items()}
            figures += alternate(bench, contenders, settings.rounds)
        return figures


def _measure(bench: str, settings: Settings, address: _Address) -> list[Figure]:
    """The product beside the bare handler, on one database."""
    with town(settings) as (running, config, readers):
        url = running.product_url
        filling.fill(url, settings.reports, [reader.person_id for reader in readers])
        running.serve("product", "app:create_app", database_url=url, ready="/readyz")
        running.serve("bare", _BARE, database_url=url, ready="/healthz")
        requests = _write_requests(config, find_reports(url, readers), settings.seed, address)
        contenders = {name: _contender(running, name, requests, settings, url) for name in ("product", "bare")}
        return alternate(bench, contenders, settings.rounds)


@contextmanager
def town(settings: Settings) -> Iterator[tuple[Machines, Config, list[Reader]]]:
    """Servers, and the readers, who have no reports yet."""
    with tempfile.TemporaryDirectory(prefix="yimatong-bench-") as name, machines(Path(name) / "servers") as running:
        config = read_config(running.environment)
        with create_app(config).app_context():
            readers = make_readers(config, settings.seed)
            db.orm.session.remove()
            db.orm.engine.dispose()
            yield running, config, readers


def make_readers(config: Config, seed: int, count: int = READERS) -> list[Reader]:
    """People with a card and a signed-in phone, and the hospital that all reports are from. Commits."""
    chance = random.Random(seed)
    with db.transaction() as session:
        accounts.register_hospital(session, SYSTEM, code="BENCH1", name="第一测试医院", level=3)
        return [Reader(*register_reader(session, config, chance, number)) for number in range(count)]


def ask_timeline(_reader: Reader, _chance: random.Random) -> str:
    """40 lines."""
    return "/api/v1/timeline?limit=40"


def ask_report(reader: Reader, chance: random.Random) -> str:
    """Any of the reader's reports."""
    return f"/api/v1/reports/{chance.choice(reader.report_ids)}"


def ask_results(reader: Reader, _chance: random.Random) -> str:
    """40 results by FHIR."""
    return f"/fhir/Observation?patient={reader.person_id}&category=laboratory&_count=40"


def find_reports(database_url: str, readers: list[Reader]) -> list[Reader]:
    """The same readers, with the reports that they have there."""
    with filling.connect(database_url) as connection:
        rows = connection.execute(_REPORTS, [[reader.person_id for reader in readers]]).fetchall()
    found = {row[0]: row[1] for row in rows}
    return [Reader(reader.actor, reader.person_id, tuple(found[reader.person_id])) for reader in readers]  # type: ignore[arg-type]


def issue_tokens(config: Config, readers: list[Reader]) -> dict[UUID, str]:
    """By person; they live for ten minutes."""
    with db.transaction() as session:
        issued = {
            reader.person_id: tokens.issue_token(
                session,
                issuer=config.base_url,
                subject_kind="patient",
                subject_id=reader.actor.id,
                life=tokens.PATIENT_LIFE,
                session_id=reader.actor.session_id,
            ).text
            for reader in readers
        }
    db.orm.session.remove()
    db.orm.engine.dispose()
    return issued


def _write_requests(config: Config, readers: list[Reader], seed: int, address: _Address) -> list[str]:
    """More than are sent, each of a reader chosen by chance; the tokens live for ten minutes from now."""
    chance, issued = random.Random(seed), issue_tokens(config, readers)
    drawn = [chance.choice(readers) for _ in range(20_000)]
    return [
        f"GET {address(reader, chance)} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {issued[reader.person_id]}\r\n\r\n"
        for reader in drawn
    ]


def _contender(
    running: Machines, name: str, requests: list[str], settings: Settings, database_url: str
) -> Callable[[], Round]:
    with filling.connect(database_url) as connection:
        row = connection.execute(_BYTES).fetchone()
    assert row is not None
    bytes_a_report = float(str(row[0]))
    running.measure(name, requests[:500], settings, expected_status=200)

    def one_round() -> Round:
        measured = running.measure(name, requests, settings, expected_status=200)
        return measured | {"bytes_a_report": bytes_a_report}

    return one_round
