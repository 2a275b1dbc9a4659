"""Hand-written statements for the few hottest paths: one round trip, without the ORM's cost.

A statement has named parameters in psycopg's way, ``%(name)s``, and never takes a value into its text.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any, cast

import psycopg
from psycopg.rows import TupleRow
from sqlalchemy import Connection, Engine, event, exc
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from core import db

# A connection that lay idle for longer is asked whether it still lives before it is used.
IDLE_SECONDS = 1.0


def compose(statement: str, **parts: str | int) -> str:
    """A statement with parts in place of ``{name}``: texts of our own, such as another package gives.

    Values of a request are parameters, never parts.
    """
    return statement.format(**parts)


def run(session: Session, statement: str, values: Mapping[str, Any]) -> TupleRow | None:
    """The first row of one statement inside the session's transaction; None when there is none."""
    session.flush()
    return _run(
        cast("psycopg.Connection[TupleRow]", session.connection().connection.driver_connection), statement, values
    )


def list_rows(session: Session, statement: str, values: Mapping[str, Any]) -> list[TupleRow]:
    """All rows of one statement inside the session's transaction."""
    session.flush()
    connection = cast("psycopg.Connection[TupleRow]", session.connection().connection.driver_connection)
    return _execute(connection, statement, values).fetchall()


def look(statement: str, values: Mapping[str, Any]) -> TupleRow | None:
    """The first row of one reading statement that is a transaction of its own. Needs an app context."""
    with _borrow() as connection:
        return _run(connection, statement, values)


def look_rows(statement: str, values: Mapping[str, Any]) -> list[TupleRow]:
    """As ``look``, all rows."""
    with _borrow() as connection:
        return _execute(connection, statement, values).fetchall()


@contextmanager
def _borrow() -> "Iterator[psycopg.Connection[TupleRow]]":
    """A connection on which each statement is a transaction of its own."""
    engine: Engine | Connection = db.orm.engine
    if isinstance(engine, Connection):  # A test's outer transaction: there is no other connection.
        yield cast("psycopg.Connection[TupleRow]", engine.connection.driver_connection)
        return
    try:
        borrowed = engine.raw_connection()
    except psycopg.Error as failed:
        raise exc.DBAPIError.instance(None, None, failed, psycopg.Error) from failed
    try:
        connection = cast("psycopg.Connection[TupleRow]", borrowed.driver_connection)
        connection.autocommit = True
        try:
            yield connection
        finally:
            if not connection.closed:
                connection.autocommit = False
    except exc.OperationalError:
        borrowed.invalidate()
        raise
    finally:
        borrowed.close()


def ping_idle_connections(engine: Engine) -> None:
    """Ask connections that lay idle whether they live: a database that was started again is not met as an error.

    SQLAlchemy's own ``pool_pre_ping`` asks every time, which a busy desk feels.
    """

    @event.listens_for(engine, "checkin")
    def put_back(_driver: Any, entry: ConnectionPoolEntry) -> None:
        entry.info["idle_since"] = monotonic()

    @event.listens_for(engine, "checkout")
    def take(driver: Any, entry: ConnectionPoolEntry, _proxy: Any) -> None:
        if monotonic() - entry.info.get("idle_since", monotonic()) <= IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(driver)
        except psycopg.Error as broken:
            raise exc.DisconnectionError from broken


def _run(connection: "psycopg.Connection[TupleRow]", statement: str, values: Mapping[str, Any]) -> TupleRow | None:
    cursor = _execute(connection, statement, values)
    # Not ``description``, which builds a column object for each of its columns.
    has_rows = cursor.pgresult is not None and cursor.pgresult.nfields
    return cursor.fetchone() if has_rows else None


def _execute(
    connection: "psycopg.Connection[TupleRow]", statement: str, values: Mapping[str, Any]
) -> "psycopg.Cursor[TupleRow]":
    try:
        return connection.execute(statement, values)
    except psycopg.Error as failed:
        # The same error as from every other statement; without the values, which may be a person's.
        raise exc.DBAPIError.instance(None, None, failed, psycopg.Error) from failed
