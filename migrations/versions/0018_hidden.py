"""hidden

Revision ID: 0018
Revises: 0017
Create Date: 2026-11-22 08:24:40.215510

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "hidden_items",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("object_kind", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("hidden_by", sa.Uuid(), nullable=False),
        sa.Column("hidden_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("object_kind IN ('report', 'study')", name=op.f("ck_hidden_items_object_kind")),
        sa.CheckConstraint("shown_at >= hidden_at", name=op.f("ck_hidden_items_period")),
        sa.ForeignKeyConstraint(["hidden_by"], ["logins.id"], name=op.f("fk_hidden_items_hidden_by")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_hidden_items_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hidden_items")),
        sa.UniqueConstraint("object_id", name=op.f("uq_hidden_items_object_id")),
    )


def downgrade():
    raise RuntimeError("guardians would see what was hidden from them; restore a backup")
