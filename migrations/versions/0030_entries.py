"""entries

Revision ID: 0030
Revises: 0022
Create Date: 2026-11-22 10:48:39.167843

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0030"
down_revision = "0022"
branch_labels = None
depends_on = None


# What a version says stays; which one is current may change, and whose it is and under which visit, as for reports.
_APPEND_ONLY = """
CREATE TRIGGER record_entries_append_only BEFORE DELETE OR UPDATE OF id, version, resource_type, hospital_id,
    inbound_message_id, identifier_system, identifier_value, status, code, code_system, name, occurred_at, filed_at,
    channel, content
    ON record_entries FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER record_entries_no_truncate BEFORE TRUNCATE ON record_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade():
    op.create_table(
        "record_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=True),
        sa.Column("inbound_message_id", sa.Uuid(), nullable=False),
        sa.Column("identifier_system", sa.Text(), nullable=False),
        sa.Column("identifier_value", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("code_system", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "resource_type IN ('AllergyIntolerance', 'Condition', 'DocumentReference', 'Encounter', "
            "'Immunization', 'MedicationRequest', 'Procedure', 'ServiceRequest', 'Specimen')",
            name=op.f("ck_record_entries_resource_type"),
        ),
        sa.CheckConstraint("code IS NULL OR code_system IS NOT NULL", name=op.f("ck_record_entries_code_has_system")),
        sa.CheckConstraint("version > 0", name=op.f("ck_record_entries_version")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_record_entries_hospital_id")),
        sa.ForeignKeyConstraint(
            ["inbound_message_id"], ["inbound_messages.id"], name=op.f("fk_record_entries_inbound_message_id")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_record_entries_person_id")),
        sa.ForeignKeyConstraint(["visit_id"], ["visits.id"], name=op.f("fk_record_entries_visit_id")),
        sa.PrimaryKeyConstraint("id", "version", name=op.f("pk_record_entries")),
        sa.UniqueConstraint(
            "hospital_id",
            "resource_type",
            "identifier_system",
            "identifier_value",
            "version",
            name="uq_record_entries_identifier",
        ),
    )
    with op.batch_alter_table("record_entries", schema=None) as batch_op:
        batch_op.create_index(
            "ix_record_entries_person",
            ["person_id", "resource_type", sa.literal_column("occurred_at DESC"), sa.literal_column("id DESC")],
            unique=False,
            postgresql_where=sa.text("is_current"),
        )
        batch_op.create_index("uq_record_entries_current", ["id"], unique=True, postgresql_where=sa.text("is_current"))

    op.execute(_APPEND_ONLY)
    op.drop_constraint(op.f("ck_hidden_items_object_kind"), "hidden_items", type_="check")
    op.create_check_constraint(
        op.f("ck_hidden_items_object_kind"), "hidden_items", "object_kind IN ('report', 'study', 'entry')"
    )


def downgrade():
    raise RuntimeError("entries that were acknowledged would be lost; restore a backup")
