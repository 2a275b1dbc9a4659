"""Orders follow the reports that answer them

Revision ID: 0037
Revises: 0035
Create Date: 2026-11-22 13:45:00.000000

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0037"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("lab_orders", sa.Column("report_id", sa.Uuid(), nullable=True))
    op.create_index(
        "ix_lab_orders_filler_number",
        "lab_orders",
        ["hospital_id", "filler_number"],
        unique=False,
        postgresql_where=sa.text("filler_number IS NOT NULL"),
    )


def downgrade():
    op.drop_index("ix_lab_orders_filler_number", table_name="lab_orders")
    op.drop_column("lab_orders", "report_id")
