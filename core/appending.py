"""Rows that a transaction leaves behind and does not read itself: written with one statement, before its commit."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from core import statements
from core.db import Base, before_attempt, copy_lines

# In ``session.info``: what the transaction under way has appended and not written yet.
_ROWS = "core.appending.rows"
# So many rows of one table are copied, which costs less a row; fewer go with all others in one statement.
MANY = 64

_INSERT = "INSERT INTO {0} SELECT * FROM {{rows}}"
# The table, and how its rows are put into it: a text with ``{rows}`` for them; None: as they are.
_Target = tuple[type[Base], str | None]


def append_row(session: Session, table: type[Base], row: Mapping[str, Any]) -> None:
    """Add a row to what the session's transaction writes at its end; a rollback forgets it.

    :param row: by column. A column that is left out is NULL: defaults do not apply.
    """
    append_rows(session, table, (row,))


def append_rows(
    session: Session, table: type[Base], rows: Iterable[Mapping[str, Any]], *, into: str | None = None
) -> None:
    """As ``append_row``, for some rows with the same columns.

    :param into: the statement that puts them there, when it does more than that: ``{rows}`` stands for them, as a
        table has its columns.
    """
    appended: dict[_Target, list[Mapping[str, Any]]] = session.info.setdefault(_ROWS, {})
    appended.setdefault((table, into), []).extend(rows)


@event.listens_for(Session, "before_commit")
def write_appended(session: Session) -> None:
    """Write what was appended so far; done for every transaction before it commits.

    Reading such a table in the transaction that adds to it needs a call of this first.
    """
    appended: dict[_Target, list[Mapping[str, Any]]] = session.info.pop(_ROWS, {})
    appended = {target: rows for target, rows in appended.items() if rows}
    if any(len(rows) > MANY for rows in appended.values()):
        # One after the other, as they were appended: a row may refer to one of a table before it.
        for target, rows in appended.items():
            if target[1] is None:
                columns = sorted(set[str]().union(*rows))
                copy_lines(session, target[0], columns, [[row.get(column) for column in columns] for row in rows])
            else:
                _insert(session, {target: rows})
    elif appended:
        _insert(session, appended)


before_attempt.append(write_appended)


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(_ROWS, None)


def _insert(session: Session, appended: Mapping[_Target, list[Mapping[str, Any]]]) -> None:
    values = {f"rows_{n}": write_rows(rows) for n, rows in enumerate(appended.values())}
    statements.run(session, _write_into(tuple((table.__tablename__, into) for table, into in appended)), values)


def write_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows in JSON, as PostgreSQL reads them (``jsonb_populate_recordset``): ids, times and decimals as they are
    written, bytes in hexadecimal digits.
    """
    return json.dumps(rows, default=_write)


def _write(value: object) -> str:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


@cache
def _write_into(targets: tuple[tuple[str, str | None], ...]) -> str:
    populate = "jsonb_populate_recordset(NULL::{0}, %(rows_{1})s)"
    inserts = [
        (into or _INSERT.format(name)).replace("{rows}", populate.format(name, n))
        for n, (name, into) in enumerate(targets)
    ]
    *first, last = inserts
    if not first:
        return last
    return "WITH " + ", ".join(f"written_{n} AS ({insert})" for n, insert in enumerate(first)) + f" {last}"
