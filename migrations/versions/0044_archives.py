"""Images that stay in hospitals' own archives

Revision ID: 0044
Revises: 0043
Create Date: 2026-11-22 16:50:00.000000

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "image_archives",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("base_url", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=True),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("authority", sa.Text(), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.Uuid(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("searched_on", sa.Date(), nullable=True),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("base_url ~ '^https?://'", name=op.f("ck_image_archives_base_url")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_image_archives_hospital_id")),
        sa.PrimaryKeyConstraint("hospital_id", name=op.f("pk_image_archives")),
    )
    # Every file that was sent until now is whole.
    op.add_column("instances", sa.Column("is_archived", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.alter_column("instances", "is_archived", server_default=None)


def downgrade():
    op.drop_column("instances", "is_archived")
    op.drop_table("image_archives")
