"""Exports count the entries that they hold

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


def downgrade():
    op.drop_column("record_exports", "entries")
