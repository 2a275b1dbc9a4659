"""The ceiling of batch issue: the same lines by hand, parsed, sealed and copied into the same tables (docs/bench.md).

It checks certificates and seals with the product's pure functions and commits as often as the product. What it
leaves out is what makes a list of strangers safe: schema checks of each cell, locks, who is there already, refusals.
"""

import csv
import io
import secrets
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from core import clock
from core.ids import new_id
from core.vault import Vault
from health_card.certificates import CertificateType, check_certificate

CHUNK_ROWS = 1000

_PERSONS = (
    "persons",
    "id, root_id, data_key, name_sealed, phone_sealed, address_sealed, sex, birth_date, assurance, created_at",
)
_CERTIFICATES = (
    "person_certificates",
    "id, person_id, type, country, number_index, number_sealed, state, is_primary, added_at",
)
_CARDS = ("cards", "id, person_id, number, state, channel, epoch, issued_at")
_ROWS = ("card_batch_rows", "batch_id, line, outcome, card_id")
_ACTS = (
    "audit_entries",
    "id, at, request_id, actor_kind, actor_id, action, subject_id, object_kind, object_id, facts",
)

_OPEN = """
INSERT INTO card_batches (id, name, created_by, created_at, state, encoding, columns, storage_key, data_key, size_bytes,
    rows_total, rows_made, rows_existing, rows_refused, next_offset, next_line, chunks, moved_at)
VALUES (%(id)s, 'bare', %(operator_id)s, now(), 'running', 'utf-8', '[]', '', '', 0, %(rows)s, 0, 0, 0, 0, 0, 0, now())
"""
_MOVE = """
UPDATE card_batches SET rows_made = rows_made + %(rows)s, next_line = next_line + %(rows)s, chunks = chunks + 1,
    moved_at = now()
WHERE id = %(id)s
"""
_TELL = """
INSERT INTO outbox_messages (id, topic, payload, request_id, created_at, due_at, attempts)
VALUES (%(id)s, %(topic)s, jsonb_build_object('batch_id', %(batch_id)s::uuid), '', now(), now(), 0)
"""
_END = "UPDATE card_batches SET state = 'done', ended_at = now(), data_key = NULL WHERE id = %(id)s"
_TOPICS = ("health_card.batch_chunk_made", "health_card.batch_names_due")
_ENDED_TOPIC = "health_card.batch_ended"


class BareBatch:
    """One connection, one list after the other."""

    def __init__(self, address: str, vault: Vault, operator_id: UUID) -> None:
        self._connection = psycopg.connect(address, autocommit=True)
        self._vault, self._operator_id = vault, operator_id

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def open(self, rows: int) -> UUID:
        """A batch of so many lines."""
        batch_id = new_id()
        self._connection.execute(_OPEN, {"id": batch_id, "operator_id": self._operator_id, "rows": rows})
        return batch_id

    def issue(self, batch_id: UUID, document: bytes) -> None:
        """Issue the cards of a whole list: certificate type and number, name, phone, address."""
        lines = enumerate(csv.reader(io.StringIO(document.decode(), newline="")), 1)
        next(lines)
        while chunk := list(islice(lines, CHUNK_ROWS)):
            written = [self._seal(batch_id, line, cells) for line, cells in chunk]
            with self._connection.transaction():
                for table, rows in zip(
                    (_PERSONS, _CERTIFICATES, _CARDS, _ROWS, _ACTS), zip(*written, strict=True), strict=True
                ):
                    self._copy(*table, rows)
                self._connection.execute(_MOVE, {"id": batch_id, "rows": len(chunk)})
                self._tell(batch_id, _TOPICS)
        with self._connection.transaction():
            self._connection.execute(_END, {"id": batch_id})
            self._copy(*_ACTS, [self._act("health_card.batch.ended", None, ("card_batch", batch_id), "{}")])
            self._tell(batch_id, (_ENDED_TOPIC,))

    def _seal(self, batch_id: UUID, line: int, cells: Sequence[str]) -> tuple[tuple[Any, ...], ...]:
        kind, number, name, phone, address = cells
        certificate = check_certificate(CertificateType(kind), number)
        key, wrapped = self._vault.new_key()
        person_id, card_id, now = new_id(), new_id(), clock.now()
        return (
            (
                person_id,
                person_id,
                wrapped,
                key.seal(name, context="persons.name"),
                key.seal(phone, context="persons.phone"),
                key.seal(address, context="persons.address"),
                certificate.sex,
                certificate.birth_date,
                "asserted",
                now,
            ),
            (
                new_id(),
                person_id,
                kind,
                "",
                self._vault.blind_index(certificate.identity, context="persons.certificate"),
                key.seal(certificate.number, context="persons.certificate"),
                "current",
                True,
                now,
            ),
            (card_id, person_id, secrets.token_hex(32).upper(), 1, 4, 0, now),
            (batch_id, line, "made", card_id),
            self._act("health_card.person.registered", person_id, ("card", card_id), f'{{"batch": "{batch_id}"}}'),
        )

    def _act(self, action: str, subject: UUID | None, of: tuple[str, UUID], facts: str) -> tuple[Any, ...]:
        return new_id(), clock.now(), "", "staff", self._operator_id, action, subject, *of, facts

    def _copy(self, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        into = sql.SQL(f"COPY {table} ({columns}) FROM STDIN")
        with self._connection.cursor() as cursor, cursor.copy(into) as copy:
            for row in rows:
                copy.write_row(row)

    def _tell(self, batch_id: UUID, topics: Iterable[str]) -> None:
        for topic in topics:
            self._connection.execute(_TELL, {"id": new_id(), "topic": topic, "batch_id": batch_id})
