"""The audit trail is sealed: each row gets a place in a Merkle tree, whose checkpoints are signed

Revision ID: 0054
Revises: 0053
Create Date: 2026-11-22 22:50:00.000000

"""

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

_KEPT = ("audit_leaves", "audit_nodes", "audit_checkpoints")

# Whoever writes an audit row, in whatever way, has it sealed: what is not committed yet is seen by no sealer, and what
# is committed late waits here like the rest.
_QUEUE = """
CREATE FUNCTION await_sealing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit_unsealed (entry_id) SELECT id FROM written;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_entries_await_sealing AFTER INSERT ON audit_entries REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION await_sealing();
INSERT INTO audit_unsealed (entry_id) SELECT id FROM audit_entries;
"""
_APPEND_ONLY = """
CREATE TRIGGER {0}_append_only BEFORE UPDATE OR DELETE ON {0} FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER {0}_no_truncate BEFORE TRUNCATE ON {0} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade():
    op.create_table(
        "audit_unsealed",
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit_unsealed")),
    )
    op.create_table(
        "audit_leaves",
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("index >= 0", name=op.f("ck_audit_leaves_index")),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_audit_leaves_hash")),
        sa.CheckConstraint("(entry_id IS NULL) = (salt IS NULL)", name=op.f("ck_audit_leaves_lost")),
        sa.CheckConstraint("octet_length(salt) = 16", name=op.f("ck_audit_leaves_salt")),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_audit_leaves")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_leaves_entry_id")),
    )
    op.create_table(
        "audit_nodes",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("level BETWEEN 1 AND 7", name=op.f("ck_audit_nodes_level")),
        sa.CheckConstraint("octet_length(hash) = 32", name=op.f("ck_audit_nodes_hash")),
        sa.PrimaryKeyConstraint("level", "index", name=op.f("pk_audit_nodes")),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_audit_checkpoints")),
    )
    for table in _KEPT:
        op.execute(_APPEND_ONLY.format(table))
    op.execute(_QUEUE)


def downgrade():
    op.execute("DROP TRIGGER audit_entries_await_sealing ON audit_entries")
    op.execute("DROP FUNCTION await_sealing()")
    for table in (*_KEPT, "audit_unsealed"):
        op.drop_table(table)
