"""hl7v2

Revision ID: 0031
Revises: 0030
Create Date: 2026-11-22 10:32:56.701674

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


# What came inside a version of a report stays as it came.
_APPEND_ONLY = """
CREATE TRIGGER report_attachments_append_only BEFORE UPDATE OR DELETE ON report_attachments
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER report_attachments_no_truncate BEFORE TRUNCATE ON report_attachments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade():
    op.create_table(
        "mllp_certificates",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("trusted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(fingerprint) = 32", name=op.f("ck_mllp_certificates_fingerprint")),
        sa.ForeignKeyConstraint(
            ["hospital_id"], ["mllp_endpoints.hospital_id"], name=op.f("fk_mllp_certificates_hospital_id")
        ),
        sa.PrimaryKeyConstraint("hospital_id", "fingerprint", name=op.f("pk_mllp_certificates")),
    )
    op.create_table(
        "lab_orders",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=True),
        sa.Column("placer_number", sa.Text(), nullable=False),
        sa.Column("filler_number", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("code_system", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "status IN ('active', 'on-hold', 'completed', 'revoked', 'entered-in-error')",
            name=op.f("ck_lab_orders_status"),
        ),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_lab_orders_hospital_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_lab_orders_person_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_lab_orders_visit_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lab_orders")),
        sa.UniqueConstraint("hospital_id", "placer_number", name=op.f("uq_lab_orders_hospital_id_placer_number")),
    )
    with op.batch_alter_table("lab_orders", schema=None) as batch_op:
        batch_op.create_index(
            "ix_lab_orders_visit_id",
            ["visit_id", sa.literal_column("ordered_at DESC"), sa.literal_column("id DESC")],
            unique=False,
        )

    op.create_table(
        "visit_numbers",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("named_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("char_length(number) BETWEEN 1 AND 64", name=op.f("ck_visit_numbers_number")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_visit_numbers_hospital_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_visit_numbers_visit_id")),
        sa.PrimaryKeyConstraint("hospital_id", "number", name=op.f("pk_visit_numbers")),
    )
    with op.batch_alter_table("visit_numbers", schema=None) as batch_op:
        batch_op.create_index("ix_visit_numbers_visit_id", ["visit_id"], unique=False)

    op.create_table(
        "report_attachments",
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("report_version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "content_type IN ('application/pdf', 'image/jpeg', 'image/png')",
            name=op.f("ck_report_attachments_content_type"),
        ),
        sa.CheckConstraint("number > 0", name=op.f("ck_report_attachments_number")),
        sa.ForeignKeyConstraint(
            ["report_id", "report_version"],
            ["reports.id", "reports.version"],
            name=op.f("fk_report_attachments_report_id_report_version"),
        ),
        sa.PrimaryKeyConstraint("report_id", "report_version", "number", name=op.f("pk_report_attachments")),
    )
    with op.batch_alter_table("inbound_messages", schema=None) as batch_op:
        batch_op.create_index(
            "ix_inbound_messages_waiting",
            ["hospital_id", "channel", "message_key"],
            unique=False,
            postgresql_where=sa.text("state = 'quarantined'"),
        )

    with op.batch_alter_table("visit_steps", schema=None) as batch_op:
        batch_op.alter_column("terminal_id", existing_type=sa.UUID(), nullable=True)

    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.alter_column("terminal_id", existing_type=sa.UUID(), nullable=True)
    with op.batch_alter_table("visits", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_visits_opened_by"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_visits_opened_by"),
            "num_nonnulls(opened_by, opened_by_client_id) = num_nonnulls(terminal_id)",
        )
    with op.batch_alter_table("visit_steps", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_visit_steps_scanned_by"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_visit_steps_scanned_by"), "num_nonnulls(staff_id, client_id) = num_nonnulls(terminal_id)"
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_visit_steps_nothing_scanned"), "(terminal_id IS NULL) = (code_class = 'N')"
        )
    op.execute(_APPEND_ONLY)


def downgrade():
    raise RuntimeError("visits without a terminal and attached documents have no place in the older schema")
