"""reports

Revision ID: 0002
Revises: 0001
Create Date: 2026-11-22 04:10:07.887234

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


# What a version of a report says stays. Which version is current may change, and so may whose it is and under which
# visit: persons are merged and visits corrected.
_APPEND_ONLY = """
CREATE TRIGGER reports_append_only BEFORE DELETE OR UPDATE OF id, version, hospital_id, inbound_message_id,
    effective_at, issued_at, filed_at, channel, status, category, identifier_system, identifier_value, code,
    code_system, name, conclusion
    ON reports FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER reports_no_truncate BEFORE TRUNCATE ON reports FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER observations_append_only BEFORE UPDATE OR DELETE ON observations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER observations_no_truncate BEFORE TRUNCATE ON observations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade():
    op.create_table(
        "reports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=True),
        sa.Column("inbound_message_id", sa.Uuid(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("identifier_system", sa.Text(), nullable=False),
        sa.Column("identifier_value", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("code_system", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("conclusion", sa.Text(), nullable=True),
        sa.CheckConstraint("category IN ('laboratory', 'imaging', 'other')", name=op.f("ck_reports_category")),
        sa.CheckConstraint("channel IN ('fhir', 'hl7v2')", name=op.f("ck_reports_channel")),
        sa.CheckConstraint(
            "status IN ('preliminary', 'final', 'amended', 'corrected', 'cancelled')", name=op.f("ck_reports_status")
        ),
        sa.CheckConstraint("version > 0", name=op.f("ck_reports_version")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_reports_hospital_id")),
        sa.ForeignKeyConstraint(
            ["inbound_message_id"], ["inbound_messages.id"], name=op.f("fk_reports_inbound_message_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_reports_person_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_reports_visit_id")),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_reports")),
        sa.UniqueConstraint(
            "hospital_id", "identifier_system", "identifier_value", "version", name="uq_reports_identifier"
        ),
    )
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.create_index(
            "ix_reports_person",
            ["person_id", sa.literal_column("effective_at DESC"), sa.literal_column("id")],
            unique=False,
            postgresql_where=sa.text("is_current"),
        )
        batch_op.create_index("uq_reports_current", ["id"], unique=True, postgresql_where=sa.text("is_current"))

    op.create_table(
        "observations",
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("report_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("code_system", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Numeric(), nullable=True),
        sa.Column("comparator", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("unit_code", sa.Text(), nullable=True),
        sa.Column("reference_low", sa.Numeric(), nullable=True),
        sa.Column("reference_high", sa.Numeric(), nullable=True),
        sa.Column("reference_text", sa.Text(), nullable=True),
        sa.Column("interpretation", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "comparator IS NULL OR (comparator IN ('<', '<=', '>=', '>') AND value IS NOT NULL)",
            name=op.f("ck_observations_comparator"),
        ),
        sa.CheckConstraint(
            "status <> 'entered-in-error' OR (value IS NULL AND text IS NULL)", name=op.f("ck_observations_withdrawn")
        ),
        sa.CheckConstraint(
            "status IN ('registered', 'preliminary', 'final', 'amended', 'corrected', 'cancelled', 'entered-in-error')",
            name=op.f("ck_observations_status"),
        ),
        sa.CheckConstraint("value IS NULL OR text IS NULL", name=op.f("ck_observations_one_value")),
        sa.ForeignKeyConstraint(
            ["report_id", "report_version"],
            ["reports.id", "reports.version"],
            name=op.f("fk_observations_report_id_report_version"),
        ),
        sa.PrimaryKeyConstraint("report_id", "report_version", "position", name=op.f("pk_observations")),
    )
    op.execute(_APPEND_ONLY)


def downgrade():
    op.drop_table("observations")
    with op.batch_alter_table("reports", schema=None) as batch_op:
        batch_op.drop_index("uq_reports_current", postgresql_where=sa.text("is_current"))
        batch_op.drop_index("ix_reports_person", postgresql_where=sa.text("is_current"))

    op.drop_table("reports")
