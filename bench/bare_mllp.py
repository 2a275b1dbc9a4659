"""The ceiling of ``mllp_intake``: the same messages split by hand and copied into the same tables, 64 a commit.

It reads nothing: whose the number is it knows by heart, it looks for no repeat, no earlier version and no visit, and
checks nothing of what a message says.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from core import clock
from core.ids import new_id
from core.vault import Vault

TOGETHER = 64

_MESSAGES = (
    "inbound_messages",
    "id, hospital_id, channel, message_key, digest, content_type, data_key, body_sealed, state, reply, person_id, "
    "received_at",
)
_REPORTS = (
    "reports",
    "id, version, is_current, hospital_id, person_id, inbound_message_id, effective_at, issued_at, filed_at, channel, "
    "status, category, identifier_system, identifier_value, code, code_system, name",
)
_OBSERVATIONS = (
    "observations",
    "report_id, report_version, position, status, code, code_system, name, value, unit, unit_code, reference_low, "
    "reference_high, reference_text, interpretation",
)
_LINES = (
    "timeline_entries",
    "id, person_id, hospital_id, object_kind, object_id, version, category, title, status, occurred_at, filed_at",
)
_ACTS = (
    "audit_entries",
    "id, at, request_id, actor_kind, actor_id, hospital_id, action, subject_id, object_kind, object_id, facts",
)
_EFFECTS = (
    "outbox_messages",
    "id, topic, payload, request_id, created_at, due_at, attempts",
)
_LOINC = "http://loinc.org"
_ACCEPTED = "MSH|^~\\&|YIMATONG||LIS||20260305100001+0800||ACK^R01^ACK|{}|P|2.5.1\rMSA|AA|{}\r"


_Rows = tuple[list[Any], list[Any], list[Any], list[Any], list[Any]]


@dataclass(frozen=True)
class Ward:
    """A hospital, and whom it knows under which number."""

    hospital_id: UUID
    hospital_code: str
    persons: dict[str, UUID]
    numbers: list[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "numbers", list(self.persons))


class BareIntake:
    """One connection to a database with the product's schema."""

    def __init__(self, database_url: str, vault: Vault, ward: Ward) -> None:
        self._connection = psycopg.connect(database_url)
        self._vault, self._ward = vault, ward
        self.slowest_ms = 0.0

    def close(self) -> None:
        """Leave the database."""
        self._connection.close()

    def file(self, bodies: Sequence[bytes], *, seconds: float) -> int:
        """File them, 64 at a time, until the time is over. Returns how many."""
        started, done = time.perf_counter(), 0
        while done < len(bodies) and (begun := time.perf_counter()) - started < seconds:
            some = bodies[done : done + TOGETHER]
            self._file(some)
            done += len(some)
            self.slowest_ms = max(self.slowest_ms, (time.perf_counter() - begun) * 1000)
        return done

    def _file(self, bodies: Sequence[bytes]) -> None:
        rows: _Rows = ([], [], [], [], [])
        for body in bodies:
            self._split(body, rows)
        for (table, columns), lines in zip((_MESSAGES, _REPORTS, _OBSERVATIONS, _LINES, _ACTS), rows, strict=True):
            self._copy(table, columns, lines)
        now, payload = clock.now(), json.dumps({"report_ids": [str(report[0]) for report in rows[1]]})
        self._copy(*_EFFECTS, [(new_id(), "records.reports_filed", payload, "", now, now, 0)])
        self._connection.commit()

    def _split(self, body: bytes, rows: _Rows) -> None:
        messages, reports, observations, lines, acts = rows
        msh, pid, _, obr, *results = (line.split("|") for line in body.decode().split("\r")[:-1])
        hospital_id, now = self._ward.hospital_id, clock.now()
        person_id = self._ward.persons[pid[3].split("^")[0]]
        message_id, report_id = new_id(), new_id()
        key, wrapped = self._vault.new_key()
        sealed = key.seal_bytes(body, context="inbound_messages.body")
        digest, reply = hashlib.sha256(body).digest(), _ACCEPTED.format(msh[9], msh[9])
        kind = "x-application/hl7-v2+er7"
        messages.append(
            (message_id, hospital_id, "hl7v2", msh[9], digest, kind, wrapped, sealed, "accepted", reply, person_id, now)
        )
        code, name, _ = obr[4].split("^")
        order, system = obr[3].split("^")
        at, issued = (datetime.strptime(obr[place], "%Y%m%d%H%M%S").replace(tzinfo=UTC) for place in (7, 22))
        made = ("hl7v2", "final", "laboratory", f"urn:yimatong:hl7v2:filler-order:{system}", order, code, _LOINC, name)
        reports.append((report_id, 1, True, hospital_id, person_id, message_id, at, issued, now, *made))
        for obx in results:
            item, named, _ = obx[3].split("^")
            low, high = obx[7].split("-")
            unit = obx[6].split("^")[0]
            said = ("final", item, _LOINC, named, obx[5], unit, unit, low, high, obx[7], obx[8])
            observations.append((report_id, 1, int(obx[1]), *said))
        shown = ("report", report_id, 1, "laboratory", name, "final", at, now)
        lines.append((new_id(), person_id, hospital_id, *shown))
        for act, object_kind, object_id in (
            ("records.message.accepted", "inbound_message", message_id),
            ("records.report.filed", "report", report_id),
        ):
            by = ("machine", hospital_id, hospital_id, act, person_id)
            acts.append((new_id(), now, "", *by, object_kind, object_id, "{}"))

    def _copy(self, table: str, columns: str, rows: Iterable[tuple[Any, ...]]) -> None:
        into = sql.SQL(f"COPY {table} ({columns}) FROM STDIN")
        with self._connection.cursor() as cursor, cursor.copy(into) as copy:
            for row in rows:
                copy.write_row(row)
