"""Views of one study in a browser; frames rendered when an image arrives

Revision ID: 0046
Revises: 0045
Create Date: 2026-11-22 16:37:02.257117

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "image_views",
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("ticket_hash", sa.LargeBinary(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("(entered_at IS NULL) = (token_hash IS NULL)", name=op.f("ck_image_views_entered")),
        sa.ForeignKeyConstraint(["login_id"], ["logins.id"], name=op.f("fk_image_views_login_id")),
        sa.ForeignKeyConstraint(["session_id"], ["login_sessions.id"], name=op.f("fk_image_views_session_id")),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_image_views_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_image_views")),
        sa.UniqueConstraint("ticket_hash", name=op.f("uq_image_views_ticket_hash")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_image_views_token_hash")),
    )
    op.create_table(
        "first_looks",
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("sizes", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("cardinality(sizes) BETWEEN 1 AND 60", name=op.f("ck_first_looks_sizes")),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instances.id"], name=op.f("fk_first_looks_instance_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("pk_first_looks")),
        sa.UniqueConstraint("source_key", name=op.f("uq_first_looks_source_key")),
    )


def downgrade():
    op.drop_table("first_looks")
    op.drop_table("image_views")
