"""The ceiling of the desk scan is honest: it answers and writes what the product answers and writes."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, text
from werkzeug.test import TestResponse

from bench import bare
from bench.desk_scan import PATH, scan_body
from bench.town import Desk, Town, make_town
from core import db
from core.config import Config
from tests.support.city import bearer


@pytest.fixture
def town(committing_app: Flask, config: Config) -> Town:
    return make_town(config, persons=2, seed=1)


@pytest.fixture
def bare_client(town: Town, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    app = bare.create_app()
    yield app.test_client()
    app.extensions["bench.scanner"].close()


def scan(client: FlaskClient, code: str, desk: Desk) -> TestResponse:
    return client.post(PATH, json=scan_body(code, desk), headers=bearer(desk.token))


def scan_counting(client: FlaskClient, code: str, desk: Desk) -> tuple[TestResponse, Counter[str]]:
    """The answer, and how many rows of each table it wrote."""
    before = count_rows()
    reply = scan(client, code, desk)
    return reply, count_rows() - before


def count_rows() -> Counter[str]:
    with db.transaction() as session:
        tables = db.orm.metadata.sorted_tables
        return Counter({table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables})


def last_three_acts() -> list[tuple[Any, ...]]:
    asked = """
        SELECT action, actor_kind, actor_id, hospital_id, subject_id, object_kind, purpose, basis_version, facts
        FROM (SELECT * FROM audit_entries ORDER BY id DESC LIMIT 3) newest ORDER BY action
    """
    with db.transaction() as session:
        return [tuple(row) for row in session.execute(text(asked))]


def close_all_visits() -> None:
    """The next scan opens one."""
    with db.transaction() as session:
        session.execute(text("UPDATE visits SET closed_at = now() WHERE closed_at IS NULL"))


def test_the_bare_handler_answers_and_writes_what_the_product_does(
    committing_app: Flask, town: Town, bare_client: FlaskClient
) -> None:
    desk, card_number = town.desks[0], town.card_numbers[0]
    product, written = scan_counting(committing_app.test_client(), town.show_code(card_number), desk)
    acts = last_three_acts()
    close_all_visits()
    by_hand, written_by_hand = scan_counting(bare_client, town.show_code(card_number), desk)
    assert (product.status_code, by_hand.status_code) == (201, 201), (product.text, by_hand.text)
    assert written_by_hand == written
    once = ("code_redemptions", "visits", "visit_steps", "grants", "grant_versions", "notices")
    assert written_by_hand == {**dict.fromkeys(once, 1), "outbox_messages": 2, "audit_entries": 3, "audit_unsealed": 3}
    assert by_hand.json.keys() == product.json.keys()
    alike = ("person", "medical_step", "department")
    assert [by_hand.json[name] for name in alike] == [product.json[name] for name in alike]
    assert last_three_acts() == acts


def test_the_bare_handler_continues_a_visit_as_the_product_does(
    committing_app: Flask, town: Town, bare_client: FlaskClient
) -> None:
    desk, card_number = town.desks[0], town.card_numbers[0]
    seen = []
    for client in (committing_app.test_client(), bare_client):
        close_all_visits()
        first = scan(client, town.show_code(card_number), desk).json
        again, written = scan_counting(client, town.show_code(card_number), desk)
        assert again.json["visit_id"] == first["visit_id"]
        assert (first["is_new"], again.json["is_new"], len(again.json["steps"])) == (True, False, 2)
        seen.append((written, last_three_acts(), again.json.keys()))
    assert seen[0] == seen[1]
    assert seen[0][0] == {
        **dict.fromkeys(("code_redemptions", "visit_steps", "grant_versions", "notices", "outbox_messages"), 1),
        "audit_entries": 3,
        "audit_unsealed": 3,
    }


def test_the_bare_handler_redeems_a_code_once_and_refuses_strangers(town: Town, bare_client: FlaskClient) -> None:
    desk, code = town.desks[0], town.show_code(town.card_numbers[1])
    assert scan(bare_client, code, desk).status_code == 201
    fresh = town.show_code(town.card_numbers[1])
    refused = [(code, desk), (fresh, Desk("nobody", desk.terminal)), (fresh, Desk(desk.token, "W99"))]
    for text_, at in refused:
        reply, written = scan_counting(bare_client, text_, at)
        assert (reply.status_code, written) == (409, Counter())
