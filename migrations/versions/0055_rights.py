"""Receipts of what hospitals copied under grants that have ended

Revision ID: 0055
Revises: 0052
Create Date: 2026-11-22 22:50:00.000000

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0055"
down_revision = "0052"
branch_labels = None
depends_on = None

_APPEND_ONLY = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
_NEW_NOTICES = ("erasure_overdue",)
_MOMENT = sa.DateTime(timezone=True)


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


def downgrade():
    op.drop_table("erasure_sweeps")
    op.drop_table("erasure_receipts")
    op.drop_table("erasure_requests")
    kinds = {"kinds": list(_NEW_NOTICES)}
    told = "(SELECT id FROM notices WHERE kind = ANY(:kinds))"
    op.get_bind().execute(sa.text("DELETE FROM notice_deliveries WHERE notice_id IN " + told), kinds)
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
