"""What is booked balances, stays, and is checked against what it books."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.orm import Session

from core import clock, db
from core.ids import new_id
from payments import ledger
from payments.models import CreditLine, JournalKind, LedgerEntry
from tests.payments.till import Notifier, Till, findings
from tests.support.city import City


@pytest.fixture(scope="module")
def busy_of_module(module_city: City, notifier: Notifier) -> Till:
    till = Till.open(module_city)
    till.capture(1000)
    assert till.post(notifier.tell(till.transaction_of(till.open_order(600)))).status_code == 204
    assert findings() == []
    return till


@pytest.fixture
def busy(busy_of_module: Till, city: City) -> Till:
    """A charge of 1000, 600 of it repaid."""
    return busy_of_module


@contextmanager
def sabotage() -> Iterator[Session]:
    """Write past the triggers, as the tables' owner could."""
    with db.transaction() as session:
        check_now(session)
        for table in APPEND_ONLY:
            session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        yield session
        for table in APPEND_ONLY:
            session.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


def check_now(session: Session) -> None:
    """Fire what waits for a commit, which a test that is rolled back never reaches."""
    session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    session.execute(text("SET CONSTRAINTS ALL DEFERRED"))


APPEND_ONLY = ("charges", "gateway_notifications", "ledger_accounts", "ledger_entries", "ledger_journals")
SABOTAGES: dict[str, tuple[str, set[str]]] = {
    "a balance is changed": (
        "UPDATE credit_lines SET drawn_fen = drawn_fen + 1 WHERE id = :line",
        {"drawn_equals_entries"},
    ),
    "something is held": ("UPDATE credit_lines SET held_fen = 5 WHERE id = :line", {"held_equals_holds"}),
    "an entry is changed": (
        "UPDATE ledger_entries SET amount_fen = 999 WHERE amount_fen = 1000 AND journal_id IN (SELECT id FROM"
        " ledger_journals WHERE source_id IN (SELECT id FROM charges WHERE line_id = :line))",
        {"journal_sums_to_zero", "drawn_equals_entries", "charge_is_booked"},
    ),
    "a journal is deleted with its entries": (
        "WITH gone AS (DELETE FROM ledger_journals WHERE source_id IN (SELECT id FROM charges WHERE line_id = :line)"
        " RETURNING id) DELETE FROM ledger_entries WHERE journal_id IN (SELECT id FROM gone)",
        {"drawn_equals_entries", "charge_is_booked"},
    ),
    "one entry is deleted": (
        "DELETE FROM ledger_entries WHERE amount_fen = -1000 AND journal_id IN (SELECT id FROM"
        " ledger_journals WHERE source_id IN (SELECT id FROM charges WHERE line_id = :line))",
        {"journal_sums_to_zero", "journal_is_whole", "charge_is_booked"},
    ),
    "a charge is changed": (
        "UPDATE charges SET amount_fen = 1 WHERE line_id = :line",
        {"charge_is_booked"},
    ),
    "a charge is deleted": ("DELETE FROM charges WHERE line_id = :line", {"journal_has_a_cause"}),
    "a repayment is marked as never paid": (
        "UPDATE repayments SET state = 'closed', paid_at = NULL, transaction_id = NULL WHERE line_id = :line",
        {"repayment_is_booked"},
    ),
}


@pytest.mark.parametrize("what", SABOTAGES)
def test_verify_finds_what_was_tampered_with(busy: Till, what: str) -> None:
    statement, rules = SABOTAGES[what]
    with sabotage() as session:
        session.execute(text(statement), {"line": busy.line_id})
    assert set(findings()) == rules


def test_the_command_says_what_is_wrong_and_exits_1(busy: Till) -> None:
    runner = busy.city.app.test_cli_runner()
    good = runner.invoke(args=["ledger", "verify"])
    assert (good.exit_code, good.output) == (0, "the ledger holds\n")
    with sabotage() as session:
        session.execute(text("UPDATE credit_lines SET drawn_fen = 1 WHERE id = :line"), {"line": busy.line_id})
    bad = runner.invoke(args=["ledger", "verify"])
    assert bad.exit_code == 1
    assert f"drawn_equals_entries: {busy.line_id} should be 400 fen, is 1 fen" in bad.output


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement",
    ["UPDATE {} SET {} = {}", "DELETE FROM {0}", "TRUNCATE {0} CASCADE"],
    ids=["update", "delete", "truncate"],
)
def test_what_was_booked_cannot_be_changed(busy: Till, table: str, statement: str) -> None:
    column = {"gateway_notifications": "event_type", "charges": "bill_number", "ledger_accounts": "owner"}.get(
        table, "id"
    )
    with db.transaction() as session:
        check_now(session)
    with pytest.raises(DatabaseError, match="append-only"), db.transaction() as session:
        session.execute(text(statement.format(table, column, column)))


def test_one_cause_is_booked_once(till: Till) -> None:
    charge_id = UUID(till.capture(1000).json["charge_id"])
    amounts_fen = {ledger.receivable(till.line_id): 1, ledger.payable(till.hospital.id): -1}
    with pytest.raises(IntegrityError, match="uq_ledger_journals_kind_source_id"), db.transaction() as session:
        ledger.post_journal(session, JournalKind.CHARGE, source_id=charge_id, amounts_fen=amounts_fen, at=clock.now())


def test_an_unbalanced_journal_is_a_mistake_of_ours(till: Till) -> None:
    with pytest.raises(RuntimeError), db.transaction() as session:
        ledger.post_journal(
            session,
            JournalKind.CHARGE,
            source_id=new_id(),
            amounts_fen={ledger.receivable(till.line_id): 1},
            at=clock.now(),
        )


def test_the_line_itself_refuses_to_be_overdrawn(till: Till) -> None:
    for values in ({"drawn_fen": 300_001}, {"drawn_fen": -1}, {"held_fen": 300_001}, {"held_fen": -1}):
        with pytest.raises(IntegrityError, match="ck_credit_lines_"), db.transaction() as session:
            session.execute(update(CreditLine).where(CreditLine.id == till.line_id).values(values))


def test_the_whole_ledger_sums_to_zero(busy: Till) -> None:
    with db.transaction() as session:
        assert session.scalar(select(func.sum(LedgerEntry.amount_fen))) == 0
