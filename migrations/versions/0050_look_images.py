"""Images say how they lie in the body; a header gives way to the whole file

Revision ID: 0050
Revises: 0048
Create Date: 2026-11-22 19:40:00.000000

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0050"
down_revision = "0048"
branch_labels = None
depends_on = None

# Pixels never change for a SOP instance. Where only the header of an archive's instance is here, the file comes once.
_UNCHANGING = """
CREATE TRIGGER instances_unchanging BEFORE UPDATE ON instances FOR EACH ROW{when} EXECUTE FUNCTION refuse_change()
"""
_BUT_WHOLE = """
    WHEN (NOT (OLD.is_archived AND NOT NEW.is_archived
        AND (OLD.id, OLD.series_id, OLD.hospital_id, OLD.sop_instance_uid, OLD.filed_at)
            = (NEW.id, NEW.series_id, NEW.hospital_id, NEW.sop_instance_uid, NEW.filed_at)))
    """


def upgrade():
    # What was filed before does not say it: NULL, for which no row has to be written anew.
    op.add_column("instances", sa.Column("orientation", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_instances_orientation"), "instances", r"orientation ~ '^[LRAPHF]{1,3}\\[LRAPHF]{1,3}$'"
    )
    _guard(_BUT_WHOLE)


def downgrade():
    _guard("")
    op.drop_column("instances", "orientation")


def _guard(when):
    op.execute("DROP TRIGGER instances_unchanging ON instances")
    op.execute(_UNCHANGING.format(when=when))
