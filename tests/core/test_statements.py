"""Hand-written statements: part of the caller's transaction, or one of their own; lost connections are noticed."""

import psycopg
import pytest
from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.exc import DataError, OperationalError

from core import db, outbox, statements
from core.outbox import OutboxMessage


def test_a_statement_sees_what_the_session_has_not_written_yet_and_is_rolled_back_with_it(app: Flask) -> None:
    find = "SELECT topic FROM outbox_messages WHERE key = %(key)s"

    def announce_and_fail() -> None:
        with db.transaction() as session:
            outbox.announce(session, "tests.thing_happened", {}, key="statement")
            assert statements.run(session, find, {"key": "statement"}) == ("tests.thing_happened",)
            statements.run(session, "UPDATE outbox_messages SET attempts = 7 WHERE key = %(key)s", {"key": "statement"})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        announce_and_fail()
    assert statements.look(find, {"key": "statement"}) is None


def test_errors_are_those_of_every_other_statement_and_quote_no_value(app: Flask) -> None:
    with pytest.raises(DataError) as refused, db.transaction() as session:
        statements.run(session, "SELECT %(born)s::date", {"born": "no such day"})
    assert refused.value.params is None
    with db.transaction() as session:
        assert session.query(OutboxMessage).count() >= 0


def test_a_look_is_a_transaction_of_its_own(committing_app: Flask) -> None:
    assert statements.look("SELECT pg_current_xact_id_if_assigned()", {}) == (None,)
    with pytest.raises(DataError):
        statements.look("SELECT %(born)s::date", {"born": "no such day"})
    with db.transaction() as session:
        # The connection is back in the pool as it was: nothing is written unless it is committed.
        assert session.connection().connection.driver_connection.autocommit is False


def test_a_connection_that_the_database_ended_while_it_lay_idle_is_replaced(
    committing_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statements, "IDLE_SECONDS", -1.0)
    try:
        for use in (lambda: statements.look("SELECT 1", {}), _use_session):
            _end_the_idle_connection()
            assert use() == (1,)
    finally:
        db.orm.engine.dispose()


def test_a_connection_that_ends_in_use_is_an_operational_error(committing_app: Flask) -> None:
    with pytest.raises(OperationalError):
        statements.look("SELECT pg_terminate_backend(pg_backend_pid())", {})
    assert statements.look("SELECT 1", {}) == (1,)


def test_a_database_that_cannot_be_reached_is_an_operational_error(
    committing_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = create_engine(db.orm.engine.url.set(host="127.0.0.1", port=1))
    monkeypatch.setitem(db.orm.engines, None, nowhere)
    with pytest.raises(OperationalError):
        statements.look("SELECT 1", {})


def _use_session() -> object:
    with db.transaction() as session:
        return statements.run(session, "SELECT 1", {})


def _end_the_idle_connection() -> None:
    """Of this application: another one on the same database may be about to use its own."""
    db.orm.engine.dispose()
    (pid,) = statements.look("SELECT pg_backend_pid()", {}) or ()
    address = db.orm.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        assert connection.execute("SELECT pg_terminate_backend(%s, 60000)", [pid]).fetchone() == (True,)
