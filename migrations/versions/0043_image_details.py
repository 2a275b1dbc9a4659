"""What of an instance never changes is kept beside its row: metadata, and where its frames lie

Revision ID: 0043
Revises: 0042
Create Date: 2026-11-22 16:40:00.000000

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

# Instances that were filed before have no such row: their files are read instead.
_UNCHANGING = """
CREATE TRIGGER instance_details_unchanging BEFORE UPDATE ON instance_details
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""


def upgrade():
    op.create_table(
        "instance_details",
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("metadata_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("frame_places", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_instance_details_instance_id")),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("pk_instance_details")),
    )
    op.execute(_UNCHANGING)


def downgrade():
    op.drop_table("instance_details")
