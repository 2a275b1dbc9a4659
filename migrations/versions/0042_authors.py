"""Reports keep who made them, and results the components that belong together

Revision ID: 0042
Revises: 0040
Create Date: 2026-11-22 16:40:00.000000

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql


# revision identifiers, used by Alembic.
revision = "0042"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade():
    # Of what is filed already nobody said it: NULL, for which no row has to be written anew.
    op.add_column("reports", sa.Column("authors", postgresql.JSONB(), nullable=True))
    op.create_check_constraint(op.f("ck_reports_authors"), "reports", "jsonb_typeof(authors) = 'object'")
    op.add_column("observations", sa.Column("component_count", sa.SmallInteger(), nullable=True))
    op.create_check_constraint(op.f("ck_observations_component_count"), "observations", "component_count >= 0")


def downgrade():
    op.drop_column("observations", "component_count")
    op.drop_column("reports", "authors")
