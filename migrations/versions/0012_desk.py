"""Desks: look-ups, assurance checks, corrections, carriers, and what happened to cards

Revision ID: 0012
Revises: 0011
Create Date: 2026-11-22 06:51:24.314041

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_APPEND_ONLY = ("card_changes", "assurance_checks", "person_changes")


def upgrade():
    op.create_table(
        "card_changes",
        sa.Column("card_id", sa.Uuid(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("from_state", sa.SmallInteger(), nullable=False),
        sa.Column("to_state", sa.SmallInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "act IN ('report_lost', 'restore', 'cancel', 'apply_again', 'issue', 'withhold', 'replace')",
            name=op.f("ck_card_changes_act"),
        ),
        sa.CheckConstraint("from_state BETWEEN 1 AND 5", name=op.f("ck_card_changes_from_state")),
        sa.CheckConstraint("to_state BETWEEN 1 AND 5", name=op.f("ck_card_changes_to_state")),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_card_changes_card_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_card_changes_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_changes")),
    )
    with op.batch_alter_table("card_changes", schema=None) as batch_op:
        batch_op.create_index(
            "ix_card_changes_card_id",
            ["card_id", sa.literal_column("changed_at DESC"), sa.literal_column("id DESC")],
            unique=False,
        )

    op.create_table(
        "carriers",
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number_index", sa.LargeBinary(), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("bound_by", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('social_security_card', 'id_card', 'resident_health_card', 'regional_visit_card')",
            name=op.f("ck_carriers_kind"),
        ),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_carriers_end_reason")),
        sa.ForeignKeyConstraint(["bound_by"], ["staff_members.id"], name=op.f("fk_carriers_bound_by")),
        sa.ForeignKeyConstraint(["ended_by"], ["staff_members.id"], name=op.f("fk_carriers_ended_by")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_carriers_hospital_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_carriers_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carriers")),
    )
    with op.batch_alter_table("carriers", schema=None) as batch_op:
        batch_op.create_index("ix_carriers_person_id", ["person_id"], unique=False)
        batch_op.create_index(
            "uq_carriers_living", ["number_index"], unique=True, postgresql_where=sa.text("ended_at IS NULL")
        )

    op.create_table(
        "desk_look_ups",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "way IN ('certificate', 'visit', 'carrier', 'registration')", name=op.f("ck_desk_look_ups_way")
        ),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_desk_look_ups_hospital_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_desk_look_ups_person_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_members.id"], name=op.f("fk_desk_look_ups_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_look_ups")),
    )
    with op.batch_alter_table("desk_look_ups", schema=None) as batch_op:
        batch_op.create_index("ix_desk_look_ups_person_id", ["person_id"], unique=False)

    op.create_table(
        "assurance_checks",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("look_up_id", sa.Uuid(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("level IN ('document', 'bank', 'face')", name=op.f("ck_assurance_checks_level")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_assurance_checks_hospital_id")),
        sa.ForeignKeyConstraint(["look_up_id"], ["desk_look_ups.id"], name=op.f("fk_assurance_checks_look_up_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_assurance_checks_person_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_members.id"], name=op.f("fk_assurance_checks_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assurance_checks")),
    )
    with op.batch_alter_table("assurance_checks", schema=None) as batch_op:
        batch_op.create_index("ix_assurance_checks_look_up_id", ["look_up_id"], unique=False)
        batch_op.create_index(
            "ix_assurance_checks_person_id", ["person_id", "level", sa.literal_column("checked_at DESC")], unique=False
        )

    op.create_table(
        "person_changes",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("old_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("new_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("look_up_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "field IN ('name', 'phone', 'sex', 'birth_date', 'nation', 'address', 'certificate')",
            name=op.f("ck_person_changes_field"),
        ),
        sa.CheckConstraint(
            "reason IN ('mistake', 'changed', 'renewed', 'added')", name=op.f("ck_person_changes_reason")
        ),
        sa.CheckConstraint(
            "old_sealed IS NOT NULL OR new_sealed IS NOT NULL", name=op.f("ck_person_changes_something")
        ),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_person_changes_hospital_id")),
        sa.ForeignKeyConstraint(["look_up_id"], ["desk_look_ups.id"], name=op.f("fk_person_changes_look_up_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_person_changes_person_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff_members.id"], name=op.f("fk_person_changes_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_changes")),
    )
    with op.batch_alter_table("person_changes", schema=None) as batch_op:
        batch_op.create_index(
            "ix_person_changes_person_id",
            ["person_id", sa.literal_column("changed_at DESC"), sa.literal_column("id DESC")],
            unique=False,
        )

    for table in _APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )


def downgrade():
    with op.batch_alter_table("person_changes", schema=None) as batch_op:
        batch_op.drop_index("ix_person_changes_person_id")

    op.drop_table("person_changes")
    with op.batch_alter_table("assurance_checks", schema=None) as batch_op:
        batch_op.drop_index("ix_assurance_checks_person_id")
        batch_op.drop_index("ix_assurance_checks_look_up_id")

    op.drop_table("assurance_checks")
    with op.batch_alter_table("desk_look_ups", schema=None) as batch_op:
        batch_op.drop_index("ix_desk_look_ups_person_id")

    op.drop_table("desk_look_ups")
    with op.batch_alter_table("carriers", schema=None) as batch_op:
        batch_op.drop_index("uq_carriers_living", postgresql_where=sa.text("ended_at IS NULL"))
        batch_op.drop_index("ix_carriers_person_id")

    op.drop_table("carriers")
    with op.batch_alter_table("card_changes", schema=None) as batch_op:
        batch_op.drop_index("ix_card_changes_card_id")

    op.drop_table("card_changes")
