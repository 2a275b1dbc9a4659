"""The database itself refuses what does not balance, when it is committed."""

from collections.abc import Callable
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core import clock, db
from core.ids import new_id
from payments import ledger
from payments.models import JournalKind, LedgerEntry, LedgerJournal
from tests.payments.till import Till
from tests.support.city import City


def add_journal(session: Session, entry_count: int, *amounts_fen: int) -> UUID:
    journal = LedgerJournal(kind=JournalKind.CHARGE, source_id=new_id(), entry_count=entry_count, posted_at=clock.now())
    session.add(journal)
    session.flush()
    add_entries(session, journal.id, *amounts_fen)
    return journal.id


def add_entries(session: Session, journal_id: UUID, *amounts_fen: int) -> None:
    account_id = ledger._open_account(session, ledger.clearing("test"))
    for amount_fen in amounts_fen:
        session.add(LedgerEntry(journal_id=journal_id, account_id=account_id, amount_fen=amount_fen))
    session.flush()


@pytest.mark.parametrize(
    "write",
    [
        lambda session: add_journal(session, 2, 100, -99),
        lambda session: add_journal(session, 3, 100, -100),
        lambda session: add_journal(session, 2),
    ],
    ids=["unbalanced", "an entry short", "empty"],
)
def test_the_database_itself_refuses_a_journal_that_does_not_balance(
    committing_app: Flask, write: Callable[[Session], object]
) -> None:
    with pytest.raises(IntegrityError, match="summing to"), db.transaction() as session:
        write(session)


def test_a_booked_journal_takes_no_further_entries_even_when_they_balance(committing_city: City) -> None:
    till = Till.open(committing_city)
    charge_id = UUID(till.capture(1000).json["charge_id"])
    with db.transaction() as session:
        journal_id = session.scalars(select(LedgerJournal.id).filter_by(source_id=charge_id)).one()
    with pytest.raises(IntegrityError, match="summing to"), db.transaction() as session:
        add_entries(session, journal_id, 50, -50)
