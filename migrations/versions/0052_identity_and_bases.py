"""Apps learn who agreed; reports keep the orders that they answer

Revision ID: 0052
Revises: 0051
Create Date: 2026-11-22 19:40:00.000000

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

_SAID = """id, version, hospital_id, inbound_message_id, effective_at, issued_at, filed_at, channel, status, category,
    identifier_system, identifier_value, code, code_system, name, conclusion, authors, accession_number,
    study_instance_uid"""


def upgrade():
    # Whatever there is signs by Ed25519.
    op.add_column("signing_keys", sa.Column("algorithm", sa.Text(), nullable=False, server_default="EdDSA"))
    op.alter_column("signing_keys", "algorithm", server_default=None)
    op.create_check_constraint(op.f("ck_signing_keys_algorithm"), "signing_keys", "algorithm IN ('EdDSA', 'RS256')")
    op.add_column("app_requests", sa.Column("nonce", sa.Text(), nullable=True))
    op.add_column("app_authorizations", sa.Column("user_id", sa.Uuid(), nullable=True))
    # Of what is filed already nobody kept it: NULL, for which no row has to be written anew.
    op.add_column("reports", sa.Column("based_on", postgresql.JSONB(), nullable=True))
    op.create_check_constraint(op.f("ck_reports_based_on"), "reports", "jsonb_typeof(based_on) = 'array'")
    _guard(f"{_SAID}, based_on")


def downgrade():
    _guard(_SAID)
    op.drop_column("reports", "based_on")
    op.drop_column("app_authorizations", "user_id")
    op.drop_column("app_requests", "nonce")
    # What signs otherwise cannot be read without the column.
    op.execute("DELETE FROM signing_keys WHERE algorithm <> 'EdDSA'")
    op.drop_column("signing_keys", "algorithm")


def _guard(columns):
    op.execute("DROP TRIGGER reports_append_only ON reports")
    op.execute(
        f"CREATE TRIGGER reports_append_only BEFORE DELETE OR UPDATE OF {columns} "
        "ON reports FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
