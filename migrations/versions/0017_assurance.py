"""assurance

Revision ID: 0017
Revises: 0015
Create Date: 2026-11-22 08:27:10.204518

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0017"
down_revision = "0015"
branch_labels = None
depends_on = None


_KINDS = (
    "kind IN ('identified', 'code_replayed', 'code_double_used', 'two_places', 'visit_disowned', 'card_lost', "
    "'card_restored', 'card_reissued', 'card_cancelled', 'merged', 'unmerged', 'details_corrected', "
    "'login_confirmed', 'login_waiting', {new}'family_added', 'family_left', 'guardian_ended', 'acting_ended', "
    "'real_name_disagreed', 'real_name_agreed', 'break_glass')"
)


def upgrade():
    with op.batch_alter_table("assurance_checks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("source", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("reference", sa.Text(), nullable=True))
        batch_op.create_check_constraint(
            batch_op.f("ck_assurance_checks_reference"), "(source IS NULL) = (reference IS NULL)"
        )
    _allow_notices(new="'pin_reset', ")


def downgrade():
    _allow_notices(new="")
    with op.batch_alter_table("assurance_checks", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_assurance_checks_reference"), type_="check")
        batch_op.drop_column("reference")
        batch_op.drop_column("source")


def _allow_notices(new):
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_notices_kind"), type_="check")
        batch_op.create_check_constraint(batch_op.f("ck_notices_kind"), _KINDS.format(new=new))
