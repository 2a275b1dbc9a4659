"""The ceiling of batch issue is honest: it writes what the product writes."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from bench import bare_batch
from bench.batch_issue import Lists, hire_operator, issue_batch, open_batch
from core import db
from core.config import Config
from core.vault import vault
from health_card.batches import issuing, service
from health_card.models import PersonCertificate
from health_card.service import get_plain_demographics

# Of every person of the batch, oldest first; what is random is told by its length.
ALL_OF_IT = """
SELECT p.root_id = p.id, length(p.data_key), length(p.phone_sealed), p.sex, p.birth_date, p.nation, p.assurance,
    c.type, c.country, length(c.number_index), length(c.number_sealed), c.state, c.is_primary,
    k.state, k.channel, k.epoch, k.replaced_at, r.line, r.outcome, r.reason, r.field,
    a.actor_kind, a.actor_id, a.action, a.object_kind, a.facts = jsonb_build_object('batch', r.batch_id)
FROM card_batch_rows r JOIN cards k ON k.id = r.card_id JOIN persons p ON p.id = k.person_id
    JOIN person_certificates c ON c.person_id = p.id JOIN audit_entries a ON a.object_id = k.id
WHERE r.batch_id = :batch_id ORDER BY r.line
"""


def count_rows() -> Counter[str]:
    with db.transaction() as session:
        tables = db.orm.metadata.sorted_tables
        return Counter({table.name: session.scalar(select(func.count()).select_from(table)) or 0 for table in tables})


def written_by(act: Callable[[], None]) -> Counter[str]:
    before = count_rows()
    act()
    return count_rows() - before


def read(batch_id: UUID) -> tuple[list[tuple[Any, ...]], tuple[Any, ...], set[str]]:
    """Everything of a batch's persons; how the batch stands; which kinds of messages it announced."""
    with db.transaction() as session:
        batch = service.get_batch(session, batch_id)
        rows = [tuple(row) for row in session.execute(text(ALL_OF_IT), {"batch_id": batch_id})]
        topics = text("SELECT topic FROM outbox_messages WHERE payload ->> 'batch_id' = :batch_id")
        told = set(session.scalars(topics, {"batch_id": str(batch_id)}))
    return rows, (batch.state, batch.rows_made, batch.rows_done, batch.chunks, batch.data_key), told


def test_by_hand_the_same_is_written_and_can_be_read(
    committing_app: Flask, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (issuing, bare_batch):
        monkeypatch.setattr(module, "CHUNK_ROWS", 2)
    operator_id, ours, theirs = hire_operator(), Lists(random.Random(1), 3), Lists(random.Random(2), 3)
    bare = bare_batch.BareBatch(config.database_url.replace("+psycopg", "", 1), vault(), operator_id)
    batch_id, by_hand_id = open_batch(ours.write(), operator_id), bare.open(3)
    document = theirs.write()
    written = written_by(lambda: issue_batch(batch_id))
    written_by_hand = written_by(lambda: bare.issue(by_hand_id, document))
    bare.close()
    assert written_by_hand == written
    each = ("persons", "person_certificates", "cards", "card_batch_rows")
    assert written == {**dict.fromkeys(each, 3), "audit_entries": 4, "audit_unsealed": 4, "outbox_messages": 5}
    product, by_hand = read(batch_id), read(by_hand_id)
    assert [(*row[:3], *row[5:]) for row in by_hand[0]] == [(*row[:3], *row[5:]) for row in product[0]]
    assert by_hand[1] == product[1]
    assert by_hand[2] == product[2] - {service.DUE_TOPIC}
    with db.transaction() as session:
        newest = session.scalars(select(PersonCertificate).order_by(PersonCertificate.id.desc())).first()
        assert newest is not None
        plain = get_plain_demographics(session, newest.person_id)
    assert f"{plain.certificate_number},{plain.name},{plain.phone},{plain.address}" in document.decode()
