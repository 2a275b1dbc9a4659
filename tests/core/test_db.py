"""The two ways to open a transaction."""

import secrets
import threading

import pytest
from flask import Flask
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import func, select, text
from sqlalchemy.exc import InternalError
from sqlalchemy.orm import Session

from accounts.refusals import RefreshTokenReused
from core import db, outbox
from core.errors import NotSignedIn
from core.outbox import OutboxMessage


def announce_and(error: BaseException | None = None) -> str:
    topic = f"tests.{secrets.token_hex(8)}"
    with db.transaction() as session:
        outbox.announce(session, topic, {})
        if error is not None:
            raise error
    return topic


def count(session: Session) -> int:
    return session.scalar(select(func.count(OutboxMessage.id))) or 0


def committed_messages() -> int:
    with db.snapshot() as session:
        return count(session)


def test_a_block_that_ends_commits_and_one_that_raises_does_not(committing_app: Flask) -> None:
    before = committed_messages()
    announce_and()
    with pytest.raises(ZeroDivisionError):
        announce_and(ZeroDivisionError())
    with pytest.raises(NotSignedIn):
        announce_and(NotSignedIn())
    assert committed_messages() == before + 1


def test_a_refusal_that_keeps_changes_commits_and_is_raised_all_the_same(committing_app: Flask) -> None:
    before = committed_messages()
    with pytest.raises(RefreshTokenReused):
        announce_and(RefreshTokenReused())
    assert committed_messages() == before + 1


def attempt_and(session: Session, error: BaseException | None) -> None:
    with db.attempt(session):
        outbox.announce(session, "tests.attempt", {})
        if error is not None:
            raise error


def test_an_attempt_that_is_refused_undoes_itself_and_nothing_else(committing_app: Flask) -> None:
    before = committed_messages()
    with db.transaction() as session:
        # What is appended and not written yet stays too.
        outbox.announce(session, "tests.before", {})
        with pytest.raises(NotSignedIn):
            attempt_and(session, NotSignedIn())
        assert count(session) == before + 1
        with pytest.raises(RefreshTokenReused):
            attempt_and(session, RefreshTokenReused())
    assert committed_messages() == before + 2


def test_a_transaction_inside_a_transaction_is_a_mistake(committing_app: Flask) -> None:
    before = committed_messages()

    def open_another() -> None:
        with db.transaction() as session:
            outbox.announce(session, "tests.nested", {})
            announce_and()

    with pytest.raises(RuntimeError, match="open already"):
        open_another()
    assert committed_messages() == before
    announce_and()
    assert committed_messages() == before + 1


@pytest.mark.parametrize("fixture", ["app", "committing_app"])
def test_the_database_itself_refuses_to_write_in_a_snapshot(fixture: str, request: pytest.FixtureRequest) -> None:
    request.getfixturevalue(fixture)
    with pytest.raises(InternalError) as refused, db.snapshot() as session:
        outbox.announce(session, "tests.snapshot", {})
    assert isinstance(refused.value.orig, ReadOnlySqlTransaction)


def test_a_snapshot_sees_one_state_of_the_world(committing_app: Flask) -> None:
    def announce_elsewhere() -> None:
        with committing_app.app_context():
            announce_and()

    with db.snapshot() as session:
        before = count(session)
        elsewhere = threading.Thread(target=announce_elsewhere)
        elsewhere.start()
        elsewhere.join()
        assert count(session) == before
    assert committed_messages() == before + 1


def test_the_next_transaction_may_write_again_after_a_snapshot(committing_app: Flask) -> None:
    with db.snapshot() as session:
        assert session.scalar(text("SHOW transaction_read_only")) == "on"
    with db.transaction() as session:
        assert session.scalar(text("SHOW transaction_read_only")) == "off"
