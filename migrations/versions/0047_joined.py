"""Reports keep the accession number of their examination

Revision ID: 0047
Revises: 0046
Create Date: 2026-11-22 17:50:00.000000

"""

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

_SAID = """id, version, hospital_id, inbound_message_id, effective_at, issued_at, filed_at, channel, status, category,
    identifier_system, identifier_value, code, code_system, name, conclusion"""


def upgrade():
    # Of what is filed already nobody kept it: NULL, for which no row has to be written anew.
    op.add_column("reports", sa.Column("accession_number", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_reports_accession_number"), "reports", "length(accession_number) BETWEEN 1 AND 64"
    )
    # Who made a report is what its version says as well.
    _guard(f"{_SAID}, authors, accession_number")


def downgrade():
    _guard(_SAID)
    op.drop_column("reports", "accession_number")


def _guard(columns):
    op.execute("DROP TRIGGER reports_append_only ON reports")
    op.execute(
        f"CREATE TRIGGER reports_append_only BEFORE DELETE OR UPDATE OF {columns} "
        "ON reports FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
