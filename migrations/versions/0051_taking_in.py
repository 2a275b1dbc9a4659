"""What taking in asks: results of which reports, messages that were not filed by their keys

Revision ID: 0051
Revises: 0050
Create Date: 2026-11-22 20:00:00.000000

"""

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

# A foreign key asks for each of a report's results again and locks the report each time: half of what writing them
# costs. Versions of reports are never deleted or given another id (0002): only new results need to be looked at.
# The settings keep a plan that was made when there were few reports from reading all of them later.
_CHECK = """
CREATE FUNCTION check_observed_reports() RETURNS trigger LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (SELECT DISTINCT report_id, report_version FROM written) named
        WHERE NOT EXISTS (
            SELECT FROM reports WHERE id = named.report_id AND version = named.report_version
        )
    ) THEN
        RAISE EXCEPTION 'a result of no version of a report' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER observations_of_reports AFTER INSERT ON observations REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION check_observed_reports();
"""
_NOT_FILED = {"postgresql_where": sa.text("state <> 'accepted'")}
_WAITING = {"postgresql_where": sa.text("state = 'quarantined'")}
_BY_KEY = ["hospital_id", "channel", "message_key"]
_KEY = "fk_observations_report_id_report_version"


def upgrade():
    op.execute(_CHECK)
    op.drop_constraint(op.f(_KEY), "observations", type_="foreignkey")
    # Whether a key was set aside or dismissed is asked of every message, and no index knew the dismissed by their keys.
    op.create_index("ix_inbound_messages_not_filed", "inbound_messages", _BY_KEY, **_NOT_FILED)
    op.drop_index("ix_inbound_messages_waiting", table_name="inbound_messages")


def downgrade():
    op.create_index("ix_inbound_messages_waiting", "inbound_messages", _BY_KEY, **_WAITING)
    op.drop_index("ix_inbound_messages_not_filed", table_name="inbound_messages")
    op.create_foreign_key(op.f(_KEY), "observations", "reports", ["report_id", "report_version"], ["id", "version"])
    op.execute("DROP TRIGGER observations_of_reports ON observations")
    op.execute("DROP FUNCTION check_observed_reports()")
