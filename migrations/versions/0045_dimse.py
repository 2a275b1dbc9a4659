"""Ports for images, and what is to be vouched for

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


def downgrade():
    op.drop_table("storage_commitments")
    op.drop_table("dicom_certificates")
    op.drop_table("dicom_endpoints")
