"""The ceiling of reading is honest: it gives and writes what the product gives and writes."""

import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from bench import bare_reading, filling, reading
from core import db
from core.config import Config
from tests.support.city import bearer

ACT = """
SELECT action, actor_kind, actor_id, subject_id, object_kind, object_id, purpose, facts
FROM audit_entries ORDER BY id DESC LIMIT 1
"""


@pytest.fixture
def bare_client(
    committing_app: Flask, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[FlaskClient]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app = bare_reading.create_app()
    yield app.test_client()
    app.extensions["bench.connections"].connection.close()


def last_act() -> tuple[Any, ...]:
    with db.transaction() as session:
        return tuple(session.execute(text(ACT)).one())


def with_moments(document: Any) -> Any:
    """Times of whatever zone as moments, and without the link to itself."""
    if isinstance(document, dict):
        return {name: with_moments(value) for name, value in document.items() if name != "link"}
    if isinstance(document, list):
        return [with_moments(value) for value in document]
    try:
        return datetime.fromisoformat(document) if "T" in document else document
    except (TypeError, ValueError):
        return document


def test_the_bare_handlers_give_and_record_what_the_product_does(
    committing_app: Flask, config: Config, bare_client: FlaskClient
) -> None:
    # A town of its own: of the people of another one, this login would see nothing.
    (reader,) = reading.make_readers(config, seed=2, count=1)
    with filling.connect(config.database_url) as connection:
        connection.execute("CREATE TEMP TABLE filler (number int, id uuid)")
        filling.add_reports(connection, 0, [reader.person_id], people=1, batches=3)
    (reader,) = reading.find_reports(config.database_url, [reader])
    token = reading.issue_tokens(config, [reader])[reader.person_id]
    for ask in (reading.ask_timeline, reading.ask_results, reading.ask_report):
        path, seen = ask(reader, random.Random(1)), []
        for client in (committing_app.test_client(), bare_client):
            reply = client.get(path, headers=bearer(token))
            assert reply.status_code == 200, (path, reply.text)
            document = reply.json
            for line in document.get("observations", []):
                # The ceiling converts no units.
                line["judgement"].pop("value", None)
            seen.append((with_moments(document), last_act()))
        product, bare = seen
        assert product[0].get("items") or product[0].get("entry") or product[0].get("observations"), path
        assert product == bare, path
