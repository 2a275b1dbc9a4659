"""Receipts of what hospitals copied; records that people have corrected or deleted

Revision ID: 0055
Revises: 0054
Create Date: 2026-11-22 22:50:00.000000

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

_APPEND_ONLY = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
_NEW_NOTICES = (
    "erasure_overdue",
    "deletion_asked",
    "deletion_refused",
    "rectification_answered",
    "rectification_overdue",
)
_MOMENT = sa.DateTime(timezone=True)
_RECTIFICATION_CHECKS = {
    "state": "state IN ('asked', 'accepted', 'declined', 'withdrawn')",
    "object_kind": "object_kind IN ('report', 'study', 'entry')",
    "reason": "reason IN ('correct', 'clinical_judgement', 'not_proven')",
    "declined": "(state = 'declined') = (reason IS NOT NULL)",
    "ended": "(state = 'asked') = (ended_at IS NULL)",
    "answered": "(state IN ('accepted', 'declined')) = (answered_by IS NOT NULL)",
    "corrected": "(state = 'accepted') = (corrected_version IS NOT NULL)",
    "accepted_is_corrected": "object_kind = 'study' OR corrected_version > object_version",
    "due": "due_at > asked_at",
}
_RECTIFICATION_OWNERS = {
    "person_id": "persons",
    "hospital_id": "hospitals",
    "asked_by": "logins",
    "answered_by": "staff_members",
}


def upgrade():
    _change_notices(lambda kinds: [*kinds, *_NEW_NOTICES])
    op.create_table(
        "erasure_requests",
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("grant_version", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("last_copied_at", _MOMENT, nullable=False),
        sa.Column("asked_at", _MOMENT, nullable=False),
        sa.Column("due_at", _MOMENT, nullable=False),
        sa.Column("reminders", sa.Integer(), nullable=False),
        sa.Column("reminded_at", _MOMENT, nullable=True),
        sa.Column("answered_at", _MOMENT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("cause IN ('revoked', 'expired')", name=op.f("ck_erasure_requests_cause")),
        sa.CheckConstraint("copies > 0", name=op.f("ck_erasure_requests_copies")),
        sa.CheckConstraint("due_at > asked_at", name=op.f("ck_erasure_requests_due")),
        sa.CheckConstraint("(reminded_at IS NULL) = (reminders = 0)", name=op.f("ck_erasure_requests_reminded")),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name=op.f("fk_erasure_requests_grant_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_erasure_requests_person_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_erasure_requests_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_requests")),
    )
    for column in ("grant_id", "person_id", "hospital_id"):
        op.create_index(f"ix_erasure_requests_{column}", "erasure_requests", [column, sa.text("id DESC")])
    op.create_index(
        "ix_erasure_requests_open", "erasure_requests", ["due_at"], postgresql_where=sa.text("answered_at IS NULL")
    )
    op.create_table(
        "erasure_receipts",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("jws", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("erased", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("erased_at", _MOMENT, nullable=True),
        sa.Column("kept_reason", sa.Text(), nullable=True),
        sa.Column("kept_until", sa.Date(), nullable=True),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.CheckConstraint("outcome IN ('erased', 'partly_kept', 'kept')", name=op.f("ck_erasure_receipts_outcome")),
        sa.CheckConstraint(
            "kept_reason IN ('medical_record', 'other_grant', 'dispute', 'legal_order')",
            name=op.f("ck_erasure_receipts_kept_reason"),
        ),
        sa.CheckConstraint("(outcome = 'kept') = (erased_at IS NULL)", name=op.f("ck_erasure_receipts_erased")),
        sa.CheckConstraint("(outcome = 'kept') = (cardinality(erased) = 0)", name=op.f("ck_erasure_receipts_what")),
        sa.CheckConstraint("(outcome = 'erased') = (kept_reason IS NULL)", name=op.f("ck_erasure_receipts_kept")),
        sa.CheckConstraint(
            "kept_until IS NULL OR kept_reason IS NOT NULL", name=op.f("ck_erasure_receipts_kept_until")
        ),
        sa.CheckConstraint(
            "erased <@ ARRAY['reports', 'entries', 'images', 'demographics']",
            name=op.f("ck_erasure_receipts_erased_known"),
        ),
        sa.ForeignKeyConstraint(["request_id"], ["erasure_requests.id"], name=op.f("fk_erasure_receipts_request_id")),
        sa.ForeignKeyConstraint(["client_id"], ["machine_clients.id"], name=op.f("fk_erasure_receipts_client_id")),
        sa.PrimaryKeyConstraint("request_id", name=op.f("pk_erasure_receipts")),
    )
    op.execute(_APPEND_ONLY.format(table="erasure_receipts"))
    op.create_table(
        "erasure_sweeps",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("swept_until", _MOMENT, nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_erasure_sweeps_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_sweeps")),
    )
    # What ran out before was never asked for: it begins with what runs out from now on.
    op.execute("INSERT INTO erasure_sweeps VALUES (1, now())")
    op.create_index("ix_grants_expires_at", "grants", ["expires_at"], postgresql_using="brin")
    op.add_column("persons", sa.Column("erased_at", _MOMENT, nullable=True))
    _make_deletions()
    _make_rectifications()
    op.create_table(
        "retention_counts",
        sa.Column("counted_at", _MOMENT, nullable=False),
        sa.Column("persons", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("persons >= 0", name=op.f("ck_retention_counts_persons")),
        sa.CheckConstraint("lines >= persons", name=op.f("ck_retention_counts_lines")),
        sa.PrimaryKeyConstraint("counted_at", name=op.f("pk_retention_counts")),
    )


def _make_deletions():
    op.create_table(
        "deletion_requests",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", _MOMENT, nullable=False),
        sa.Column("cooling_until", _MOMENT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("checked_by", sa.Uuid(), nullable=True),
        sa.Column("checked_at", _MOMENT, nullable=True),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.Column("refused_reason", sa.Text(), nullable=True),
        sa.Column("kept", postgresql.JSONB(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "state IN ('asked', 'checked', 'done', 'withdrawn', 'refused')", name=op.f("ck_deletion_requests_state")
        ),
        sa.CheckConstraint("cooling_until > asked_at", name=op.f("ck_deletion_requests_cooling")),
        sa.CheckConstraint("(checked_by IS NULL) = (checked_at IS NULL)", name=op.f("ck_deletion_requests_checked")),
        sa.CheckConstraint("checked_at >= cooling_until", name=op.f("ck_deletion_requests_cooled")),
        sa.CheckConstraint(
            "state NOT IN ('checked', 'done') OR checked_by IS NOT NULL", name=op.f("ck_deletion_requests_first_hand")
        ),
        sa.CheckConstraint("(state = 'done') = (approved_by IS NOT NULL)", name=op.f("ck_deletion_requests_approved")),
        sa.CheckConstraint("approved_by <> checked_by", name=op.f("ck_deletion_requests_two_persons")),
        sa.CheckConstraint(
            "(state IN ('asked', 'checked')) = (ended_at IS NULL)", name=op.f("ck_deletion_requests_ended")
        ),
        sa.CheckConstraint(
            "(state = 'refused') = (refused_reason IS NOT NULL)", name=op.f("ck_deletion_requests_refused")
        ),
        sa.CheckConstraint(
            "refused_reason IN ('not_the_person', 'dispute', 'legal_order')",
            name=op.f("ck_deletion_requests_refused_reason"),
        ),
        sa.CheckConstraint("(state = 'done') = (kept IS NOT NULL)", name=op.f("ck_deletion_requests_kept")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_deletion_requests_person_id")),
        sa.ForeignKeyConstraint(["asked_by"], ["logins.id"], name=op.f("fk_deletion_requests_asked_by")),
        sa.ForeignKeyConstraint(["checked_by"], ["staff_members.id"], name=op.f("fk_deletion_requests_checked_by")),
        sa.ForeignKeyConstraint(["approved_by"], ["staff_members.id"], name=op.f("fk_deletion_requests_approved_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletion_requests")),
    )
    open_ones = sa.text("state IN ('asked', 'checked')")
    op.create_index(
        "uq_deletion_requests_open", "deletion_requests", ["person_id"], unique=True, postgresql_where=open_ones
    )


def _make_rectifications():
    op.create_table(
        "rectification_requests",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("object_kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("object_version", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", _MOMENT, nullable=False),
        sa.Column("due_at", _MOMENT, nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=True),
        sa.Column("wrong_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("right_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("note_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("corrected_version", sa.Integer(), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", _MOMENT, nullable=True),
        sa.Column("escalated_at", _MOMENT, nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        *(
            sa.CheckConstraint(said, name=op.f(f"ck_rectification_requests_{name}"))
            for name, said in _RECTIFICATION_CHECKS.items()
        ),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_rectification_requests_{column}"))
            for column, table in _RECTIFICATION_OWNERS.items()
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rectification_requests")),
    )
    table, newest = "rectification_requests", sa.text("id DESC")
    op.create_index(f"uq_{table}_open", table, ["object_id"], unique=True, postgresql_where=sa.text("state = 'asked'"))
    for column in ("hospital_id", "person_id"):
        op.create_index(f"ix_{table}_{column}", table, [column, newest])
    op.create_index(f"ix_{table}_escalated", table, [newest], postgresql_where=sa.text("escalated_at IS NOT NULL"))


def downgrade():
    op.drop_table("retention_counts")
    op.drop_table("rectification_requests")
    op.drop_table("deletion_requests")
    op.drop_column("persons", "erased_at")
    op.drop_index("ix_grants_expires_at", "grants")
    op.drop_table("erasure_sweeps")
    op.drop_table("erasure_receipts")
    op.drop_table("erasure_requests")
    kinds = {"kinds": list(_NEW_NOTICES)}
    delivered = "DELETE FROM notice_deliveries d USING notices n WHERE n.id = d.notice_id AND n.kind = ANY(:kinds)"
    op.get_bind().execute(sa.text(delivered), kinds)
    op.get_bind().execute(sa.text("DELETE FROM notices WHERE kind = ANY(:kinds)"), kinds)
    _change_notices(lambda kinds: [kind for kind in kinds if kind not in _NEW_NOTICES])


def _change_notices(change):
    """What kinds there are besides is other migrations' affair."""
    asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notices_kind'"
    said = op.get_bind().execute(sa.text(asked)).scalar_one()
    kinds = change([part.split("'")[1] for part in said.split(",")])
    op.drop_constraint(op.f("ck_notices_kind"), "notices", type_="check")
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    op.create_check_constraint(op.f("ck_notices_kind"), "notices", f"kind IN ({listed})")
