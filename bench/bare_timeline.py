"""The ceiling of the timeline: the same page and its audit row by one hand-written statement behind a bare route.

It checks the token's signature and the session, and gives the same lines (docs/bench.md).
"""

import json
import os
import threading
from datetime import datetime
from typing import Any

import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from flask import Flask, Response, request
from psycopg.rows import dict_row

from core.config import read_config
from core.ids import new_id

_KEYS = "SELECT kid, public_key FROM signing_keys WHERE purpose = 'access_token' AND killed_at IS NULL"

_PAGE = """
WITH me AS (
    SELECT login_id FROM login_sessions
    WHERE id = %(session_id)s AND login_id = %(login_id)s AND ended_at IS NULL AND expires_at > now()
), held AS (
    SELECT DISTINCT member.id FROM me JOIN holders h USING (login_id)
        JOIN persons own ON own.id = h.person_id JOIN persons member ON member.root_id = own.root_id
    WHERE h.confirmed_at IS NOT NULL AND h.ended_at IS NULL AND (h.valid_until IS NULL OR h.valid_until > now())
), page AS (
    SELECT line.* FROM held CROSS JOIN LATERAL (
        SELECT t.* FROM timeline_entries t
        WHERE t.person_id = held.id
            AND NOT EXISTS (SELECT FROM hidden_items i WHERE i.object_id = t.object_id AND i.shown_at IS NULL)
            AND NOT EXISTS (SELECT FROM restricted_items r WHERE r.object_id = t.object_id)
        ORDER BY t.occurred_at DESC, t.id DESC LIMIT %(limit)s
    ) AS line ORDER BY line.occurred_at DESC, line.id DESC LIMIT %(limit)s
), read AS (
    INSERT INTO audit_entries (id, at, request_id, actor_kind, actor_id, action, subject_id, purpose, facts)
    SELECT %(act_id)s, now(), '', 'patient', %(login_id)s, 'records.timeline.read', person_id, 'own',
        jsonb_build_object('lines', count(*)) FROM page GROUP BY person_id
)
SELECT page.id, page.person_id, page.object_kind, page.object_id, page.version, page.category, page.title, page.status,
    page.hospital_id, h.name AS hospital_name, page.occurred_at,
    NOT EXISTS (
        SELECT FROM seen_items s
        WHERE s.login_id = %(login_id)s AND s.object_id = page.object_id AND s.version >= page.version
    ) AS is_unread, false AS is_hidden, false AS is_held, false AS is_disclosed
FROM page JOIN hospitals h ON h.id = page.hospital_id
ORDER BY page.occurred_at DESC, page.id DESC
"""


def create_app() -> Flask:
    """The handler as a WSGI application, on the database that the environment names."""
    config = read_config(os.environ)
    address, own = config.database_url.replace("+psycopg", "", 1), threading.local()

    def connection() -> psycopg.Connection[dict[str, Any]]:
        if not hasattr(own, "connection"):
            own.connection = psycopg.connect(address, autocommit=True, row_factory=dict_row)
        kept: psycopg.Connection[dict[str, Any]] = own.connection
        return kept

    rows = connection().execute(_KEYS).fetchall()
    keys = {row["kid"]: Ed25519PublicKey.from_public_bytes(row["public_key"]) for row in rows}
    app = Flask(__name__)

    @app.get("/api/v1/timeline")
    def read() -> Response:
        text = request.headers["Authorization"].removeprefix("Bearer ")
        key = keys[jwt.get_unverified_header(text)["kid"]]
        claims = jwt.decode(text, key, algorithms=["EdDSA"], audience=config.base_url, issuer=config.base_url)
        asked = {
            "session_id": claims["sid"],
            "login_id": claims["sub"].removeprefix("patient:"),
            "limit": int(request.args["limit"]),
            "act_id": new_id(),
        }
        items = connection().execute(_PAGE, asked).fetchall()
        return Response(json.dumps({"items": items}, ensure_ascii=False, default=_write), mimetype="application/json")

    @app.get("/healthz")
    def healthz() -> str:
        return "ok"

    return app


def _write(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
