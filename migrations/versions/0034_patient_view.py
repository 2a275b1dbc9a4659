"""What is sensitive, what waits for a release, what a login has read

Revision ID: 0034
Revises: 0033
Create Date: 2026-11-22 10:42:35.631583

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "release_rules",
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("code_system", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("sensitivity", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=True),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("review_days", sa.SmallInteger(), nullable=True),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("set_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("category IN ('laboratory', 'imaging', 'other')", name=op.f("ck_release_rules_category")),
        sa.CheckConstraint("mode IN ('at_once', 'after_review', 'with_visit')", name=op.f("ck_release_rules_mode")),
        sa.CheckConstraint(
            "review_days IS NULL OR (mode = 'after_review' AND review_days BETWEEN 1 AND 90)",
            name=op.f("ck_release_rules_review_days"),
        ),
        sa.CheckConstraint(
            "sensitivity IN ('hiv', 'psychiatric', 'reproductive', 'genetic')",
            name=op.f("ck_release_rules_sensitivity"),
        ),
        sa.CheckConstraint("(code IS NULL) = (code_system IS NULL)", name=op.f("ck_release_rules_code")),
        sa.CheckConstraint("num_nonnulls(code, sensitivity, category) <= 1", name=op.f("ck_release_rules_matter")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_release_rules_hospital_id")),
        sa.ForeignKeyConstraint(["set_by"], ["staff_members.id"], name=op.f("fk_release_rules_set_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_release_rules")),
    )
    op.create_index(
        "uq_release_rules_matter",
        "release_rules",
        ["hospital_id", "code_system", "code", "sensitivity", "category"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )

    op.create_table(
        "restricted_items",
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("object_kind", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("sensitivity", sa.Text(), nullable=True),
        sa.Column("is_held", sa.Boolean(), nullable=False),
        sa.Column("opens_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("restricted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("released_by", sa.Uuid(), nullable=True),
        sa.Column("disclosed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("object_kind IN ('report', 'study', 'entry')", name=op.f("ck_restricted_items_object_kind")),
        sa.CheckConstraint(
            "sensitivity IN ('hiv', 'psychiatric', 'reproductive', 'genetic')",
            name=op.f("ck_restricted_items_sensitivity"),
        ),
        sa.CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name=op.f("ck_restricted_items_released")),
        sa.CheckConstraint(
            "disclosed_at IS NULL OR sensitivity IS NOT NULL", name=op.f("ck_restricted_items_disclosed")
        ),
        sa.CheckConstraint(
            "is_held OR (opens_at IS NULL AND released_at IS NULL)", name=op.f("ck_restricted_items_held")
        ),
        sa.CheckConstraint("sensitivity IS NOT NULL OR is_held", name=op.f("ck_restricted_items_reason")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_restricted_items_hospital_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_restricted_items_person_id")),
        sa.ForeignKeyConstraint(["released_by"], ["staff_members.id"], name=op.f("fk_restricted_items_released_by")),
        sa.PrimaryKeyConstraint("object_id", name=op.f("pk_restricted_items")),
    )
    op.create_index(
        "ix_restricted_items_held",
        "restricted_items",
        ["hospital_id", sa.text("restricted_at DESC"), sa.text("object_id DESC")],
        unique=False,
        postgresql_where=sa.text("is_held AND released_at IS NULL"),
    )

    op.create_table(
        "seen_items",
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["login_id"], ["logins.id"], name=op.f("fk_seen_items_login_id")),
        sa.ForeignKeyConstraint(["object_id"], ["timeline_entries.object_id"], name=op.f("fk_seen_items_object_id")),
        sa.PrimaryKeyConstraint("login_id", "object_id", name=op.f("pk_seen_items")),
    )
    # A default makes this quick on any size of table; only the reports that were ever amended are then touched.
    op.add_column("timeline_entries", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.execute(
        "UPDATE timeline_entries SET version = reports.version FROM reports "
        "WHERE reports.id = timeline_entries.object_id AND reports.is_current AND reports.version > 1"
    )
    op.alter_column("timeline_entries", "version", server_default=None)


def downgrade():
    raise RuntimeError("sensitive and held items would be seen by everybody; restore a backup")
