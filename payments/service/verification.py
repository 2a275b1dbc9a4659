"""The ledger checked against itself and against what it books, by anyone who can read the database."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Finding:
    """Something that must not be. ``rule`` names the invariant, ``object_id`` the row that breaks it."""

    rule: str
    object_id: UUID
    expected_fen: int
    found_fen: int


# Each answers the rows that break one invariant: id, what the amount should be, what it is.
_RULES = {
    "journal_sums_to_zero": """
        SELECT journal_id, 0, sum(amount_fen) FROM ledger_entries GROUP BY journal_id HAVING sum(amount_fen) <> 0""",
    "journal_is_whole": """
        SELECT j.id, j.entry_count, count(e.id) FROM ledger_journals j LEFT JOIN ledger_entries e ON e.journal_id = j.id
        GROUP BY j.id HAVING count(e.id) <> j.entry_count""",
    "drawn_equals_entries": """
        SELECT l.id, coalesce(b.balance, 0), l.drawn_fen FROM credit_lines l
        LEFT JOIN (
            SELECT a.owner, sum(e.amount_fen) AS balance FROM ledger_accounts a
            JOIN ledger_entries e ON e.account_id = a.id WHERE a.kind = 'patient_receivable' GROUP BY a.owner
        ) b ON b.owner = l.id::text
        WHERE l.drawn_fen <> coalesce(b.balance, 0)""",
    # Nothing places holds yet, so that nothing may be held.
    "held_equals_holds": "SELECT id, 0, held_fen FROM credit_lines WHERE held_fen <> 0",
    "within_limit": """
        SELECT id, limit_fen, drawn_fen + held_fen FROM credit_lines
        WHERE drawn_fen < 0 OR held_fen < 0 OR drawn_fen + held_fen > limit_fen""",
    "charge_is_booked": """
        SELECT c.id, c.amount_fen, coalesce(b.receivable, 0) FROM charges c
        LEFT JOIN (
            SELECT j.source_id, sum(e.amount_fen) FILTER (WHERE a.kind = 'patient_receivable') AS receivable,
                max(a.owner) FILTER (WHERE a.kind = 'patient_receivable') AS line,
                max(a.owner) FILTER (WHERE a.kind = 'hospital_payable') AS hospital
            FROM ledger_journals j JOIN ledger_entries e ON e.journal_id = j.id
            JOIN ledger_accounts a ON a.id = e.account_id WHERE j.kind = 'charge' GROUP BY j.source_id
        ) b ON b.source_id = c.id
        WHERE (b.receivable, b.line, b.hospital)
            IS DISTINCT FROM (c.amount_fen, c.line_id::text, c.hospital_id::text)""",
    "repayment_is_booked": """
        SELECT r.id, CASE WHEN r.state = 'paid' THEN r.amount_fen ELSE 0 END, coalesce(b.received, 0) FROM repayments r
        LEFT JOIN (
            SELECT j.source_id, sum(e.amount_fen) FILTER (WHERE a.kind = 'gateway_clearing') AS received
            FROM ledger_journals j JOIN ledger_entries e ON e.journal_id = j.id
            JOIN ledger_accounts a ON a.id = e.account_id WHERE j.kind = 'repayment' GROUP BY j.source_id
        ) b ON b.source_id = r.id
        WHERE coalesce(b.received, 0) <> CASE WHEN r.state = 'paid' THEN r.amount_fen ELSE 0 END""",
    "journal_has_a_cause": """
        SELECT j.id, 0, sum(e.amount_fen) FILTER (WHERE e.amount_fen > 0) FROM ledger_journals j
        JOIN ledger_entries e ON e.journal_id = j.id
        WHERE NOT EXISTS (SELECT 1 FROM charges c WHERE j.kind = 'charge' AND c.id = j.source_id)
        AND NOT EXISTS (SELECT 1 FROM repayments r WHERE j.kind = 'repayment' AND r.id = j.source_id)
        GROUP BY j.id""",
}


def verify_ledger(session: Session) -> list[Finding]:
    """Check every invariant of the ledger in one consistent view; an empty list means that all hold.

    Only what breaks a rule is brought over, so that memory does not grow with the ledger.
    """
    return [
        Finding(rule, row[0], int(row[1]), int(row[2]))
        for rule, statement in _RULES.items()
        for row in session.execute(text(statement))
    ]
