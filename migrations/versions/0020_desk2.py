"""desk2

Revision ID: 0020
Revises: 0018
Create Date: 2026-11-22 09:40:00.000000

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0020"
down_revision = "0018"
branch_labels = None
depends_on = None


_KINDS = (
    "kind IN ('identified', 'code_replayed', 'code_double_used', 'two_places', 'visit_disowned', 'card_lost', "
    "'card_restored', 'card_reissued', 'card_cancelled', 'card_printed', 'merged', 'unmerged', 'details_corrected', "
    "'login_confirmed', 'login_waiting', 'pin_reset', 'family_added', 'family_left', 'guardian_ended', "
    "'acting_ended', 'real_name_disagreed', 'real_name_agreed', 'break_glass')"
)


def upgrade():
    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_notices_kind"), type_="check")
        batch_op.create_check_constraint(batch_op.f("ck_notices_kind"), _KINDS)
    # Every visit and scan so far was of staff.
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.add_column(sa.Column("opened_by_client_id", sa.Uuid(), nullable=True))
        batch_op.alter_column("opened_by", existing_type=sa.Uuid(), nullable=True)
        batch_op.create_foreign_key(
            batch_op.f("fk_visits_opened_by_client_id"), "machine_clients", ["opened_by_client_id"], ["id"]
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_visits_opened_by"), "num_nonnulls(opened_by, opened_by_client_id) = 1"
        )
    with op.batch_alter_table("visit_steps", schema=None) as batch_op:
        batch_op.add_column(sa.Column("client_id", sa.Uuid(), nullable=True))
        batch_op.alter_column("staff_id", existing_type=sa.Uuid(), nullable=True)
        batch_op.create_foreign_key(batch_op.f("fk_visit_steps_client_id"), "machine_clients", ["client_id"], ["id"])
        batch_op.create_check_constraint(
            batch_op.f("ck_visit_steps_scanned_by"), "num_nonnulls(staff_id, client_id) = 1"
        )


def downgrade():
    raise RuntimeError("visits that hospitals' own systems opened have no staff member; restore a backup")
