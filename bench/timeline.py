"""A patient's timeline page: beside the same query behind a bare route, and in a database ten times as large."""

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg

from accounts import service as accounts
from accounts import tokens
from app import create_app
from bench.harness import Figure, Machines, Round, Settings, alternate, machines
from bench.town import register_reader
from core import db
from core.actor import SYSTEM, Actor
from core.config import Config, read_config

PATH = "/api/v1/timeline?limit=40"
READERS, LINES_OF_A_READER = 200, 40
# 31 million reports of 4.7 million people.
LINES_OF_A_PERSON = 7

_FILLERS = "CREATE TEMP TABLE filler AS SELECT gen_random_uuid() AS id FROM generate_series(1, %s)"
_PERSONS = """
INSERT INTO persons (id, root_id, data_key, name_sealed, phone_sealed, sex, birth_date, assurance, created_at)
SELECT filler.id, filler.id, data_key, name_sealed, phone_sealed, sex, birth_date, assurance, created_at
FROM filler, (SELECT * FROM persons LIMIT 1) AS like_this
"""
_MESSAGE = """
INSERT INTO inbound_messages (id, hospital_id, channel, digest, content_type, data_key, body_sealed, state, reply,
    received_at)
SELECT gen_random_uuid(), id, 'hl7v2', '', 'x-application/hl7-v2+er7', '', '', 'accepted', '', now() FROM hospitals
"""
_LINES = """
CREATE TEMP TABLE line AS
SELECT gen_random_uuid() AS id, gen_random_uuid() AS report_id, filler.id AS person_id, number,
    now() - random() * interval '10 years' AS at, (SELECT id FROM hospitals LIMIT 1) AS hospital_id,
    (SELECT id FROM inbound_messages LIMIT 1) AS message_id
FROM filler, generate_series(1, %s) AS number
"""
_REPORTS = """
INSERT INTO reports (id, version, is_current, hospital_id, person_id, inbound_message_id, effective_at, filed_at,
    channel, status, category, identifier_system, identifier_value, code, code_system, name)
SELECT report_id, 1, true, hospital_id, person_id, message_id, at, at, 'hl7v2', 'final', 'laboratory',
    'urn:example:lis', report_id::text, '24323-8', 'http://loinc.org', '生化全套' FROM line
"""
_ENTRIES = """
INSERT INTO timeline_entries (id, person_id, hospital_id, object_kind, object_id, version, category, title, status,
    occurred_at, filed_at)
SELECT id, person_id, hospital_id, 'report', report_id, 1, 'laboratory', '生化全套', 'final', at, at FROM line
"""
_BYTES = """
SELECT (pg_total_relation_size('reports') + pg_total_relation_size('timeline_entries'))::float / count(*) FROM reports
"""


@dataclass(frozen=True)
class Reader:
    """Somebody at his phone."""

    actor: Actor
    person_id: UUID


def measure(settings: Settings) -> list[Figure]:
    """The product beside the bare handler, on one database."""
    with _loaded(settings) as (running, config, readers):
        fill(running.product_url, settings.reports)
        running.serve("product", "app:create_app", database_url=running.product_url, ready="/readyz")
        running.serve("bare", "bench.bare_timeline:create_app", database_url=running.product_url, ready="/healthz")
        requests = _write_requests(config, readers, settings.seed)
        contenders = {
            name: _contender(running, name, requests, settings, running.product_url) for name in ("product", "bare")
        }
        return alternate("timeline", contenders, settings.rounds)


def measure_growth(settings: Settings) -> list[Figure]:
    """The product with all reports, and with a tenth of them; the readers have as many in both."""
    with _loaded(settings) as (running, config, readers):
        tenth = settings.reports // 10
        fill(running.product_url, tenth)
        small_url = running.copy_database("small")
        fill(running.product_url, settings.reports - tenth)
        running.serve("large", "app:create_app", database_url=running.product_url, ready="/readyz")
        running.serve("small", "app:create_app", database_url=small_url, ready="/readyz")
        requests = _write_requests(config, readers, settings.seed)
        urls = {"large": running.product_url, "small": small_url}
        contenders = {name: _contender(running, name, requests, settings, url) for name, url in urls.items()}
        return alternate("timeline_growth", contenders, settings.rounds)


def fill(database_url: str, reports: int) -> None:
    """So many reports of people of whom nobody asks, written by the database itself, all of one message."""
    with psycopg.connect(database_url.replace("+psycopg", "", 1), autocommit=True) as connection:
        connection.execute(_FILLERS, [-(-reports // LINES_OF_A_PERSON)])
        connection.execute(_PERSONS)
        _write_lines(connection, LINES_OF_A_PERSON)
        for table in ("persons", "reports", "timeline_entries"):
            connection.execute(f"VACUUM ANALYZE {table}")


@contextmanager
def _loaded(settings: Settings) -> Iterator[tuple[Machines, Config, list[Reader]]]:
    """Servers, and the readers with their reports."""
    with tempfile.TemporaryDirectory(prefix="yimatong-bench-") as name, machines(Path(name) / "servers") as running:
        config = read_config(running.environment)
        with create_app(config).app_context():
            readers = make_readers(config, settings.seed)
            db.orm.session.remove()
            db.orm.engine.dispose()
            with psycopg.connect(running.product_url.replace("+psycopg", "", 1), autocommit=True) as connection:
                connection.execute(_MESSAGE)
                connection.execute("CREATE TEMP TABLE filler (id uuid)")
                rows = [(reader.person_id,) for reader in readers]
                connection.cursor().executemany("INSERT INTO filler VALUES (%s)", rows)
                _write_lines(connection, LINES_OF_A_READER)
            yield running, config, readers


def make_readers(config: Config, seed: int, count: int = READERS) -> list[Reader]:
    """People with a card and a signed-in phone, and the hospital that all reports are from. Commits."""
    chance = random.Random(seed)
    with db.transaction() as session:
        accounts.register_hospital(session, SYSTEM, code="BENCH1", name="第一测试医院", level=3)
        return [Reader(*register_reader(session, config, chance, number)) for number in range(count)]


def _write_lines(connection: psycopg.Connection[tuple[object, ...]], lines: int) -> None:
    connection.execute(_LINES, [lines])
    connection.execute(_REPORTS)
    connection.execute(_ENTRIES)
    connection.execute("DROP TABLE line, filler")


def _write_requests(config: Config, readers: list[Reader], seed: int) -> list[str]:
    """More than are sent, each of a reader chosen by chance; the tokens live for ten minutes from now."""
    chance = random.Random(seed)
    with db.transaction() as session:
        texts = [
            tokens.issue_token(
                session,
                issuer=config.base_url,
                subject_kind="patient",
                subject_id=reader.actor.id,
                life=tokens.PATIENT_LIFE,
                session_id=reader.actor.session_id,
            ).text
            for reader in readers
        ]
    db.orm.session.remove()
    db.orm.engine.dispose()
    heads = [
        "\r\n".join((f"GET {PATH} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {text}", "", ""))
        for text in texts
    ]
    return [chance.choice(heads) for _ in range(20_000)]


def _contender(
    running: Machines, name: str, requests: list[str], settings: Settings, database_url: str
) -> Callable[[], Round]:
    with psycopg.connect(database_url.replace("+psycopg", "", 1)) as connection:
        row = connection.execute(_BYTES).fetchone()
    assert row is not None
    bytes_a_report = float(row[0])
    running.measure(name, requests[:500], settings, expected_status=200)

    def one_round() -> Round:
        measured = running.measure(name, requests, settings, expected_status=200)
        return measured | {"bytes_a_report": bytes_a_report}

    return one_round
