"""Rows that a transaction leaves behind and does not read itself: written with one statement, before its commit."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from core import statements
from core.db import Base, before_attempt

# In ``session.info``: rows by table that the transaction under way has appended and not written yet.
_ROWS = "core.appending.rows"


def append_row(session: Session, table: type[Base], row: Mapping[str, Any]) -> None:
    """Add a row to what the session's transaction writes at its end; a rollback forgets it.

    :param row: by column, as JSON has it: ids and times as texts, documents as objects. A column that is left out is
        NULL: defaults do not apply.
    """
    rows: dict[str, list[Mapping[str, Any]]] = session.info.setdefault(_ROWS, {})
    rows.setdefault(table.__tablename__, []).append(row)


@event.listens_for(Session, "before_commit")
def write_appended(session: Session) -> None:
    """Write what was appended so far; done for every transaction before it commits.

    Reading such a table in the transaction that adds to it needs a call of this first.
    """
    rows = session.info.pop(_ROWS, None)
    if rows:
        written = {table: json.dumps(of_table) for table, of_table in rows.items()}
        statements.run(session, _write_into(tuple(rows)), written)


before_attempt.append(write_appended)


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_ROWS, None)


@cache
def _write_into(tables: tuple[str, ...]) -> str:
    populate = "INSERT INTO {0} SELECT * FROM jsonb_populate_recordset(NULL::{0}, %({0})s)"
    inserts = [populate.format(name) for name in tables]
    *first, last = inserts
    if not first:
        return last
    return "WITH " + ", ".join(f"written_{n} AS ({insert})" for n, insert in enumerate(first)) + f" {last}"
