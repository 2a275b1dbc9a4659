"""Ports for images, what is to be vouched for, and quality control of imaging

Revision ID: 0045
Revises: 0044
Create Date: 2026-11-22 16:45:14.856535

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0045"
down_revision = "0044"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "dicom_endpoints",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("called_ae_title", sa.Text(), nullable=False),
        sa.Column("calling_ae_titles", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("reply_host", sa.Text(), nullable=True),
        sa.Column("reply_port", sa.Integer(), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.CheckConstraint("(reply_host IS NULL) = (reply_port IS NULL)", name=op.f("ck_dicom_endpoints_reply")),
        sa.CheckConstraint(
            "cardinality(calling_ae_titles) BETWEEN 1 AND 20", name=op.f("ck_dicom_endpoints_calling_ae_titles")
        ),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_dicom_endpoints_hospital_id")),
        sa.PrimaryKeyConstraint("hospital_id", name=op.f("pk_dicom_endpoints")),
        sa.UniqueConstraint("port", name=op.f("uq_dicom_endpoints_port")),
    )
    op.create_table(
        "dicom_certificates",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=False),
        sa.Column("trusted_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("octet_length(fingerprint) = 32", name=op.f("ck_dicom_certificates_fingerprint")),
        sa.ForeignKeyConstraint(
            ["hospital_id"], ["dicom_endpoints.hospital_id"], name=op.f("fk_dicom_certificates_hospital_id")
        ),
        sa.PrimaryKeyConstraint("hospital_id", "fingerprint", name=op.f("pk_dicom_certificates")),
    )
    op.create_table(
        "storage_commitments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("calling_ae_title", sa.Text(), nullable=False),
        sa.Column("transaction_uid", sa.Text(), nullable=False),
        sa.Column("instances", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_storage_commitments_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage_commitments")),
    )

    op.create_table(
        "quality_samples",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("seed", sa.Text(), nullable=False),
        sa.Column("drawn_by", sa.Uuid(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("grade", sa.Text(), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("scored_by", sa.Uuid(), nullable=True),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "fault IN ('position', 'exposure', 'artefact', 'coverage', 'labelling', 'other')",
            name=op.f("ck_quality_samples_fault"),
        ),
        sa.CheckConstraint("grade IN ('A', 'B', 'C', 'D')", name=op.f("ck_quality_samples_grade")),
        sa.CheckConstraint("(grade IS NULL) = (scored_at IS NULL)", name=op.f("ck_quality_samples_scored_at")),
        sa.CheckConstraint("(grade IS NULL) = (scored_by IS NULL)", name=op.f("ck_quality_samples_scored_by")),
        sa.CheckConstraint("extract(day FROM month) = 1", name=op.f("ck_quality_samples_month")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_quality_samples_hospital_id")),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_quality_samples_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_samples")),
        sa.UniqueConstraint(
            "hospital_id",
            "modality",
            "month",
            "study_id",
            name=op.f("uq_quality_samples_hospital_id_modality_month_study_id"),
        ),
    )
    op.create_table(
        "checked_series",
        sa.Column("series_id", sa.Uuid(), nullable=False),
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("modality", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=True),
        sa.Column("station", sa.Text(), nullable=True),
        sa.Column("manufacturer", sa.Text(), nullable=True),
        sa.Column("studied_on", sa.Date(), nullable=False),
        sa.Column("last_instance_id", sa.Uuid(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_checked_series_hospital_id")),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_checked_series_series_id")),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_checked_series_study_id")),
        sa.PrimaryKeyConstraint("series_id", name=op.f("pk_checked_series")),
    )
    with op.batch_alter_table("checked_series", schema=None) as batch_op:
        batch_op.create_index("ix_checked_series_hospital_id", ["hospital_id", "studied_on", "modality"], unique=False)
        batch_op.create_index("ix_checked_series_study_id", ["study_id"], unique=False)

    op.create_table(
        "quality_findings",
        sa.Column("study_id", sa.Uuid(), nullable=False),
        sa.Column("series_id", sa.Uuid(), nullable=True),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "code IN ('attribute_missing', 'laterality_missing', 'no_picture', 'patient_unverified', "
            "'series_cut', 'series_gap', 'spacing_missing', 'study_cut')",
            name=op.f("ck_quality_findings_code"),
        ),
        sa.CheckConstraint("level IN ('study', 'series', 'instance')", name=op.f("ck_quality_findings_level")),
        sa.ForeignKeyConstraint(["series_id"], ["series.id"], name=op.f("fk_quality_findings_series_id")),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name=op.f("fk_quality_findings_study_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quality_findings")),
        sa.UniqueConstraint("object_id", "code", name=op.f("uq_quality_findings_object_id_code")),
    )
    with op.batch_alter_table("quality_findings", schema=None) as batch_op:
        batch_op.create_index("ix_quality_findings_study_id", ["study_id"], unique=False)
    roles = "'registrar', 'doctor', 'operator', 'security_administrator', 'audit_administrator'"
    op.drop_constraint("ck_staff_members_role", "staff_members")
    op.create_check_constraint(op.f("ck_staff_members_role"), "staff_members", f"role IN ({roles}, 'quality_officer')")


def downgrade():
    op.drop_table("quality_findings")
    op.drop_table("checked_series")
    op.drop_table("quality_samples")
    op.execute(
        "DELETE FROM staff_sessions WHERE staff_id IN (SELECT id FROM staff_members WHERE role = 'quality_officer')"
    )
    op.execute("DELETE FROM staff_members WHERE role = 'quality_officer'")
    roles = "'registrar', 'doctor', 'operator', 'security_administrator', 'audit_administrator'"
    op.drop_constraint("ck_staff_members_role", "staff_members")
    op.create_check_constraint(op.f("ck_staff_members_role"), "staff_members", f"role IN ({roles})")
    op.drop_table("storage_commitments")
    op.drop_table("dicom_certificates")
    op.drop_table("dicom_endpoints")
