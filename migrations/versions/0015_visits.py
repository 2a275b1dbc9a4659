"""visits

Revision ID: 0015
Revises: 0014
Create Date: 2026-11-22 07:34:55.909536

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


# Every visit so far was one scan.
_MOVE_SCANS = """
INSERT INTO visit_steps
    (id, visit_id, redemption_id, terminal_id, department, medical_step, code_class, staff_id, at)
SELECT gen_random_uuid(), id, redemption_id, terminal_id, department, medical_step,
    CASE WHEN redemption_id IS NULL THEN 'S' ELSE 'D' END, opened_by, opened_at
FROM visits
"""
# Nobody could close a visit: the worker closes those that have run out, at once, and the others in their time.
_ANNOUNCE_EXPIRING = """
INSERT INTO outbox_messages (id, topic, payload, request_id, created_at, due_at, attempts)
SELECT gen_random_uuid(), 'records.visit_expiring', jsonb_build_object('visit_id', id), 'migration-0015', now(),
    opened_at + interval '1 day', 0
FROM visits
WHERE closed_at IS NULL AND kind <> 'I'
"""
_APPEND_ONLY = """
CREATE TRIGGER visit_steps_append_only BEFORE UPDATE OR DELETE ON visit_steps
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER visit_steps_no_truncate BEFORE TRUNCATE ON visit_steps
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade():
    op.create_table(
        "patient_number_merges",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("retired", sa.Text(), nullable=False),
        sa.Column("surviving", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("bound", sa.Text(), nullable=True),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("said_by", sa.Uuid(), nullable=False),
        sa.Column("said_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("state IN ('done', 'undone', 'under_review')", name=op.f("ck_patient_number_merges_state")),
        sa.CheckConstraint("bound IN (retired, surviving)", name=op.f("ck_patient_number_merges_bound")),
        sa.CheckConstraint("retired <> surviving", name=op.f("ck_patient_number_merges_two_numbers")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_patient_number_merges_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patient_number_merges")),
        sa.UniqueConstraint(
            "hospital_id", "retired", "surviving", name=op.f("uq_patient_number_merges_hospital_id_retired_surviving")
        ),
    )
    op.create_table(
        "visit_steps",
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=True),
        sa.Column("terminal_id", sa.Uuid(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("medical_step", sa.Text(), nullable=False),
        sa.Column("code_class", sa.Text(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("code_class ~ '^[A-Z]$'", name=op.f("ck_visit_steps_code_class")),
        sa.ForeignKeyConstraint(["redemption_id"], ["code_redemptions.id"], name=op.f("fk_visit_steps_redemption_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_members.id"], name=op.f("fk_visit_steps_staff_id")),
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.id"], name=op.f("fk_visit_steps_terminal_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_visit_steps_visit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_visit_steps")),
        sa.UniqueConstraint("redemption_id", name=op.f("uq_visit_steps_redemption_id")),
    )
    with op.batch_alter_table("visit_steps", schema=None) as batch_op:
        batch_op.create_index(
            "ix_visit_steps_visit_id",
            ["visit_id", sa.literal_column("at DESC"), sa.literal_column("id DESC")],
            unique=False,
        )

    with op.batch_alter_table("grants", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_grants_visit_id"), type_="unique")
        batch_op.create_index(
            "uq_grants_visit", ["visit_id"], unique=True, postgresql_where=sa.text("revoked_at IS NULL")
        )

    with op.batch_alter_table("patient_numbers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("replaced_by", sa.Text(), nullable=True))
        batch_op.drop_constraint(batch_op.f("uq_patient_numbers_hospital_id_person_id"), type_="unique")
        batch_op.create_check_constraint(batch_op.f("ck_patient_numbers_replaced_by_another"), "replaced_by <> number")
        batch_op.create_index(
            "uq_patient_numbers_current",
            ["hospital_id", "person_id"],
            unique=True,
            postgresql_where=sa.text("replaced_by IS NULL"),
        )
        batch_op.create_foreign_key(
            "fk_patient_numbers_replaced_by",
            "patient_numbers",
            ["hospital_id", "replaced_by"],
            ["hospital_id", "number"],
            initially="DEFERRED",
            deferrable=True,
        )

    op.execute(_MOVE_SCANS)
    op.execute(_ANNOUNCE_EXPIRING)
    op.execute(_APPEND_ONLY)
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("uq_visits_redemption_id"), type_="unique")
        batch_op.create_index(
            "ix_visits_open",
            ["hospital_id", sa.literal_column("opened_at DESC"), sa.literal_column("id DESC")],
            unique=False,
            postgresql_where=sa.text("closed_at IS NULL"),
        )
        batch_op.drop_constraint(batch_op.f("fk_visits_redemption_id"), type_="foreignkey")
        batch_op.drop_column("redemption_id")


def downgrade():
    raise RuntimeError("a visit may have had many scans and a patient number may have been merged; restore a backup")
