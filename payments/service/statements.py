"""What a line was drawn for and what was repaid, as the patient reads it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core.actor import Actor
from payments.models import AccountKind, Charge, LedgerAccount, LedgerEntry, LedgerJournal
from payments.service.lines import get_line

PAGE = 50


@dataclass(frozen=True)
class EntryView:
    """One entry on a line. ``amount_fen``: above zero drawn, below zero repaid; ``balance_fen``: owed after it.

    A charge has hospital, medical step and bill number; ``source_id`` is the charge or the repayment.
    """

    entry_id: UUID
    kind: str
    source_id: UUID
    posted_at: datetime
    amount_fen: int
    balance_fen: int
    hospital_name: str | None
    medical_step: str | None
    bill_number: str | None


def list_entries(session: Session, actor: Actor, *, line_id: UUID, before: UUID | None = None) -> list[EntryView]:
    """The entries of a line of the actor's own person, newest first.

    :param before: the id of the last entry of the page before.
    :raises LineNotFound: none such.
    """
    line = get_line(session, actor, line_id=line_id).line
    consent.release(
        session, actor, person_id=line.person_id, action="payments.entries.read", of=("credit_line", line.id)
    )
    order = (LedgerJournal.posted_at, LedgerEntry.id)
    entries = (
        select(
            LedgerEntry.id,
            LedgerJournal.kind,
            LedgerJournal.source_id,
            LedgerJournal.posted_at,
            LedgerEntry.amount_fen,
            # A sum of bigint is numeric in PostgreSQL; the balance is an integer again.
            func.sum(LedgerEntry.amount_fen).over(order_by=order).label("balance_fen"),
        )
        .join(LedgerJournal, LedgerJournal.id == LedgerEntry.journal_id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(LedgerAccount.kind == AccountKind.PATIENT_RECEIVABLE, LedgerAccount.owner == str(line.id))
        .subquery()
    )
    page = (
        select(entries, Charge.hospital_id, Charge.medical_step, Charge.bill_number)
        .outerjoin(Charge, Charge.id == entries.c.source_id)
        .order_by(entries.c.posted_at.desc(), entries.c.id.desc())
        .limit(PAGE)
    )
    if before is not None:
        last = select(entries.c.posted_at, entries.c.id).where(entries.c.id == before).scalar_subquery()
        page = page.where(tuple_(entries.c.posted_at, entries.c.id) < last)
    rows = session.execute(page).all()
    hospitals = accounts.list_hospitals(session, {row.hospital_id for row in rows if row.hospital_id})
    return [
        EntryView(
            entry_id=row.id,
            kind=row.kind,
            source_id=row.source_id,
            posted_at=row.posted_at,
            amount_fen=row.amount_fen,
            balance_fen=int(row.balance_fen),
            hospital_name=hospitals[row.hospital_id].name if row.hospital_id else None,
            medical_step=row.medical_step,
            bill_number=row.bill_number,
        )
        for row in rows
    ]
