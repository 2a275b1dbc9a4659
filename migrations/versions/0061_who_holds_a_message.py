"""A message says which worker holds it, so that another one can see that the worker is gone

Revision ID: 0061
Revises: 0060
Create Date: 2026-11-22 22:50:00.000000

"""

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("outbox_messages", sa.Column("held_by", sa.Integer(), nullable=True))
    op.create_index(
        "ix_outbox_messages_held_by", "outbox_messages", ["held_by"], postgresql_where=sa.text("held_by IS NOT NULL")
    )


def downgrade():
    op.drop_index("ix_outbox_messages_held_by", table_name="outbox_messages")
    op.drop_column("outbox_messages", "held_by")
