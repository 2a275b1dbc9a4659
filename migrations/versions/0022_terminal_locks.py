"""A terminal where too many codes were refused is locked in its own row

Revision ID: 0022
Revises: 0021
Create Date: 2026-11-22 09:55:00

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("terminals", sa.Column("locked_until", sa.DateTime(timezone=True), nullable=True))


def downgrade():
    op.drop_column("terminals", "locked_until")
