"""Credit products and lines, charges, repayments, and the double-entry ledger under them. Amounts are integer fen."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, SmallInteger, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, WithId


class CreditProduct(WithId, Base):
    """What a provider offers: the terms are a row, never code.

    ``statement_day`` and ``due_day`` are days of the month (1 to 28, so that every month has them).
    ``agreement_text_hash`` is the SHA-256 of the agreement's UTF-8 text, 64 hexadecimal digits.
    """

    __tablename__ = "credit_products"
    __table_args__ = (
        CheckConstraint("limit_fen > 0", name="limit"),
        CheckConstraint("interest_free_days BETWEEN 0 AND 56", name="interest_free_days"),
        CheckConstraint("statement_day BETWEEN 1 AND 28", name="statement_day"),
        CheckConstraint("due_day BETWEEN 1 AND 28", name="due_day"),
        CheckConstraint("agreement_text_hash ~ '^[0-9a-f]{64}$'", name="agreement_text_hash"),
    )

    code: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    provider: Mapped[str]
    limit_fen: Mapped[int] = mapped_column(BigInteger)
    interest_free_days: Mapped[int] = mapped_column(SmallInteger)
    statement_day: Mapped[int] = mapped_column(SmallInteger)
    due_day: Mapped[int] = mapped_column(SmallInteger)
    agreement_version: Mapped[str]
    agreement_text_hash: Mapped[str]
    is_offered: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[datetime]


class LineState(StrEnum):
    """A suspended line pays for emergencies only; a closed one for nothing. Both can be repaid."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    CLOSED = "closed"


class CreditLine(WithId, Base):
    """One person's credit under one product. The row is locked by everything that draws on it or repays it.

    ``drawn_fen`` repeats the balance of the line's receivable account, so that the limit is a constraint of one row;
    ``held_fen`` is what holds reserve.
    """

    __tablename__ = "credit_lines"
    __table_args__ = (
        UniqueConstraint("person_id", "product_id"),
        CheckConstraint("state IN ('active', 'suspended', 'closed')", name="state"),
        CheckConstraint("drawn_fen >= 0", name="drawn"),
        CheckConstraint("held_fen >= 0", name="held"),
        CheckConstraint("drawn_fen + held_fen <= limit_fen", name="within_limit"),
    )

    person_id: Mapped[UUID] = mapped_column(ForeignKey("persons.id"))
    product_id: Mapped[UUID] = mapped_column(ForeignKey("credit_products.id"))
    limit_fen: Mapped[int] = mapped_column(BigInteger)
    drawn_fen: Mapped[int] = mapped_column(BigInteger, default=0)
    held_fen: Mapped[int] = mapped_column(BigInteger, default=0)
    state: Mapped[str] = mapped_column(default=LineState.ACTIVE)
    agreement_version: Mapped[str]
    agreement_text_hash: Mapped[str]
    opened_by: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    opened_at: Mapped[datetime]

    @property
    def available_fen(self) -> int:
        """What may still be drawn."""
        return self.limit_fen - self.held_fen - self.drawn_fen


class Charge(WithId, Base):
    """What a hospital captured against a line: an amount and codes, never what it was for in clinical words."""

    __tablename__ = "charges"
    __table_args__ = (
        UniqueConstraint("hospital_id", "bill_number"),
        Index("ix_charges_line_id", "line_id"),
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("medical_step ~ '^0101[0-9]{2}$'", name="medical_step"),
    )

    line_id: Mapped[UUID] = mapped_column(ForeignKey("credit_lines.id"))
    visit_id: Mapped[UUID] = mapped_column(ForeignKey("visits.id"))
    hospital_id: Mapped[UUID] = mapped_column(ForeignKey("hospitals.id"))
    bill_number: Mapped[str]
    medical_step: Mapped[str]
    amount_fen: Mapped[int] = mapped_column(BigInteger)
    captured_by: Mapped[UUID] = mapped_column(ForeignKey("machine_clients.id"))
    captured_at: Mapped[datetime]


class RepaymentState(StrEnum):
    """``opened``: decided here; ``ordered``: WeChat Pay waits for the patient; ``paid``: the money has come.

    ``closed``: nobody paid in time; ``failed``: WeChat Pay refused the order. Money that comes for either of these all
    the same is still booked, and the repayment is then ``paid``.
    """

    OPENED = "opened"
    ORDERED = "ordered"
    PAID = "paid"
    CLOSED = "closed"
    FAILED = "failed"


UNDER_WAY = (RepaymentState.OPENED, RepaymentState.ORDERED)


class Repayment(WithId, Base):
    """One intent of a patient to pay back. It has one order number for ever, however often the order is tried."""

    __tablename__ = "repayments"
    __table_args__ = (
        Index("ix_repayments_under_way", "line_id", postgresql_where=text("state IN ('opened', 'ordered')")),
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("state IN ('opened', 'ordered', 'paid', 'closed', 'failed')", name="state"),
        CheckConstraint("state <> 'ordered' OR prepay_id IS NOT NULL", name="ordered_has_prepay"),
        CheckConstraint("(state = 'paid') = (paid_at IS NOT NULL)", name="paid_has_time"),
        CheckConstraint("(state = 'paid') = (transaction_id IS NOT NULL)", name="paid_has_transaction"),
    )

    line_id: Mapped[UUID] = mapped_column(ForeignKey("credit_lines.id"))
    login_id: Mapped[UUID] = mapped_column(ForeignKey("logins.id"))
    amount_fen: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(default=RepaymentState.OPENED)
    out_trade_no: Mapped[str] = mapped_column(unique=True)
    expires_at: Mapped[datetime]
    order_tried_at: Mapped[datetime | None]
    prepay_id: Mapped[str | None]
    transaction_id: Mapped[str | None] = mapped_column(unique=True)
    opened_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]


class GatewayNotification(Base):
    """A genuine notification that had its effect: the same id, or the same event of the same order, has it only once.

    Append-only by trigger.
    """

    __tablename__ = "gateway_notifications"
    __table_args__ = (UniqueConstraint("out_trade_no", "event_type"),)

    notification_id: Mapped[str] = mapped_column(primary_key=True)
    event_type: Mapped[str]
    out_trade_no: Mapped[str]
    received_at: Mapped[datetime]


class AccountKind(StrEnum):
    """The chart of accounts (docs/adr/0007-ledger.md). The owner of each is given behind it."""

    PATIENT_RECEIVABLE = "patient_receivable"  # credit line
    HOSPITAL_PAYABLE = "hospital_payable"  # hospital
    GATEWAY_CLEARING = "gateway_clearing"  # name of the gateway
    OVERPAYMENT = "overpayment"  # credit line


class LedgerAccount(WithId, Base):
    """An account. Its balance is the sum of its entries and stands nowhere else."""

    __tablename__ = "ledger_accounts"
    __table_args__ = (
        UniqueConstraint("kind", "owner"),
        CheckConstraint(
            "kind IN ('patient_receivable', 'hospital_payable', 'gateway_clearing', 'overpayment')", name="kind"
        ),
    )

    kind: Mapped[str]
    owner: Mapped[str]
    opened_at: Mapped[datetime]


class JournalKind(StrEnum):
    """What a journal books; its ``source_id`` is the charge or the repayment."""

    CHARGE = "charge"
    REPAYMENT = "repayment"


class LedgerJournal(WithId, Base):
    """One booking, once for its cause. Append-only by trigger.

    A deferred trigger refuses the commit unless its entries are as many as it says and sum to zero.
    """

    __tablename__ = "ledger_journals"
    __table_args__ = (
        UniqueConstraint("kind", "source_id"),
        CheckConstraint("kind IN ('charge', 'repayment')", name="kind"),
        CheckConstraint("entry_count >= 2", name="entry_count"),
    )

    kind: Mapped[str]
    source_id: Mapped[UUID]
    entry_count: Mapped[int] = mapped_column(SmallInteger)
    posted_at: Mapped[datetime]


class LedgerEntry(WithId, Base):
    """One side of a booking: above zero a debit, below zero a credit. Append-only by trigger."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        Index("ix_ledger_entries_journal_id", "journal_id"),
        # An account's balance is summed from this index alone.
        Index("ix_ledger_entries_account_id", "account_id", "id", postgresql_include=["amount_fen"]),
        CheckConstraint("amount_fen <> 0", name="amount"),
    )

    journal_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_journals.id"))
    account_id: Mapped[UUID] = mapped_column(ForeignKey("ledger_accounts.id"))
    amount_fen: Mapped[int] = mapped_column(BigInteger)
