"""Messages are resolved, lists are uploaded

Revision ID: 0032
Revises: 0031
Create Date: 2026-11-22 10:51:10.444367

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql


# revision identifiers, used by Alembic.
revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

CHECKS = """
UPDATE inbound_messages SET reason = 'records.person_contradicts' WHERE reason = 'records.image_contradicts_person';
ALTER TABLE inbound_messages
    DROP CONSTRAINT ck_inbound_messages_channel,
    DROP CONSTRAINT ck_inbound_messages_state,
    DROP CONSTRAINT ck_inbound_messages_quarantine_has_reason,
    ADD CONSTRAINT ck_inbound_messages_channel CHECK (channel IN ('fhir', 'hl7v2', 'dicomweb', 'upload')),
    ADD CONSTRAINT ck_inbound_messages_state CHECK (state IN ('accepted', 'quarantined', 'dismissed')),
    ADD CONSTRAINT ck_inbound_messages_quarantine_has_reason CHECK ((state <> 'accepted') = (reason IS NOT NULL)),
    ADD CONSTRAINT ck_inbound_messages_resolution CHECK (resolution IN ('replayed', 'assigned', 'dismissed')),
    ADD CONSTRAINT ck_inbound_messages_resolved_at CHECK ((resolution IS NULL) = (resolved_at IS NULL)),
    ADD CONSTRAINT ck_inbound_messages_dismissed
        CHECK ((state = 'dismissed') = (resolution IS NOT DISTINCT FROM 'dismissed'));
ALTER TABLE reports
    DROP CONSTRAINT ck_reports_channel,
    ADD CONSTRAINT ck_reports_channel CHECK (channel IN ('fhir', 'hl7v2', 'upload'));
"""

# How a message stands may change; that it came, and what it says, may not.
TRIGGERS = """
CREATE TRIGGER inbound_messages_kept BEFORE DELETE OR UPDATE OF id, hospital_id, channel, message_key, digest,
    content_type, data_key, body_sealed, storage_key, received_at
    ON inbound_messages FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER inbound_messages_no_truncate BEFORE TRUNCATE ON inbound_messages
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade():
    op.create_table(
        "bulk_replays",
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_by_kind", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_id", sa.Uuid(), nullable=False),
        sa.Column("done_id", sa.Uuid(), nullable=True),
        sa.Column("filed", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("created_by_kind IN ('staff', 'machine')", name=op.f("ck_bulk_replays_created_by_kind")),
        sa.CheckConstraint("filed >= 0 AND kept >= 0", name=op.f("ck_bulk_replays_counts")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_bulk_replays_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_replays")),
    )
    op.create_table(
        "uploads",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("committed_by", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=True),
        sa.Column("rows_total", sa.Integer(), nullable=False),
        sa.Column("errors", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("errors_total", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(state IN ('filed', 'expired')) = (ended_at IS NOT NULL)", name=op.f("ck_uploads_ended_at")
        ),
        sa.CheckConstraint("state IN ('checked', 'filing', 'filed', 'expired')", name=op.f("ck_uploads_state")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_uploads_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_uploads")),
    )
    op.create_index("ix_uploads_hospital_id", "uploads", ["hospital_id", sa.literal_column("id DESC")])
    op.create_index(
        "uq_uploads_digest",
        "uploads",
        ["hospital_id", "digest"],
        unique=True,
        postgresql_where=sa.text("state <> 'expired'"),
    )
    op.create_table(
        "uploaded_reports",
        sa.Column("upload_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("report_number", sa.Text(), nullable=False),
        sa.Column("first_line", sa.Integer(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("report_id", sa.Uuid(), nullable=True),
        sa.Column("report_version", sa.Integer(), nullable=True),
        sa.CheckConstraint("(state = 'quarantined') = (reason IS NOT NULL)", name=op.f("ck_uploaded_reports_reason")),
        sa.CheckConstraint(
            "state IN ('ready', 'left_out', 'filed', 'same', 'quarantined')", name=op.f("ck_uploaded_reports_state")
        ),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.id"], name=op.f("fk_uploaded_reports_upload_id")),
        sa.PrimaryKeyConstraint("upload_id", "position", name=op.f("pk_uploaded_reports")),
    )
    for name, kind in (
        ("resolution", sa.Text()),
        ("resolution_reason", sa.Text()),
        ("resolved_by", sa.Uuid()),
        ("resolved_at", sa.DateTime(timezone=True)),
    ):
        op.add_column("inbound_messages", sa.Column(name, kind, nullable=True))
    op.create_index(
        "ix_inbound_messages_dismissed",
        "inbound_messages",
        ["hospital_id", "digest"],
        postgresql_where=sa.text("state = 'dismissed'"),
    )
    op.execute(CHECKS)
    op.execute(TRIGGERS)


def downgrade():
    raise RuntimeError("what was dismissed would be lost or come back; restore a backup")
