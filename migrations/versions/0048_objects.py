"""What DICOM objects say beyond pixels: key images, reports, the study of a report

Revision ID: 0048
Revises: 0047
Create Date: 2026-11-22 19:40:00.000000

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

_SAID = """id, version, hospital_id, inbound_message_id, effective_at, issued_at, filed_at, channel, status, category,
    identifier_system, identifier_value, code, code_system, name, conclusion, authors, accession_number"""
_UNCHANGING = """
CREATE TRIGGER {0}_unchanging BEFORE UPDATE OR DELETE ON {0} FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""
# What came before anybody read it is read now, as if it had just arrived (records.images.documents).
_READ_FILED = """
INSERT INTO outbox_messages (id, topic, payload, key, request_id, created_at, due_at, attempts)
SELECT gen_random_uuid(), 'records.document_arrived', jsonb_build_object('instance_id', id), 'document_arrived/' || id,
    'migration-0048', now(), now(), 0
FROM instances
WHERE sop_class_uid IN ('1.2.840.10008.5.1.4.1.1.88.11', '1.2.840.10008.5.1.4.1.1.88.22',
    '1.2.840.10008.5.1.4.1.1.88.33', '1.2.840.10008.5.1.4.1.1.88.34', '1.2.840.10008.5.1.4.1.1.88.35',
    '1.2.840.10008.5.1.4.1.1.88.59', '1.2.840.10008.5.1.4.1.1.104.1')
"""

# What a search asks for (PS3.18, tables 10.6.1-5 and 10.6.3-3 to 10.6.3-5).
_SEARCHED = (
    ("studies", "local_id", sa.Text()),
    ("studies", "referring_physician", sa.Text()),
    ("series", "performed_at", sa.DateTime(timezone=True)),
    ("instances", "bits_allocated", sa.SmallInteger()),
)


def upgrade():
    op.create_table(
        "key_selections",
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("is_rejection", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_key_selections_instance_id")),
        sa.PrimaryKeyConstraint("instance_id", name=op.f("pk_key_selections")),
    )
    op.create_table(
        "key_images",
        sa.Column("instance_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("study_instance_uid", sa.Text(), nullable=False),
        sa.Column("sop_instance_uid", sa.Text(), nullable=False),
        sa.Column("frames", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.CheckConstraint("position > 0", name=op.f("ck_key_images_position")),
        sa.ForeignKeyConstraint(["instance_id"], ["instances.id"], name=op.f("fk_key_images_instance_id")),
        sa.PrimaryKeyConstraint("instance_id", "position", name=op.f("pk_key_images")),
    )
    for table in ("key_selections", "key_images"):
        op.execute(_UNCHANGING.format(table))
    for table, column, kind in _SEARCHED:
        op.add_column(table, sa.Column(column, kind, nullable=True))
    # A constant for what is filed already, of which the files say more; no row has to be written anew.
    op.add_column("series", sa.Column("requests", postgresql.JSONB(), server_default="[]", nullable=False))
    op.alter_column("series", "requests", server_default=None)
    op.add_column("reports", sa.Column("study_instance_uid", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_reports_study_instance_uid"), "reports", "study_instance_uid ~ '^[0-9.]{1,64}$'"
    )
    _guard(f"{_SAID}, study_instance_uid")
    _allow_channels("'fhir', 'hl7v2', 'dicomweb', 'dicom', 'upload'", "'fhir', 'hl7v2', 'dicom', 'upload'")
    op.execute(_READ_FILED)


def downgrade():
    _allow_channels("'fhir', 'hl7v2', 'dicomweb', 'upload'", "'fhir', 'hl7v2', 'upload'")
    _guard(_SAID)
    op.drop_column("reports", "study_instance_uid")
    op.drop_column("series", "requests")
    for table, column, _ in _SEARCHED:
        op.drop_column(table, column)
    op.drop_table("key_images")
    op.drop_table("key_selections")


def _guard(columns):
    op.execute("DROP TRIGGER reports_append_only ON reports")
    op.execute(
        f"CREATE TRIGGER reports_append_only BEFORE DELETE OR UPDATE OF {columns} "
        "ON reports FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )


def _allow_channels(of_messages, of_reports):
    for table, channels in (("inbound_messages", of_messages), ("reports", of_reports)):
        op.drop_constraint(op.f(f"ck_{table}_channel"), table, type_="check")
        op.create_check_constraint(op.f(f"ck_{table}_channel"), table, f"channel IN ({channels})")
