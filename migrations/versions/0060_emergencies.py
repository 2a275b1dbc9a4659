"""A doctor opens records in an emergency, and somebody else reviews it

Revision ID: 0060
Revises: 0059
Create Date: 2026-11-22 22:53:28.445709

"""

import re

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

_CHANGING = "ended_at, reviewed_at, reviewed_by, finding, review_sealed"
# What was said at the opening stays, and so does a review; nothing is taken away.
_KEEP = f"""
CREATE FUNCTION keep_emergency_access() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changing text[] := '{{{_CHANGING}}}';
BEGIN
    IF TG_OP <> 'UPDATE' OR to_jsonb(OLD) - changing IS DISTINCT FROM to_jsonb(NEW) - changing
        OR (OLD.reviewed_at IS NOT NULL AND to_jsonb(OLD) - 'ended_at' IS DISTINCT FROM to_jsonb(NEW) - 'ended_at')
        OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS DISTINCT FROM OLD.ended_at)
    THEN
        RAISE EXCEPTION 'an emergency access stays as it was opened and reviewed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER emergency_accesses_kept BEFORE UPDATE OR DELETE ON emergency_accesses
    FOR EACH ROW EXECUTE FUNCTION keep_emergency_access();
CREATE TRIGGER emergency_accesses_no_truncate BEFORE TRUNCATE ON emergency_accesses
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
_NOTICE, _ROLE = "break_glass_unjustified", "medical_affairs"
_OF_HOSPITAL = {"hospital": "hospital_id IS NOT NULL", "employee": "employee_index IS NULL"}


def _allowed(name):
    """The values that a constraint allows now, whatever was added to them before."""
    told = op.get_bind().scalar(
        sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = :name"), {"name": name}
    )
    return re.findall(r"'(\w+)'::text", told)


def _allow(column, values):
    return f"{column} IN ({', '.join(repr(value) for value in values)})"


def _change_checks(change):
    """:param change: from the values that a constraint allows to those that it shall allow."""
    checks = [
        ("notices", "ck_notices_kind", "kind", _NOTICE, "{}"),
        ("staff_members", "ck_staff_members_role", "role", _ROLE, "{}"),
    ]
    checks += [
        ("staff_members", f"ck_staff_members_{name}", "role", _ROLE, f"({{}}) = ({told})")
        for name, told in _OF_HOSPITAL.items()
    ]
    for table, name, column, value, form in checks:
        values = change(_allowed(name), value)
        op.drop_constraint(op.f(name), table, type_="check")
        op.create_check_constraint(op.f(name), table, form.format(_allow(column, values)))


def _add(values, value):
    return [*values, value]


def _remove(values, value):
    return [each for each in values if each != value]


def upgrade():
    op.create_table(
        "emergency_accesses",
        sa.Column("grant_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("terminal_id", sa.Uuid(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("review_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reviewed_by", sa.Uuid(), nullable=True),
        sa.Column("finding", sa.Text(), nullable=True),
        sa.Column("review_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("department ~ '^[0-9A-Z]{4}$'", name=op.f("ck_emergency_accesses_department")),
        sa.CheckConstraint(
            "finding IN ('emergency_confirmed', 'no_emergency', 'could_have_been_asked', 'beyond_need', "
            "'not_treating')",
            name=op.f("ck_emergency_accesses_finding"),
        ),
        sa.CheckConstraint(
            "reason IN ('life_at_risk', 'unconscious', 'cannot_answer', 'minor_without_guardian', "
            "'public_health_duty')",
            name=op.f("ck_emergency_accesses_reason"),
        ),
        sa.CheckConstraint("way IN ('visit', 'certificate')", name=op.f("ck_emergency_accesses_way")),
        sa.CheckConstraint(
            "num_nonnulls(reviewed_at, reviewed_by, finding, review_sealed) IN (0, 4)",
            name=op.f("ck_emergency_accesses_reviewed"),
        ),
        sa.CheckConstraint("reviewed_by <> staff_id", name=op.f("ck_emergency_accesses_second_person")),
        sa.ForeignKeyConstraint(["grant_id"], ["grants.id"], name=op.f("fk_emergency_accesses_grant_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_emergency_accesses_hospital_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_emergency_accesses_person_id")),
        sa.ForeignKeyConstraint(["reviewed_by"], ["staff_members.id"], name=op.f("fk_emergency_accesses_reviewed_by")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_members.id"], name=op.f("fk_emergency_accesses_staff_id")),
        sa.ForeignKeyConstraint(["terminal_id"], ["terminals.id"], name=op.f("fk_emergency_accesses_terminal_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_accesses")),
        sa.UniqueConstraint("grant_id", name=op.f("uq_emergency_accesses_grant_id")),
    )
    with op.batch_alter_table("emergency_accesses", schema=None) as batch_op:
        batch_op.create_index(
            "ix_emergency_accesses_hospital_id",
            ["hospital_id", sa.literal_column("opened_at DESC"), sa.literal_column("id DESC")],
            unique=False,
        )
        batch_op.create_index(
            "ix_emergency_accesses_person_id", ["person_id", sa.literal_column("opened_at DESC")], unique=False
        )
        batch_op.create_index(
            "ix_emergency_accesses_staff_id", ["staff_id", sa.literal_column("opened_at DESC")], unique=False
        )
        batch_op.create_index(
            "ix_emergency_accesses_waiting",
            ["hospital_id", "review_due_at"],
            unique=False,
            postgresql_where=sa.text("reviewed_at IS NULL"),
        )

    op.create_table(
        "emergency_alarms",
        sa.Column("access_id", sa.Uuid(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("counted", sa.Integer(), nullable=True),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_by", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "rule IN ('many_by_doctor', 'many_at_night', 'many_on_person', 'after_revoke', 'review_overdue', "
            "'not_justified')",
            name=op.f("ck_emergency_alarms_rule"),
        ),
        sa.CheckConstraint("(seen_at IS NULL) = (seen_by IS NULL)", name=op.f("ck_emergency_alarms_seen")),
        sa.ForeignKeyConstraint(["access_id"], ["emergency_accesses.id"], name=op.f("fk_emergency_alarms_access_id")),
        sa.ForeignKeyConstraint(["seen_by"], ["staff_members.id"], name=op.f("fk_emergency_alarms_seen_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_emergency_alarms")),
        sa.UniqueConstraint("access_id", "rule", name=op.f("uq_emergency_alarms_access_id_rule")),
    )
    with op.batch_alter_table("emergency_alarms", schema=None) as batch_op:
        batch_op.create_index(
            "ix_emergency_alarms_raised_at",
            [sa.literal_column("raised_at DESC"), sa.literal_column("id DESC")],
            unique=False,
        )

    op.execute(_KEEP)
    _change_checks(_add)


def downgrade():
    op.execute(
        "DELETE FROM notice_deliveries "
        "WHERE notice_id IN (SELECT id FROM notices WHERE kind = 'break_glass_unjustified')"
    )
    op.execute("DELETE FROM notices WHERE kind = 'break_glass_unjustified'")
    _drop()
    op.execute("DROP FUNCTION keep_emergency_access()")
    op.execute(
        "DELETE FROM staff_sessions WHERE staff_id IN (SELECT id FROM staff_members WHERE role = 'medical_affairs')"
    )
    op.execute("DELETE FROM staff_members WHERE role = 'medical_affairs'")
    _change_checks(_remove)


def _drop():
    with op.batch_alter_table("emergency_alarms", schema=None) as batch_op:
        batch_op.drop_index("ix_emergency_alarms_raised_at")

    op.drop_table("emergency_alarms")
    with op.batch_alter_table("emergency_accesses", schema=None) as batch_op:
        batch_op.drop_index("ix_emergency_accesses_waiting", postgresql_where=sa.text("reviewed_at IS NULL"))
        batch_op.drop_index("ix_emergency_accesses_staff_id")
        batch_op.drop_index("ix_emergency_accesses_person_id")
        batch_op.drop_index("ix_emergency_accesses_hospital_id")

    op.drop_table("emergency_accesses")
