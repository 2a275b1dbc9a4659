"""Transactions inside a test's outer transaction, without what they cost in a product that has none.

psycopg forgets its prepared statements at every ROLLBACK that it sees, and SQLAlchemy compiles every savepoint anew.
A suite rolls back after each test: then each statement would be parsed and planned each time. These go to the server
as they are.
"""

from typing import Any

import psycopg
from psycopg.pq import ExecStatus, TransactionStatus
from sqlalchemy import Connection, Engine, event

# More than the platform has different statements, so that none drives another out.
STATEMENTS = 2000


def keep_statements(engine: Engine) -> None:
    """Let the engine's connections make savepoints cheaply, and keep many prepared statements and compiled ones.

    A statement is planned once, not for each set of values: tables are nearly empty, one plan is as good as another.
    """
    engine.update_execution_options(compiled_cache={})

    @event.listens_for(engine, "connect")
    def allow_many(driver: "psycopg.Connection[Any]", _entry: Any) -> None:
        driver.prepared_max = STATEMENTS
        driver.prepare_threshold = 1
        driver.pgconn.exec_(b"SET plan_cache_mode = force_generic_plan")

    dialect: Any = engine.dialect
    dialect.do_savepoint = begin_savepoint
    dialect.do_release_savepoint = lambda connection, name: send(connection, f"RELEASE SAVEPOINT {name}")
    dialect.do_rollback_to_savepoint = lambda connection, name: send(connection, f"ROLLBACK TO SAVEPOINT {name}")


def begin_savepoint(connection: Connection, name: str) -> None:
    """A savepoint; psycopg begins a transaction only with the first statement that it sees itself."""
    if _driver(connection).pgconn.transaction_status == TransactionStatus.IDLE:
        send(connection, "BEGIN")
    send(connection, f"SAVEPOINT {name}")


def send(connection: Connection, command: str) -> None:
    """One command, past psycopg and SQLAlchemy.

    :raises psycopg.DatabaseError: the server refuses it.
    """
    done = _driver(connection).pgconn.exec_(command.encode())
    if done.status != ExecStatus.COMMAND_OK:
        raise psycopg.DatabaseError(done.get_error_message())


def _driver(connection: Connection) -> "psycopg.Connection[Any]":
    driver: psycopg.Connection[Any] = connection.connection.driver_connection  # type: ignore[assignment]
    return driver
