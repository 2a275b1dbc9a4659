"""Exports count the entries that they hold; a hospital lists its orders

Revision ID: 0040
Revises: 0039
Create Date: 2026-11-22 13:10:00.000000

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("record_exports", sa.Column("entries", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.alter_column("record_exports", "entries", server_default=None)
    op.create_index(
        "ix_lab_orders_hospital_id",
        "lab_orders",
        ["hospital_id", sa.literal_column("ordered_at DESC"), sa.literal_column("id DESC")],
        unique=False,
    )


def downgrade():
    op.drop_index("ix_lab_orders_hospital_id", table_name="lab_orders")
    op.drop_column("record_exports", "entries")
