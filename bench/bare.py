"""The ceiling of the desk scan: the same work by hand, one statement, one round trip (docs/bench.md).

It runs beside the product, under the same server settings, on a copy of its database. It verifies with the product's
pure functions and writes the same rows; what it leaves out is the product's structure: ORM, schemas, limits, metrics.
"""

import json
import os
import threading
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask, Response, request
from psycopg.rows import dict_row

from core import clock, vault
from core.config import read_config
from core.ids import new_id
from health_card import codes
from health_card.masks import mask_name, mask_number, mask_phone

_CODE_LIFE, _GRANT_LIFE, _VISIT_LIFE = timedelta(seconds=60), timedelta(hours=24), timedelta(days=1)

_KEYS = "SELECT kid, public_key FROM signing_keys WHERE purpose = 'code' AND killed_at IS NULL"

_SCAN = """
WITH staff AS (
    SELECT m.id, m.hospital_id
    FROM staff_sessions s JOIN staff_members m ON m.id = s.staff_id JOIN hospitals h ON h.id = m.hospital_id
    WHERE s.token_hash = %(token_hash)s AND s.ended_at IS NULL AND s.expires_at > %(now)s
        AND s.last_used_at > %(now)s - interval '30 minutes' AND m.is_enabled AND h.is_enabled
        AND m.role IN ('registrar', 'doctor')
), terminal AS (
    SELECT t.id FROM terminals t JOIN staff ON t.hospital_id = staff.hospital_id
    WHERE t.code = %(terminal)s AND t.is_enabled
), card AS (
    SELECT id, person_id FROM cards
    WHERE number = %(card_number)s AND state = 1 AND replaced_at IS NULL AND epoch = %(epoch)s
), redeemed AS (
    INSERT INTO code_redemptions (id, nonce, card_id, terminal_id, redeemed_at)
    SELECT %(redemption_id)s, %(nonce)s, card.id, terminal.id, %(now)s FROM card, terminal
    ON CONFLICT (nonce) DO NOTHING
    RETURNING id, card_id, terminal_id
), continued AS (
    SELECT v.id, v.opened_at FROM visits v, card, staff
    WHERE v.hospital_id = staff.hospital_id AND v.person_id = card.person_id AND v.kind = %(kind)s
        AND v.closed_at IS NULL AND v.department = %(department)s AND v.opened_at > %(since)s
    ORDER BY v.opened_at DESC LIMIT 1 FOR NO KEY UPDATE OF v SKIP LOCKED
), opened AS (
    INSERT INTO visits (id, person_id, hospital_id, terminal_id, kind, department, medical_step, opened_by, opened_at)
    SELECT %(visit_id)s, card.person_id, staff.hospital_id, redeemed.terminal_id, %(kind)s, %(department)s, %(step)s,
        staff.id, %(now)s
    FROM redeemed, card, staff
    WHERE NOT EXISTS (SELECT FROM continued)
    RETURNING id, opened_at
), visit AS (
    SELECT either.id, either.opened_at, card.person_id, staff.hospital_id, redeemed.id AS redemption_id,
        redeemed.terminal_id, staff.id AS opened_by
    FROM redeemed, card, staff, (SELECT * FROM continued UNION ALL SELECT * FROM opened) AS either
), step AS (
    INSERT INTO visit_steps (id, visit_id, redemption_id, terminal_id, department, medical_step, code_class, staff_id,
        at)
    SELECT %(step_id)s, id, redemption_id, terminal_id, %(department)s, %(step)s, 'D', opened_by, %(now)s FROM visit
), shared AS (
    INSERT INTO grants (id, person_id, hospital_id, purpose, visit_id, notice_hash, version, starts_at, expires_at)
    SELECT %(grant_id)s, person_id, hospital_id, 'treatment', id, (
        SELECT hash FROM notice_texts WHERE kind = 'standing_policy' ORDER BY published_at DESC LIMIT 1
    ), 1, %(now)s, %(until)s
    FROM visit WHERE NOT EXISTS (SELECT FROM sharing_policies WHERE person_id = visit.person_id)
    ON CONFLICT (visit_id) WHERE revoked_at IS NULL AND opened_by = 'code'
        DO UPDATE SET expires_at = excluded.expires_at, version = grants.version + 1
    RETURNING id, version
), acts AS (
    INSERT INTO audit_entries (id, at, request_id, actor_kind, actor_id, hospital_id, action, subject_id,
        object_kind, object_id, purpose, basis_id, basis_version, facts)
    SELECT act.id, %(now)s, %(request_id)s, 'staff', visit.opened_by, visit.hospital_id, act.action, visit.person_id,
        act.object_kind, act.object_id, act.purpose, act.basis_id, act.basis_version, act.facts
    FROM visit, card, shared, LATERAL (VALUES
        (%(act_1)s::uuid, 'health_card.code.scanned', 'card', card.id, NULL, NULL::uuid, NULL::int, %(read)s::jsonb),
        (%(act_2)s, CASE WHEN visit.id = %(visit_id)s THEN 'records.visit.opened' ELSE 'records.visit.continued' END,
            'visit', visit.id, NULL, NULL, NULL, %(facts)s),
        (%(act_3)s, CASE WHEN shared.version = 1 THEN 'consent.grant.opened' ELSE 'consent.grant.extended' END,
            'grant', shared.id, 'treatment', shared.id, shared.version, '{}')
    ) AS act (id, action, object_kind, object_id, purpose, basis_id, basis_version, facts)
), told AS (
    INSERT INTO notices (id, person_id, kind, facts, hospital_id, object_kind, object_id, created_at)
    SELECT %(notice_id)s, person_id, 'identified', %(notice_facts)s, hospital_id, 'visit', id, %(now)s
    FROM visit
), announced AS (
    INSERT INTO outbox_messages (id, topic, payload, request_id, created_at, due_at, attempts)
    SELECT %(message_id)s, 'health_card.notice_written', %(message)s::jsonb, %(request_id)s, %(now)s, %(now)s, 0
    FROM visit
    UNION ALL
    SELECT %(expiry_id)s, 'records.visit_expiring', jsonb_build_object('visit_id', id), %(request_id)s, %(now)s,
        %(until)s, 0
    FROM opened
)
SELECT p.data_key, p.name_sealed, c.number_sealed AS certificate_sealed, p.phone_sealed, c.type AS certificate_type,
    p.sex, p.birth_date, p.assurance, (
        SELECT n.number FROM patient_numbers n JOIN persons same ON same.id = n.person_id
        WHERE n.hospital_id = visit.hospital_id AND same.root_id = p.id AND n.replaced_by IS NULL
        ORDER BY n.bound_at DESC LIMIT 1
    ) AS patient_number, visit.id AS visit_id, visit.opened_at, (
        SELECT coalesce(jsonb_agg(jsonb_build_object('at', s.at, 'medical_step', s.medical_step,
            'department', s.department, 'code_class', s.code_class) ORDER BY s.at), '[]')
        FROM visit_steps s WHERE s.visit_id = visit.id
    ) AS earlier_steps
FROM visit JOIN persons own ON own.id = visit.person_id JOIN persons p ON p.id = own.root_id
    LEFT JOIN person_certificates c ON c.person_id = p.id AND c.is_primary
"""


class _Scanner:
    """One connection a thread: as many as the server has threads."""

    def __init__(self, database_url: str) -> None:
        self._address = database_url.replace("+psycopg", "", 1)
        self._own = threading.local()
        rows = self._connection().execute(_KEYS).fetchall()
        self.keys = {row["kid"]: Ed25519PublicKey.from_public_bytes(row["public_key"]) for row in rows}

    def scan(self, values: dict[str, Any]) -> dict[str, Any] | None:
        """Do it all, committed durably when this returns; None: refused."""
        return self._connection().execute(_SCAN, values).fetchone()

    def close(self) -> None:
        """Close the calling thread's connection."""
        self._connection().close()

    def _connection(self) -> psycopg.Connection[dict[str, Any]]:
        if not hasattr(self._own, "connection"):
            self._own.connection = psycopg.connect(self._address, autocommit=True, row_factory=dict_row)
        connection: psycopg.Connection[dict[str, Any]] = self._own.connection
        return connection


def create_app() -> Flask:
    """The handler as a WSGI application, on the database that the environment names."""
    config = read_config(os.environ)
    vault.configure(config)
    scanner = _Scanner(config.database_url)
    app = Flask(__name__)
    app.extensions["bench.scanner"] = scanner

    @app.post("/api/v1/desk/scans")
    def scan() -> Response:
        sent = json.loads(request.data)
        read = codes.read_code(sent["code"], scanner.keys, config.issuer_code)
        values = _values(sent, read, request.headers["Authorization"].removeprefix("Bearer "))
        assert read.issued_at is not None
        row = scanner.scan(values) if values["now"] <= read.issued_at + _CODE_LIFE else None
        if row is None:
            return Response("{}", 409, mimetype="application/json")
        return Response(json.dumps(_show(values, row), ensure_ascii=False), 201, mimetype="application/json")

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    return app


def _values(sent: dict[str, Any], read: codes.ReadCode, token: str) -> dict[str, Any]:
    now = clock.now()
    rows = ("redemption_id", "visit_id", "step_id", "grant_id", "act_1", "act_2", "act_3", "notice_id", "message_id")
    new_ids = {name: new_id() for name in (*rows, "expiry_id")}
    midnight = clock.in_city(now).replace(hour=0, minute=0, second=0, microsecond=0)
    facts = {"step": sent["medical_step"], "department": sent["department"]}
    return new_ids | {
        "token_hash": sha256(token.encode()).digest(),
        "now": now,
        "until": now + _GRANT_LIFE,
        "since": max(midnight, now - _VISIT_LIFE),
        "terminal": sent["terminal"],
        "card_number": read.card_number,
        "epoch": read.epoch,
        "nonce": read.nonce,
        "kind": sent.get("visit_kind", "O"),
        "department": sent["department"],
        "step": sent["medical_step"],
        "request_id": str(new_id()),
        "read": '{"kind": "D"}',
        "facts": json.dumps(facts),
        "notice_facts": json.dumps({"terminal": sent["terminal"], **facts}),
        "message": json.dumps({"notice_id": str(new_ids["notice_id"])}),
    }


def _show(values: dict[str, Any], row: dict[str, Any]) -> dict[str, Any]:
    key = vault.vault().unwrap(row["data_key"])
    step = {"at": values["now"].isoformat(), "medical_step": values["step"], "department": values["department"]}
    shown = {
        "visit_id": str(row["visit_id"]),
        "person": {
            "name": mask_name(key.unseal(row["name_sealed"], context="persons.name")),
            "sex": row["sex"],
            "birth_date": row["birth_date"].isoformat() if row["birth_date"] else None,
            "age": _age(row["birth_date"]),
            "certificate_type": row["certificate_type"],
            "certificate_number": mask_number(key.unseal(row["certificate_sealed"], context="persons.certificate")),
            "phone": mask_phone(key.unseal(row["phone_sealed"], context="persons.phone")),
            "assurance": row["assurance"],
        },
        "medical_step": values["step"],
        "department": values["department"],
        "opened_at": row["opened_at"].isoformat(),
        "is_new": not row["earlier_steps"],
        "steps": [*row["earlier_steps"], step | {"code_class": "D"}],
        "shares_records": True,
        "access_until": values["until"].isoformat(),
    }
    return shown if row["patient_number"] is None else shown | {"patient_number": row["patient_number"]}


def _age(born: date | None) -> int | None:
    if born is None:
        return None
    today = clock.in_city(clock.now()).date()
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
