"""A visit can be shared by itself; a grant is never made wider

Revision ID: 0057
Revises: 0056
Create Date: 2026-11-22 23:00:00.000000

"""

from alembic import op

# revision identifiers, used by Alembic.
revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

_ITEMS = """
CREATE OR REPLACE VIEW shareable_items AS
SELECT object_id, object_kind, person_id, hospital_id, visit_id, category AS kind,
    (occurred_at AT TIME ZONE 'Asia/Shanghai')::date AS occurred_on
FROM timeline_entries
"""
_VISITS = """
UNION ALL
SELECT id, 'visit', person_id, hospital_id, id, 'encounter', (opened_at AT TIME ZONE 'Asia/Shanghai')::date
FROM visits
"""
# What was agreed to is only ever made less: whoever wants more is given another grant. A time is longer only where the
# patient himself makes it so, who shows his code again or holds the link. What has ended says nothing new.
_NARROWING = """
CREATE FUNCTION keep_grant_narrow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.revoked_at IS NOT NULL
        OR ROW(NEW.id, NEW.person_id, NEW.link_id, NEW.purpose, NEW.opened_by, NEW.visit_id, NEW.request_id,
            NEW.starts_at, NEW.hospital_id, NEW.notice_hash) IS DISTINCT FROM ROW(OLD.id, OLD.person_id, OLD.link_id,
            OLD.purpose, OLD.opened_by, OLD.visit_id, OLD.request_id, OLD.starts_at, OLD.hospital_id, OLD.notice_hash)
        OR (OLD.department IS NOT NULL AND NEW.department IS DISTINCT FROM OLD.department)
        OR (OLD.staff_id IS NOT NULL AND NEW.staff_id IS DISTINCT FROM OLD.staff_id)
        OR (OLD.kinds IS NOT NULL AND (NEW.kinds <@ OLD.kinds) IS NOT TRUE)
        OR NOT NEW.sensitivities <@ OLD.sensitivities
        OR (OLD.visit_ids IS NOT NULL AND (NEW.visit_ids <@ OLD.visit_ids) IS NOT TRUE)
        OR (OLD.item_ids IS NOT NULL AND (NEW.item_ids <@ OLD.item_ids) IS NOT TRUE)
        OR (OLD.since_on IS NOT NULL AND (NEW.since_on >= OLD.since_on) IS NOT TRUE)
        OR (OLD.until_on IS NOT NULL AND (NEW.until_on <= OLD.until_on) IS NOT TRUE)
        OR (NEW.may_download AND NOT OLD.may_download)
        OR (OLD.uses_left IS NOT NULL AND (NEW.uses_left <= OLD.uses_left) IS NOT TRUE)
        OR (NEW.expires_at > OLD.expires_at AND OLD.opened_by NOT IN ('code', 'link'))
    THEN
        RAISE EXCEPTION 'a grant is never made wider' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER grants_never_wider BEFORE UPDATE ON grants FOR EACH ROW EXECUTE FUNCTION keep_grant_narrow();
"""


def upgrade():
    op.execute(_ITEMS + _VISITS)
    op.execute(_NARROWING)


def downgrade():
    op.execute("DROP TRIGGER grants_never_wider ON grants")
    op.execute("DROP FUNCTION keep_grant_narrow()")
    op.execute(_ITEMS)
