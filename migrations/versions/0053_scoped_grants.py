"""A grant says to whom, what and how often; every version of it is kept

Revision ID: 0053
Revises: 0052
Create Date: 2026-11-22 22:40:00.000000

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

_KINDS = """'laboratory', 'imaging', 'other', 'allergy', 'condition', 'document', 'encounter', 'immunization',
    'medication', 'order', 'procedure', 'specimen'"""
_CHECKS = {
    "purpose": "purpose IN ('treatment', 'consultation', 'insurance', 'sharing', 'emergency')",
    "opened_by": "opened_by IN ('code', 'request', 'patient', 'link', 'break_glass')",
    "recipient": "(hospital_id IS NULL) = (link_id IS NOT NULL)",
    "within_hospital": "hospital_id IS NOT NULL OR (department IS NULL AND staff_id IS NULL)",
    "department": "department ~ '^[0-9A-Z]{4}$'",
    "emergency": "(opened_by = 'break_glass') = (purpose = 'emergency')",
    "emergency_person": "opened_by <> 'break_glass' OR staff_id IS NOT NULL",
    "kinds": f"kinds <@ ARRAY[{_KINDS}] AND cardinality(kinds) > 0",
    "sensitivities": "sensitivities <@ ARRAY['hiv', 'psychiatric', 'reproductive', 'genetic']",
    "visit_ids": "cardinality(visit_ids) > 0",
    "item_ids": "cardinality(item_ids) > 0",
    "days": "until_on >= since_on",
    "uses_left": "uses_left >= 0",
    "notice_hash": "notice_hash ~ '^[0-9a-f]{64}$'",
}
# The uses that are left are counted, they are not what the grant says.
_KEEP_VERSIONS = """
CREATE TABLE grant_versions (
    grant_id UUID NOT NULL,
    version INTEGER NOT NULL,
    said JSONB NOT NULL,
    CONSTRAINT pk_grant_versions PRIMARY KEY (grant_id, version),
    CONSTRAINT fk_grant_versions_grant_id_grants FOREIGN KEY (grant_id) REFERENCES grants (id)
);
INSERT INTO grant_versions SELECT id, version, to_jsonb(grants) - 'uses_left' FROM grants;
CREATE TRIGGER grant_versions_append_only BEFORE UPDATE OR DELETE ON grant_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER grant_versions_no_truncate BEFORE TRUNCATE ON grant_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE FUNCTION keep_grant_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO grant_versions VALUES (NEW.id, NEW.version, to_jsonb(NEW) - 'uses_left');
    RETURN NULL;
END $$;
CREATE TRIGGER grants_first_version AFTER INSERT ON grants FOR EACH ROW EXECUTE FUNCTION keep_grant_version();
CREATE TRIGGER grants_next_version AFTER UPDATE ON grants FOR EACH ROW
    WHEN ((to_jsonb(OLD) - 'uses_left') IS DISTINCT FROM (to_jsonb(NEW) - 'uses_left'))
    EXECUTE FUNCTION keep_grant_version();
"""
# Everything that a patient can show somebody, one row an item: what a grant's scope is asked of.
_ITEMS = """
CREATE VIEW shareable_items AS
SELECT object_id, object_kind, person_id, hospital_id, visit_id, category AS kind,
    (occurred_at AT TIME ZONE 'Asia/Shanghai')::date AS occurred_on
FROM timeline_entries
"""


def upgrade():
    op.alter_column("grants", "hospital_id", nullable=True)
    for name, type_ in {
        "department": sa.Text(),
        "staff_id": sa.Uuid(),
        "link_id": sa.Uuid(),
        "request_id": sa.Uuid(),
        "kinds": postgresql.ARRAY(sa.Text()),
        "visit_ids": postgresql.ARRAY(sa.Uuid()),
        "item_ids": postgresql.ARRAY(sa.Uuid()),
        "since_on": sa.Date(),
        "until_on": sa.Date(),
        "uses_left": sa.Integer(),
        "notice_hash": sa.Text(),
    }.items():
        op.add_column("grants", sa.Column(name, type_, nullable=True))
    # Whatever there is was opened by a code, whole.
    op.add_column("grants", sa.Column("opened_by", sa.Text(), nullable=False, server_default="code"))
    op.add_column(
        "grants", sa.Column("sensitivities", postgresql.ARRAY(sa.Text()), nullable=False, server_default="{}")
    )
    op.add_column("grants", sa.Column("may_download", sa.Boolean(), nullable=False, server_default=sa.text("true")))
    op.create_foreign_key(op.f("fk_grants_staff_id_staff_members"), "grants", "staff_members", ["staff_id"], ["id"])
    op.drop_constraint(op.f("ck_grants_purpose"), "grants", type_="check")
    for name, condition in _CHECKS.items():
        op.create_check_constraint(op.f(f"ck_grants_{name}"), "grants", condition)
    op.drop_index("uq_grants_visit", table_name="grants")
    op.create_index(
        "uq_grants_visit",
        "grants",
        ["visit_id"],
        unique=True,
        postgresql_where=sa.text("revoked_at IS NULL AND opened_by = 'code'"),
    )
    op.create_index("ix_grants_link_id", "grants", ["link_id"], postgresql_where=sa.text("link_id IS NOT NULL"))
    op.execute(_KEEP_VERSIONS)
    op.execute(_ITEMS)


def downgrade():
    op.execute("DROP VIEW shareable_items")
    op.execute("DROP TRIGGER grants_next_version ON grants")
    op.execute("DROP TRIGGER grants_first_version ON grants")
    op.execute("DROP FUNCTION keep_grant_version()")
    op.drop_table("grant_versions")
    op.drop_index("ix_grants_link_id", table_name="grants")
    op.drop_index("uq_grants_visit", table_name="grants")
    # What was narrower than a whole record for a hospital that treats him cannot be said without the columns: ended.
    op.execute("DELETE FROM grants WHERE opened_by <> 'code'")
    for name in _CHECKS:
        op.drop_constraint(op.f(f"ck_grants_{name}"), "grants", type_="check")
    op.create_check_constraint(op.f("ck_grants_purpose"), "grants", "purpose IN ('treatment')")
    op.create_index(
        "uq_grants_visit", "grants", ["visit_id"], unique=True, postgresql_where=sa.text("revoked_at IS NULL")
    )
    op.drop_constraint(op.f("fk_grants_staff_id_staff_members"), "grants", type_="foreignkey")
    for name in (
        "may_download",
        "sensitivities",
        "opened_by",
        "notice_hash",
        "uses_left",
        "until_on",
        "since_on",
        "item_ids",
        "visit_ids",
        "kinds",
        "request_id",
        "link_id",
        "staff_id",
        "department",
    ):
        op.drop_column("grants", name)
    op.alter_column("grants", "hospital_id", nullable=False)
