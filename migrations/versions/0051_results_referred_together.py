"""That results belong to a version of a report is looked at once a statement

Revision ID: 0051
Revises: 0047
Create Date: 2026-11-22 20:00:00.000000

"""

from alembic import op

# revision identifiers, used by Alembic.
revision = "0051"
down_revision = "0047"
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
_KEY = "fk_observations_report_id_report_version"


def upgrade():
    op.execute(_CHECK)
    op.drop_constraint(op.f(_KEY), "observations", type_="foreignkey")


def downgrade():
    op.create_foreign_key(op.f(_KEY), "observations", "reports", ["report_id", "report_version"], ["id", "version"])
    op.execute("DROP TRIGGER observations_of_reports ON observations")
    op.execute("DROP FUNCTION check_observed_reports()")
