"""A database full of reports, written by the database itself: as they come in over ten years, of people by chance."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import psycopg
from psycopg import sql

# 31 million reports of 4.7 million people.
REPORTS_OF_A_PERSON = 7
# A reader has one of each batch, and so they lie apart as those of a life do.
BATCHES = 40
RESULTS_OF_A_READER, RESULTS_OF_A_FILLER = 20, 1

_TABLES = ["reports", "timeline_entries", "observations"]
_MESSAGE = """
INSERT INTO inbound_messages (id, hospital_id, channel, digest, content_type, data_key, body_sealed, state, reply,
    received_at)
SELECT gen_random_uuid(), id, 'hl7v2', '', 'x-application/hl7-v2+er7', '', '', 'accepted', '', now() FROM hospitals
"""
_FILLERS = """
CREATE TEMP TABLE filler AS SELECT number, gen_random_uuid() AS id FROM generate_series(1, %s) AS number
"""
_PERSONS = """
INSERT INTO persons (id, root_id, data_key, name_sealed, phone_sealed, sex, birth_date, assurance, created_at)
SELECT filler.id, filler.id, data_key, name_sealed, phone_sealed, sex, birth_date, assurance, created_at
FROM filler, (SELECT * FROM persons LIMIT 1) AS like_this
"""
_LINES = """
CREATE TEMP TABLE line AS
SELECT report_id, person_id, results,
    now() - interval '10 years' * (%(batches)s - %(batch)s - random()) / %(batches)s AS at,
    (SELECT id FROM hospitals LIMIT 1) AS hospital_id, (SELECT id FROM inbound_messages LIMIT 1) AS message_id
FROM (
    SELECT uuidv7() AS report_id, filler.id AS person_id, %(fillers_results)s AS results
    FROM (
        SELECT 1 + floor(random() * %(people)s)::int AS number FROM generate_series(1, %(reports)s) OFFSET 0
    ) AS drawn JOIN filler USING (number)
    UNION ALL
    SELECT md5(id || '/' || %(batch)s)::uuid, id, %(readers_results)s FROM unnest(%(readers)s::uuid[]) AS reader (id)
) AS one
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
SELECT uuidv7(), person_id, hospital_id, 'report', report_id, 1, 'laboratory', '生化全套', 'final', at, at FROM line
"""
# Of codes of the starting list, each with the range that the hospital sends.
_RESULTS = """
INSERT INTO observations (report_id, report_version, position, status, code, code_system, name, value, unit, unit_code,
    reference_low, reference_high)
SELECT report_id, 1, position, 'final', (ARRAY['2345-7', '2160-0', '3084-1', '1742-6', '1920-8'])[1 + mod(position, 5)],
    'http://loinc.org', '项目' || position, round((random() * 10)::numeric, 2), 'mmol/L', 'mmol/L', 3.9, 6.1
FROM line, generate_series(1, results) AS position
"""
_CONSTRAINTS = """
SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
WHERE contype IN ('f', 'u') AND (conrelid = ANY(%(tables)s::regclass[]) OR confrelid = ANY(%(tables)s::regclass[]))
ORDER BY contype, conname
"""
_INDEXES = """
SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index
WHERE indrelid = ANY(%(tables)s::regclass[]) AND NOT indisprimary
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
"""


def connect(database_url: str) -> psycopg.Connection[tuple[object, ...]]:
    """A connection on which each statement is a transaction."""
    return psycopg.connect(database_url.replace("+psycopg", "", 1), autocommit=True)


def fill(database_url: str, reports: int, readers: Sequence[UUID]) -> None:
    """So many reports of people of whom nobody asks, and among them ``BATCHES`` of each reader, all of one message."""
    people = -(-reports // REPORTS_OF_A_PERSON)
    with connect(database_url) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute(_FILLERS, [people])
        connection.execute(_PERSONS)
        with _without_indexes(connection):
            add_reports(connection, reports, readers, people=people)
        for table in ("persons", *_TABLES):
            connection.execute(sql.SQL("VACUUM ANALYZE {}").format(sql.Identifier(table)))


def add_reports(
    connection: psycopg.Connection[tuple[object, ...]],
    reports: int,
    readers: Sequence[UUID],
    *,
    people: int,
    batches: int = BATCHES,
) -> None:
    """The reports themselves, of ``people`` of the temporary table ``filler``."""
    connection.execute(_MESSAGE)
    results = {"readers_results": RESULTS_OF_A_READER, "fillers_results": RESULTS_OF_A_FILLER}
    asked = {"batches": batches, "people": people, "readers": list(readers), "reports": reports // batches, **results}
    for batch in range(batches):
        for statement in (_LINES, _REPORTS, _ENTRIES, _RESULTS, "DROP TABLE line"):
            connection.execute(statement, {**asked, "batch": batch} if statement is _LINES else None)


@contextmanager
def _without_indexes(connection: psycopg.Connection[tuple[object, ...]]) -> Iterator[None]:
    """Beside the primary keys: made again of sorted rows, and references checked together, they take a fraction."""
    tables = {"tables": _TABLES}
    constraints = connection.execute(_CONSTRAINTS, tables).fetchall()
    indexes = connection.execute(_INDEXES, tables).fetchall()
    for table, name, _ in constraints:
        connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for name, _ in indexes:
        connection.execute(f"DROP INDEX {name}")
    connection.execute("ALTER TABLE observations DISABLE TRIGGER observations_of_reports")
    yield
    connection.execute("ALTER TABLE observations ENABLE TRIGGER observations_of_reports")
    connection.execute("SET maintenance_work_mem = '1GB'")
    for _, definition in indexes:
        connection.execute(str(definition))
    # What is referred to comes before what refers to it.
    for table, name, definition in reversed(constraints):
        connection.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} {definition}")
