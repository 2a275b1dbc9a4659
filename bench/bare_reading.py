"""The ceiling of reading: a page, a report or 40 results, and the audit row, by hand behind bare routes.

It checks the token's signature and the session, and gives the same as the product (docs/bench.md).
"""

import json
import os
import threading
from datetime import datetime
from decimal import Decimal
from typing import Any

import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask, Response, request
from psycopg.rows import dict_row

from core.config import Config, read_config
from core.ids import new_id
from core.statements import compose

Row = dict[str, Any]

_KEYS = "SELECT kid, public_key FROM signing_keys WHERE purpose = 'access_token' AND killed_at IS NULL"
_HELD = """
WITH me AS (
    SELECT login_id FROM login_sessions
    WHERE id = %(session_id)s AND login_id = %(login_id)s AND ended_at IS NULL AND expires_at > now()
), held AS (
    SELECT DISTINCT member.id, member.root_id FROM me JOIN holders h USING (login_id)
        JOIN persons own ON own.id = h.person_id JOIN persons member ON member.root_id = own.root_id
    WHERE h.confirmed_at IS NOT NULL AND h.ended_at IS NULL AND (h.valid_until IS NULL OR h.valid_until > now())
)"""
_IS_OPEN = """
    NOT EXISTS (SELECT FROM hidden_items i WHERE i.object_id = {0} AND i.shown_at IS NULL)
    AND NOT EXISTS (SELECT FROM restricted_items s WHERE s.object_id = {0})
"""
_ACT = """
    INSERT INTO audit_entries (id, at, request_id, actor_kind, actor_id, action, subject_id, object_kind, object_id,
        purpose, facts)
    SELECT %(act_id)s, now(), '', 'patient', %(login_id)s,
"""
_PAGE = compose(
    """
{held}, page AS (
    SELECT line.* FROM held CROSS JOIN LATERAL (
        SELECT t.* FROM timeline_entries t WHERE t.person_id = held.id AND {is_open}
        ORDER BY t.occurred_at DESC, t.id DESC LIMIT %(limit)s
    ) AS line ORDER BY line.occurred_at DESC, line.id DESC LIMIT %(limit)s
), read AS (
    {act} 'records.timeline.read', person_id, NULL, NULL, 'own', jsonb_build_object('lines', count(*))
    FROM page GROUP BY person_id
)
SELECT page.id, page.person_id, page.object_kind, page.object_id, page.version, page.category, page.title, page.status,
    page.hospital_id, h.name AS hospital_name, page.occurred_at,
    NOT EXISTS (
        SELECT FROM seen_items s
        WHERE s.login_id = %(login_id)s AND s.object_id = page.object_id AND s.version >= page.version
    ) AS is_unread, false AS is_hidden, false AS is_held, false AS is_disclosed
FROM page JOIN hospitals h ON h.id = page.hospital_id
ORDER BY page.occurred_at DESC, page.id DESC
""",
    held=_HELD,
    is_open=_IS_OPEN.format("t.object_id"),
    act=_ACT,
)
_REPORT = compose(
    """
{held}, found AS (
    SELECT r.* FROM reports r JOIN held ON held.id = r.person_id
    WHERE r.id = %(report_id)s AND r.is_current AND {is_open}
), seen AS (
    INSERT INTO seen_items SELECT %(login_id)s, id, version, now() FROM found ON CONFLICT DO NOTHING
), read AS (
    {act} 'records.report.read', person_id, 'report', id, 'own', jsonb_build_object('version', version) FROM found
)
SELECT found.id, version, status, category, found.code, code_system, found.name, hospital_id, h.name AS hospital_name,
    effective_at AS performed_at, is_current, filed_at, authors, false AS is_held
FROM found JOIN hospitals h ON h.id = hospital_id
""",
    held=_HELD,
    is_open=_IS_OPEN.format("r.id"),
    act=_ACT,
)
_LINES = """
SELECT position, o.status, o.code, o.code_system, o.name, value::text, o.unit, unit_code, reference_low::text,
    reference_high::text, item.code AS item, v.name AS item_name
FROM observations o
    LEFT JOIN code_mappings m ON m.code_system = o.code_system AND m.code = o.code AND m.ended_at IS NULL
    LEFT JOIN items item ON item.id = m.item_id
    LEFT JOIN item_versions v ON v.item_id = item.id AND v.is_current
WHERE report_id = %(report_id)s AND report_version = %(version)s ORDER BY position
"""
_RESULTS = compose(
    """
{held}, page AS (
    SELECT r.id, r.version, r.person_id, r.hospital_id, r.effective_at, r.filed_at, held.root_id,
        o.position, o.status, o.code, o.code_system, o.name, o.value, o.unit, o.unit_code, o.reference_low,
        o.reference_high
    FROM held JOIN reports r ON r.person_id = held.id
        JOIN observations o ON o.report_id = r.id AND o.report_version = r.version
    WHERE held.root_id = (SELECT root_id FROM persons WHERE id = %(person_id)s) AND r.is_current
        AND r.category = 'laboratory' AND {is_open}
    ORDER BY r.effective_at DESC, r.id DESC, o.position LIMIT %(limit)s
), read AS (
    {act} 'records.resource.listed', root_id, NULL, NULL, 'own',
        jsonb_build_object('resource_type', 'Observation', 'lines', count(*)) FROM page GROUP BY root_id
)
SELECT page.*, h.name AS hospital_name FROM page JOIN hospitals h ON h.id = page.hospital_id
ORDER BY effective_at DESC, page.id DESC, position
""",
    held=_HELD,
    is_open=_IS_OPEN.format("r.id"),
    act=_ACT,
)


def create_app() -> Flask:
    """The handlers as a WSGI application, on the database that the environment names."""
    config = read_config(os.environ)
    address, own = config.database_url.replace("+psycopg", "", 1), threading.local()

    def ask(statement: str, asked: Row) -> list[Row]:
        if not hasattr(own, "connection"):
            own.connection = psycopg.connect(address, autocommit=True, row_factory=dict_row)
        kept: psycopg.Connection[Row] = own.connection
        return kept.execute(statement, asked).fetchall()

    keys = {row["kid"]: Ed25519PublicKey.from_public_bytes(row["public_key"]) for row in ask(_KEYS, {})}
    app = Flask(__name__)
    app.extensions["bench.connections"] = own

    @app.get("/api/v1/timeline")
    def read_timeline() -> Response:
        asked = _read_token(config, keys) | {"limit": int(request.args["limit"])}
        return _present({"items": ask(_PAGE, asked)})

    @app.get("/api/v1/reports/<report_id>")
    def read_report(report_id: str) -> Response:
        (report,) = ask(_REPORT, _read_token(config, keys) | {"report_id": report_id})
        filed = {name: report[name] for name in ("version", "is_current", "status")} | {
            "filed_at": report.pop("filed_at")
        }
        lines = ask(_LINES, {"report_id": report_id, "version": report["version"]})
        observations = [_judge(line) for line in lines]
        versions = [filed | {"conclusion_changed": False, "authors_changed": False, "changes": []}]
        shown = {"authors": report["authors"] or [], "versions": versions, "studies": [], "attachments": []}
        return _present(report | {"observations": observations} | shown)

    @app.get("/fhir/Observation")
    def search_results() -> Response:
        asked = {"limit": int(request.args["_count"]), "person_id": request.args["patient"]}
        rows = ask(_RESULTS, _read_token(config, keys) | asked)
        entries = [
            {"fullUrl": f"{config.base_url}/fhir/Observation/{row['id']}.{row['position']}",
             "resource": _show_result(row), "search": {"mode": "match"}}
            for row in rows
        ]  # fmt: skip
        return _present({"resourceType": "Bundle", "type": "searchset"} | ({"entry": entries} if entries else {}))

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    return app


def _read_token(config: Config, keys: dict[str, Ed25519PublicKey]) -> Row:
    text = request.headers["Authorization"].removeprefix("Bearer ")
    key = keys[jwt.get_unverified_header(text)["kid"]]
    claims = jwt.decode(text, key, algorithms=["EdDSA"], audience=config.base_url, issuer=config.base_url)
    return {"session_id": claims["sid"], "login_id": claims["sub"].removeprefix("patient:"), "act_id": new_id()}


def _judge(line: Row) -> Row:
    """By the range that the hospital sent."""
    value, low, high = (Decimal(line[name]) for name in ("value", "reference_low", "reference_high"))
    flag = "L" if value < low else "H" if value > high else "N"
    judgement = {"item": line.pop("item"), "item_name": line.pop("item_name"), "flag": flag}
    words = {"L": "低于参考范围", "H": "高于参考范围", "N": "在参考范围内"}[flag]
    explanation = f"{words}（按医院给出的参考范围 {low}–{high} 判断）"
    return line | {"judgement": judgement | {"flag_source": "hospital_range", "explanation": explanation}}


def _show_result(row: Row) -> Row:
    return {
        "resourceType": "Observation",
        "id": f"{row['id']}.{row['position']}",
        "meta": {"versionId": str(row["version"]), "lastUpdated": row["filed_at"]},
        "status": row["status"],
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": "LAB"}], "text": "检验"}
        ],
        "code": {
            "coding": [{"system": row["code_system"], "code": row["code"], "display": row["name"]}],
            "text": row["name"],
        },
        "subject": {"reference": f"Patient/{row['root_id']}"},
        "effectiveDateTime": row["effective_at"],
        "performer": [{"reference": f"Organization/{row['hospital_id']}", "display": row["hospital_name"]}],
        "valueQuantity": {
            "value": float(row["value"]),
            "unit": row["unit"],
            "system": "http://unitsofmeasure.org",
            "code": row["unit_code"],
        },
        "referenceRange": [
            {"low": {"value": float(row["reference_low"])}, "high": {"value": float(row["reference_high"])}}
        ],
    }


def _present(document: Row) -> Response:
    return Response(json.dumps(document, ensure_ascii=False, default=_write), mimetype="application/json")


def _write(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
