"""The double-entry ledger: what is booked is never changed, and a balance is the sum of its entries.

docs/adr/0007-ledger.md says which account stands for what. Above zero is a debit, below zero a credit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import clock
from core.ids import new_id
from payments.models import AccountKind, JournalKind, LedgerAccount, LedgerEntry, LedgerJournal

WECHATPAY = "wechatpay"


@dataclass(frozen=True)
class Account:
    """An account by what it stands for; ``owner`` is an id or the name of a gateway."""

    kind: AccountKind
    owner: str


def receivable(line_id: UUID) -> Account:
    """What a patient owes on a line: a debit balance, equal to the line's ``drawn_fen``."""
    return Account(AccountKind.PATIENT_RECEIVABLE, str(line_id))


def payable(hospital_id: UUID) -> Account:
    """What a hospital is owed for charges: a credit balance."""
    return Account(AccountKind.HOSPITAL_PAYABLE, str(hospital_id))


def clearing(gateway: str) -> Account:
    """What a payment gateway has taken in and not yet handed over: a debit balance."""
    return Account(AccountKind.GATEWAY_CLEARING, gateway)


def overpayment(line_id: UUID) -> Account:
    """What a patient paid beyond his debt and is owed back: a credit balance."""
    return Account(AccountKind.OVERPAYMENT, str(line_id))


def post_journal(
    session: Session, kind: JournalKind, *, source_id: UUID, amounts_fen: Mapping[Account, int], at: datetime
) -> UUID:
    """Book one event. Amounts of zero are left out.

    :param source_id: the charge or repayment; the database refuses a second journal for the same one.
    :param amounts_fen: by account, summing to zero; the database checks it again at the commit.
    :returns: the journal's id.
    """
    booked = {account: amount for account, amount in amounts_fen.items() if amount}
    if sum(booked.values()) != 0:
        raise RuntimeError("a journal must sum to zero")
    account_ids = {account: _open_account(session, account) for account in booked}
    journal = LedgerJournal(kind=kind, source_id=source_id, entry_count=len(booked), posted_at=at)
    session.add(journal)
    session.flush()
    for account, amount in booked.items():
        session.add(LedgerEntry(journal_id=journal.id, account_id=account_ids[account], amount_fen=amount))
    session.flush()
    return journal.id


def balance_fen(session: Session, account: Account) -> int:
    """The sum of an account's entries; zero for one that was never booked on."""
    total = session.scalar(
        select(func.sum(LedgerEntry.amount_fen))
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(LedgerAccount.kind == account.kind, LedgerAccount.owner == account.owner)
    )
    return int(total or 0)


def _open_account(session: Session, account: Account) -> UUID:
    known = select(LedgerAccount.id).filter_by(kind=account.kind, owner=account.owner)
    # Looked up first: a hospital's account is booked on all day, and only its first booking opens it.
    found = session.scalar(known)
    if found is not None:
        return found
    values = {"id": new_id(), "kind": account.kind, "owner": account.owner, "opened_at": clock.now()}
    session.execute(insert(LedgerAccount).values(values).on_conflict_do_nothing())
    opened = session.scalar(known)
    assert opened is not None
    return opened
