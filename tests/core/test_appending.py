"""What a transaction leaves behind is written with its commit, and not at all without it."""

from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from core import audit, db
from core.actor import SYSTEM
from core.audit import AuditEntry
from core.errors import MalformedRequest
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
