"""What a transaction leaves behind is written with its commit, and not at all without it."""

from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit, clock, db
from core.actor import SYSTEM
from core.appending import MANY, append_rows, write_appended
from core.audit import AuditEntry
from core.errors import MalformedRequest
from core.idempotency import IdempotentReply
from core.ids import new_id


def record(session: Session, thing: UUID, *, fails: bool = False) -> None:
    with session.begin():
        audit.record_act(session, SYSTEM, "tests.thing.done", of=("thing", thing))
        if fails:
            raise MalformedRequest([])


def test_a_rollback_forgets_what_was_appended_and_the_next_commit_does_not_write_it(app: Flask) -> None:
    lost, kept = new_id(), new_id()
    with pytest.raises(MalformedRequest):
        record(db.orm.session(), lost, fails=True)
    record(db.orm.session(), kept)
    db.orm.session.remove()
    with db.transaction() as session:
        found = session.scalars(select(AuditEntry.object_id).where(AuditEntry.object_id.in_([lost, kept]))).all()
    assert found == [kept]


@pytest.mark.parametrize("count", [2, MANY + 1])
def test_few_rows_and_many_are_written_alike(app: Flask, count: int) -> None:
    rows = [
        {
            "owner_id": SYSTEM.id,
            "operation": f"tests.append.{count}",
            "key": f"{number:03}",
            "request_digest": b"\x00\\x\n\t",
            "reply": {"text": 'tab\t "quoted" \\N 张测试'} if number else None,
            "created_at": clock.now(),
        }
        for number in range(count)
    ]
    with db.transaction() as session:
        append_rows(session, IdempotentReply, rows)
        write_appended(session)
        found = session.scalars(
            select(IdempotentReply).filter_by(operation=f"tests.append.{count}").order_by(IdempotentReply.key)
        ).all()
        assert [{name: getattr(each, name) for name in rows[0]} for each in found] == rows


@pytest.mark.parametrize("count", [1, MANY + 1])
def test_rows_are_put_where_they_belong_as_their_statement_says(app: Flask, count: int) -> None:
    into = "INSERT INTO idempotent_replies SELECT * FROM {rows} given ON CONFLICT DO NOTHING"
    row = {
        "owner_id": SYSTEM.id,
        "operation": "tests.append",
        "key": "same",
        "request_digest": b"1",
        "created_at": clock.now(),
    }
    with db.transaction() as session:
        for _ in range(2):
            append_rows(session, IdempotentReply, [row] * count, into=into)
            audit.record_act(session, SYSTEM, "tests.thing.done")
            write_appended(session)
        assert len(session.scalars(select(IdempotentReply).filter_by(operation="tests.append")).all()) == 1
