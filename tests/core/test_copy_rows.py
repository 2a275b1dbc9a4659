"""Many rows at once: as if they had been written one by one."""

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core import appending, audit, clock, db
from core.actor import SYSTEM
from core.audit import AuditEntry
from core.idempotency import IdempotentReply
from core.ids import new_id


def reply(key: str) -> dict[str, object]:
    return {
        "owner_id": SYSTEM.id,
        "operation": "tests.copy",
        "key": key,
        "request_digest": b"\x00\\x\n\t",
        "reply": {"text": 'tab\t "quoted" \\N 张测试'},
        "created_at": clock.now(),
    }


def test_what_is_copied_reads_as_it_was_written(app: Flask) -> None:
    rows = [reply("first"), reply("second")]
    with db.transaction() as session:
        db.copy_rows(session, IdempotentReply, rows)
        db.copy_rows(session, IdempotentReply, [])
        found = session.scalars(select(IdempotentReply).filter_by(operation="tests.copy").order_by("key")).all()
    assert [{name: getattr(each, name) for name in rows[0]} for each in found] == rows


def test_the_rules_of_the_table_hold_for_all_of_them_or_none_is_written(app: Flask) -> None:
    with pytest.raises(IntegrityError), db.transaction() as session:
        db.copy_rows(session, IdempotentReply, [reply("first"), reply("second"), reply("first")])
    with db.transaction() as session:
        assert session.scalar(select(IdempotentReply).filter_by(operation="tests.copy")) is None


def test_acts_recorded_at_once_are_acts(app: Flask) -> None:
    subjects, thing = [new_id(), new_id()], new_id()
    with db.transaction() as session:
        acts = [("tests.thing.copied", subject, ("thing", thing)) for subject in subjects]
        audit.record_acts(session, SYSTEM, acts, facts={"number": 2})
        audit.record_act(
            session, SYSTEM, "tests.thing.copied", subject_id=subjects[0], of=("thing", thing), facts={"number": 2}
        )
        appending.write_appended(session)
        found = session.scalars(select(AuditEntry).filter_by(object_id=thing).order_by(AuditEntry.id)).all()
    assert [entry.subject_id for entry in found] == [*subjects, subjects[0]]
    shapes = [
        {name: value for name, value in vars(entry).items() if name not in {"id", "at", "_sa_instance_state"}}
        for entry in found
    ]
    assert shapes[0] == shapes[2]
