"""What people are told of reports, reports on paper, and exports

Revision ID: 0035
Revises: 0034
Create Date: 2026-11-22 10:36:31.937603

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None


_APPEND_ONLY = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
_NOTICES = (
    "identified code_replayed code_double_used two_places visit_disowned card_lost card_restored card_reissued "
    "card_cancelled card_printed merged unmerged details_corrected login_confirmed login_waiting pin_reset "
    "family_added family_left guardian_ended acting_ended real_name_disagreed real_name_agreed break_glass "
    "confirmation_asked turning_fourteen report_new report_amended export_ready"
)
_WIDER = (
    ("notices", "kind", _NOTICES),
    ("notice_deliveries", "outcome", "sent refused undeliverable too_late not_accepted"),
)


def upgrade():
    op.create_table(
        "message_credits",
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("template_id", sa.Text(), nullable=False),
        sa.Column("remaining", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("remaining >= 0", name=op.f("ck_message_credits_remaining")),
        sa.ForeignKeyConstraint(["login_id"], ["logins.id"], name=op.f("fk_message_credits_login_id")),
        sa.PrimaryKeyConstraint("login_id", "template_id", name=op.f("pk_message_credits")),
    )
    op.create_table(
        "record_exports",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reports", sa.Integer(), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("studies", sa.Integer(), nullable=False),
        sa.Column("accesses", sa.Integer(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=True),
        sa.Column("data_key", sa.LargeBinary(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("(state = 'ready') = (data_key IS NOT NULL)", name=op.f("ck_record_exports_file")),
        sa.CheckConstraint("(state = 'running') = (ended_at IS NULL)", name=op.f("ck_record_exports_ended")),
        sa.CheckConstraint(
            "state IN ('running', 'ready', 'cancelled', 'ended', 'expired')", name=op.f("ck_record_exports_state")
        ),
        sa.ForeignKeyConstraint(["asked_by"], ["logins.id"], name=op.f("fk_record_exports_asked_by")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_record_exports_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_record_exports")),
    )
    with op.batch_alter_table("record_exports", schema=None) as batch_op:
        batch_op.create_index("ix_record_exports_asked_by", ["asked_by", sa.literal_column("id DESC")], unique=False)
        batch_op.create_index(
            "uq_record_exports_running", ["person_id"], unique=True, postgresql_where=sa.text("state = 'running'")
        )

    op.create_table(
        "record_export_parts",
        sa.Column("export_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("after", sa.Uuid(), nullable=True),
        sa.Column("is_last", sa.Boolean(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=True),
        sa.Column("collected_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["export_id"], ["record_exports.id"], name=op.f("fk_record_export_parts_export_id")),
        sa.PrimaryKeyConstraint("export_id", "number", name=op.f("pk_record_export_parts")),
    )
    op.create_table(
        "report_corrections",
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("report_version", sa.Integer(), nullable=False),
        sa.Column("read_version", sa.Integer(), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_by", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("(seen_at IS NULL) = (seen_by IS NULL)", name=op.f("ck_report_corrections_seen")),
        sa.CheckConstraint("read_version < report_version", name=op.f("ck_report_corrections_read_earlier")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_report_corrections_hospital_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_report_corrections_person_id")),
        sa.ForeignKeyConstraint(
            ["report_id", "report_version"],
            ["reports.id", "reports.version"],
            name=op.f("fk_report_corrections_report_id_report_version"),
        ),
        sa.ForeignKeyConstraint(["seen_by"], ["staff_members.id"], name=op.f("fk_report_corrections_seen_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_corrections")),
        sa.UniqueConstraint(
            "report_id",
            "report_version",
            "hospital_id",
            name=op.f("uq_report_corrections_report_id_report_version_hospital_id"),
        ),
    )
    with op.batch_alter_table("report_corrections", schema=None) as batch_op:
        batch_op.create_index(
            "ix_report_corrections_hospital_id", ["hospital_id", sa.literal_column("id DESC")], unique=False
        )
        batch_op.create_index(
            "ix_report_corrections_unseen",
            ["hospital_id", sa.literal_column("id DESC")],
            unique=False,
            postgresql_where=sa.text("seen_at IS NULL"),
        )

    op.create_table(
        "report_documents",
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("report_id", sa.Uuid(), nullable=False),
        sa.Column("report_version", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("length(content_hash) = 32", name=op.f("ck_report_documents_content_hash")),
        sa.ForeignKeyConstraint(["kid"], ["signing_keys.kid"], name=op.f("fk_report_documents_kid")),
        sa.ForeignKeyConstraint(
            ["report_id", "report_version"],
            ["reports.id", "reports.version"],
            name=op.f("fk_report_documents_report_id_report_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_documents")),
        sa.UniqueConstraint("number", name=op.f("uq_report_documents_number")),
        sa.UniqueConstraint(
            "report_id", "report_version", "kid", name=op.f("uq_report_documents_report_id_report_version_kid")
        ),
    )
    op.create_table(
        "report_document_files",
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("length(sha256) = 32", name=op.f("ck_report_document_files_sha256")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["report_documents.id"], name=op.f("fk_report_document_files_document_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report_document_files")),
    )
    with op.batch_alter_table("report_document_files", schema=None) as batch_op:
        batch_op.create_index("ix_report_document_files_sha256", ["sha256"], unique=False)

    with op.batch_alter_table("notices", schema=None) as batch_op:
        batch_op.add_column(sa.Column("own_only", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    for table, column, values in _WIDER:
        op.drop_constraint(op.f(f"ck_{table}_{column}"), table, type_="check")
        allowed = ", ".join(f"'{value}'" for value in values.split())
        op.create_check_constraint(op.f(f"ck_{table}_{column}"), table, f"{column} IN ({allowed})")
    for table in ("report_documents", "report_document_files"):
        op.execute(_APPEND_ONLY.format(table=table))


def downgrade():
    raise RuntimeError("documents that were given out could not be proven any more; restore a backup")
