"""batch

Revision ID: 0013
Revises: 0012
Create Date: 2026-11-22 06:48:01.936428

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# What became of a line is written once; refuse_change() comes from the foundation.
_APPEND_ONLY = """
CREATE TRIGGER card_batch_rows_append_only BEFORE UPDATE OR DELETE ON card_batch_rows
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER card_batch_rows_no_truncate BEFORE TRUNCATE ON card_batch_rows
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# revision identifiers, used by Alembic.
revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "card_batches",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("encoding", sa.Text(), nullable=False),
        sa.Column("columns", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=False),
        sa.Column("rows_made", sa.Integer(), nullable=False),
        sa.Column("rows_existing", sa.Integer(), nullable=False),
        sa.Column("rows_refused", sa.Integer(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("next_line", sa.Integer(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(state IN ('cancelled', 'done')) = (ended_at IS NOT NULL)", name=op.f("ck_card_batches_ended")
        ),
        sa.CheckConstraint("encoding IN ('utf-8', 'gb18030')", name=op.f("ck_card_batches_encoding")),
        sa.CheckConstraint("state IN ('running', 'paused', 'cancelled', 'done')", name=op.f("ck_card_batches_state")),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (data_key IS NOT NULL)", name=op.f("ck_card_batches_list_ends_with_batch")
        ),
        sa.CheckConstraint("rows_made + rows_existing + rows_refused <= rows_total", name=op.f("ck_card_batches_rows")),
        sa.ForeignKeyConstraint(["created_by"], ["staff_members.id"], name=op.f("fk_card_batches_created_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_batches")),
    )
    op.create_table(
        "card_batch_rows",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("card_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("field", sa.Text(), nullable=True),
        sa.CheckConstraint("(outcome = 'refused') = (card_id IS NULL)", name=op.f("ck_card_batch_rows_card")),
        sa.CheckConstraint("(outcome = 'refused') = (reason IS NOT NULL)", name=op.f("ck_card_batch_rows_reason")),
        sa.CheckConstraint("outcome IN ('made', 'existing', 'refused')", name=op.f("ck_card_batch_rows_outcome")),
        sa.ForeignKeyConstraint(["batch_id"], ["card_batches.id"], name=op.f("fk_card_batch_rows_batch_id")),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_card_batch_rows_card_id")),
        sa.PrimaryKeyConstraint("batch_id", "line", name=op.f("pk_card_batch_rows")),
    )
    with op.batch_alter_table("card_batch_rows", schema=None) as batch_op:
        batch_op.create_index(
            "ix_card_batch_rows_refused",
            ["batch_id", "line"],
            unique=False,
            postgresql_where=sa.text("outcome = 'refused'"),
        )

    op.create_table(
        "card_sheets",
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("first_line", sa.Integer(), nullable=False),
        sa.Column("last_line", sa.Integer(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cards", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=True),
        sa.Column("data_key", sa.LargeBinary(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("first_line <= last_line", name=op.f("ck_card_sheets_lines")),
        sa.CheckConstraint("made_at IS NOT NULL OR data_key IS NULL", name=op.f("ck_card_sheets_key_of_made")),
        sa.ForeignKeyConstraint(["batch_id"], ["card_batches.id"], name=op.f("fk_card_sheets_batch_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["staff_members.id"], name=op.f("fk_card_sheets_requested_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_sheets")),
        sa.UniqueConstraint("batch_id", "number", name=op.f("uq_card_sheets_batch_id_number")),
    )
    with op.batch_alter_table("cards", schema=None) as batch_op:
        batch_op.create_index("ix_cards_issued_at", ["issued_at", "channel"], unique=False)
        batch_op.create_index(
            "ix_cards_state", ["state"], unique=False, postgresql_where=sa.text("replaced_at IS NULL")
        )
    op.execute(_APPEND_ONLY)


def downgrade():
    with op.batch_alter_table("cards", schema=None) as batch_op:
        batch_op.drop_index("ix_cards_state", postgresql_where=sa.text("replaced_at IS NULL"))
        batch_op.drop_index("ix_cards_issued_at")

    op.drop_table("card_sheets")
    with op.batch_alter_table("card_batch_rows", schema=None) as batch_op:
        batch_op.drop_index("ix_card_batch_rows_refused", postgresql_where=sa.text("outcome = 'refused'"))

    op.drop_table("card_batch_rows")
    op.drop_table("card_batches")
