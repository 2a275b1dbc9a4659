"""What a patient shares by showing his code is his choice; hospitals ask for more, and he answers

Revision ID: 0058
Revises: 0057
Create Date: 2026-11-22 22:50:00.000000

"""

import re

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

_KINDS = """'laboratory', 'imaging', 'other', 'allergy', 'condition', 'document', 'encounter', 'immunization',
    'medication', 'order', 'procedure', 'specimen'"""
_SENSITIVITIES = "sensitivities <@ ARRAY['hiv', 'psychiatric', 'reproductive', 'genetic']"
_REASONS = "'history', 'comparison', 'medication', 'surgery', 'follow_up', 'consultation', 'claim', 'code'"
_NEW_NOTICES = ("access_requested", "access_reminded")
_STANDING_NOTICE = (
    "您在医院出示健康卡动态码，即表示同意：该医院为本次就诊查看您的健康档案（各医院的检查检验报告、影像、诊断、用药、"
    "过敏、接种、手术、文书等记录），期限为出示之时起二十四小时，就诊结束即止。艾滋病相关、精神心理、生殖与性健康、遗传与"
    "基因等敏感内容不在其中，须由您单独同意。您可以改为每次询问或一律不共享，可以对某一家医院另作规定，也可以排除某些种类"
    "的记录；更改立即生效，此前由动态码开放而不再符合的授权随即终止。不共享不影响您挂号和就诊。每一次查看都记入调阅记录，"
    "您可以随时查看、质疑，并随时收回授权。危及生命的紧急情况下，医生可依法紧急查看，须说明原因并经复核，您会收到通知。"
)
_REQUEST_NOTICE = (
    "一家医院申请查看您的健康档案。上面写明了由谁查看、为了什么、看哪些记录、看到什么时候。您可以全部同意、只同意其中一部分，"
    "也可以拒绝；到期不答复即为不同意。敏感内容须由您逐项勾选才会包括在内。拒绝不影响您挂号和就诊。同意之后您可以随时收回，"
    "收回即止；每一次查看都记入调阅记录。您也可以不再接收这家医院的申请。"
)

_KEEP_POLICY_VERSIONS = """
CREATE TRIGGER notice_texts_append_only BEFORE UPDATE OR DELETE ON notice_texts
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER notice_texts_no_truncate BEFORE TRUNCATE ON notice_texts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sharing_policy_versions_append_only BEFORE UPDATE OR DELETE ON sharing_policy_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER sharing_policy_versions_no_truncate BEFORE TRUNCATE ON sharing_policy_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE FUNCTION keep_sharing_policy_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO sharing_policy_versions VALUES (NEW.person_id, NEW.version, to_jsonb(NEW));
    RETURN NULL;
END $$;
CREATE TRIGGER sharing_policies_versions AFTER INSERT OR UPDATE ON sharing_policies
    FOR EACH ROW EXECUTE FUNCTION keep_sharing_policy_version();
"""
# What was asked stays as it was asked, and an answer stays given.
_KEEP_REQUESTS = """
CREATE TRIGGER access_request_versions_append_only BEFORE UPDATE OR DELETE ON access_request_versions
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER access_request_versions_no_truncate BEFORE TRUNCATE ON access_request_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE FUNCTION keep_access_request_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO access_request_versions VALUES (NEW.id, NEW.version, to_jsonb(NEW));
    RETURN NULL;
END $$;
CREATE TRIGGER access_requests_versions AFTER INSERT OR UPDATE ON access_requests
    FOR EACH ROW EXECUTE FUNCTION keep_access_request_version();
CREATE TRIGGER access_requests_stay_as_asked BEFORE UPDATE ON access_requests FOR EACH ROW
    WHEN (
        OLD.state <> 'requested'
        OR (to_jsonb(OLD) - '{state,version,answered_by,ended_at}'::text[])
            IS DISTINCT FROM (to_jsonb(NEW) - '{state,version,answered_by,ended_at}'::text[])
    )
    EXECUTE FUNCTION refuse_change();
"""
# Whatever is not known to be within what was asked is wider: NULL is no yes.
_WITHIN = """
CREATE FUNCTION check_grant_within_request() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE asked access_requests;
BEGIN
    SELECT * INTO asked FROM access_requests WHERE id = NEW.request_id;
    IF (
        asked.state = 'granted'
        AND NEW.person_id = asked.person_id
        AND NEW.link_id IS NULL
        AND NEW.hospital_id = asked.hospital_id
        AND (asked.department IS NULL OR NEW.department = asked.department)
        AND (asked.staff_id IS NULL OR NEW.staff_id = asked.staff_id)
        AND NEW.purpose = asked.purpose
        AND (asked.kinds IS NULL OR NEW.kinds <@ asked.kinds)
        AND NEW.sensitivities <@ asked.sensitivities
        AND (asked.visit_ids IS NULL OR NEW.visit_ids <@ asked.visit_ids)
        AND (asked.item_ids IS NULL OR NEW.item_ids <@ asked.item_ids)
        AND (asked.since_on IS NULL OR NEW.since_on >= asked.since_on)
        AND (asked.until_on IS NULL OR NEW.until_on <= asked.until_on)
        AND (asked.may_download OR NOT NEW.may_download)
        AND (asked.uses IS NULL OR NEW.uses_left <= asked.uses)
        AND NEW.starts_at >= asked.asked_at
        AND NEW.expires_at <= asked.access_until
    ) IS NOT TRUE THEN
        RAISE EXCEPTION 'a grant is wider than its request'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'grants_within_request';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER grants_within_request BEFORE INSERT OR UPDATE ON grants FOR EACH ROW
    WHEN (NEW.request_id IS NOT NULL) EXECUTE FUNCTION check_grant_within_request();
CREATE TRIGGER grants_keep_their_request BEFORE UPDATE ON grants FOR EACH ROW
    WHEN (OLD.request_id IS DISTINCT FROM NEW.request_id) EXECUTE FUNCTION refuse_change();
"""


def upgrade():
    _make_policies()
    _make_requests()
    op.create_foreign_key(
        op.f("fk_grants_request_id_access_requests"), "grants", "access_requests", ["request_id"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_grants_request"), "grants", "(opened_by = 'request') = (request_id IS NOT NULL)"
    )
    op.create_index(
        "uq_grants_request_id",
        "grants",
        ["request_id"],
        unique=True,
        postgresql_where=sa.text("request_id IS NOT NULL"),
    )
    op.execute(_WITHIN)
    _change_notice_kinds(lambda kinds: [*kinds, *_NEW_NOTICES])


def downgrade():
    op.execute("DELETE FROM notice_deliveries d USING notices n WHERE n.id = d.notice_id AND n.kind LIKE 'access_re%'")
    op.execute("DELETE FROM notices WHERE kind LIKE 'access_re%'")
    _change_notice_kinds(lambda kinds: [kind for kind in kinds if kind not in _NEW_NOTICES])
    op.execute("DROP TRIGGER grants_keep_their_request ON grants")
    op.execute("DROP TRIGGER grants_within_request ON grants")
    op.execute("DROP FUNCTION check_grant_within_request()")
    op.drop_index("uq_grants_request_id", table_name="grants")
    op.drop_constraint(op.f("ck_grants_request"), "grants", type_="check")
    op.drop_constraint(op.f("fk_grants_request_id_access_requests"), "grants", type_="foreignkey")
    op.drop_table("access_request_versions")
    op.drop_table("access_requests")
    op.execute("DROP FUNCTION keep_access_request_version()")
    op.drop_table("request_blocks")
    op.drop_table("sharing_policy_versions")
    op.drop_table("sharing_policies")
    op.execute("DROP FUNCTION keep_sharing_policy_version()")
    op.drop_table("notice_texts")


def _make_policies():
    op.create_table(
        "notice_texts",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('standing_policy', 'access_request')", name=op.f("ck_notice_texts_kind")),
        sa.CheckConstraint("hash = encode(sha256(convert_to(text, 'UTF8')), 'hex')", name=op.f("ck_notice_texts_hash")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_notice_texts")),
    )
    op.create_index("ix_notice_texts_kind", "notice_texts", ["kind", sa.text("published_at DESC")])
    op.create_table(
        "sharing_policies",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("treating", sa.Text(), nullable=False),
        sa.Column("by_hospital", postgresql.JSONB(), nullable=False),
        sa.Column("excluded_kinds", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("notice_hash", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("treating IN ('yes', 'ask', 'never')", name=op.f("ck_sharing_policies_treating")),
        sa.CheckConstraint(
            'NOT jsonb_path_exists(by_hospital, \'$.* ? (@ != "yes" && @ != "ask" && @ != "never")\')',
            name=op.f("ck_sharing_policies_by_hospital"),
        ),
        sa.CheckConstraint(
            f"excluded_kinds <@ ARRAY[{_KINDS}] AND cardinality(excluded_kinds) < 12",
            name=op.f("ck_sharing_policies_excluded_kinds"),
        ),
        sa.CheckConstraint("version > 0", name=op.f("ck_sharing_policies_version")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_sharing_policies_person_id_persons")),
        sa.ForeignKeyConstraint(
            ["notice_hash"], ["notice_texts.hash"], name=op.f("fk_sharing_policies_notice_hash_notice_texts")
        ),
        sa.ForeignKeyConstraint(["changed_by"], ["logins.id"], name=op.f("fk_sharing_policies_changed_by_logins")),
        sa.PrimaryKeyConstraint("person_id", name=op.f("pk_sharing_policies")),
    )
    op.create_table(
        "sharing_policy_versions",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("said", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"], ["persons.id"], name=op.f("fk_sharing_policy_versions_person_id_persons")
        ),
        sa.PrimaryKeyConstraint("person_id", "version", name=op.f("pk_sharing_policy_versions")),
    )
    op.create_table(
        "request_blocks",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("blocked_by", sa.Uuid(), nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_request_blocks_person_id_persons")),
        sa.ForeignKeyConstraint(
            ["hospital_id"], ["hospitals.id"], name=op.f("fk_request_blocks_hospital_id_hospitals")
        ),
        sa.ForeignKeyConstraint(["blocked_by"], ["logins.id"], name=op.f("fk_request_blocks_blocked_by_logins")),
        sa.PrimaryKeyConstraint("person_id", "hospital_id", name=op.f("pk_request_blocks")),
    )
    op.execute(_KEEP_POLICY_VERSIONS)
    publish = sa.text(
        "INSERT INTO notice_texts VALUES (encode(sha256(convert_to(:said, 'UTF8')), 'hex'), :kind, :said, now())"
    )
    op.execute(publish.bindparams(kind="standing_policy", said=_STANDING_NOTICE))
    op.execute(publish.bindparams(kind="access_request", said=_REQUEST_NOTICE))


def _make_requests():
    op.create_table(
        "access_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("department", sa.Text(), nullable=True),
        sa.Column("staff_id", sa.Uuid(), nullable=True),
        sa.Column("asked_by", sa.Uuid(), nullable=True),
        sa.Column("visit_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("reason_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("kinds", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("sensitivities", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("visit_ids", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("item_ids", postgresql.ARRAY(sa.Uuid()), nullable=True),
        sa.Column("since_on", sa.Date(), nullable=True),
        sa.Column("until_on", sa.Date(), nullable=True),
        sa.Column("may_download", sa.Boolean(), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=True),
        sa.Column("access_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("notice_hash", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lapses_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        *_check_requests(
            state="state IN ('requested', 'granted', 'denied', 'lapsed', 'withdrawn')",
            reason=f"reason IN ({_REASONS})",
            asked_by="(reason = 'code') = (asked_by IS NULL)",
            code_visit="reason <> 'code' OR visit_id IS NOT NULL",
            purpose="purpose IN ('treatment', 'consultation', 'insurance')",
            department="department ~ '^[0-9A-Z]{4}$'",
            kinds=f"kinds <@ ARRAY[{_KINDS}] AND cardinality(kinds) > 0",
            sensitivities=_SENSITIVITIES,
            visit_ids="cardinality(visit_ids) > 0",
            item_ids="cardinality(item_ids) > 0",
            days="until_on >= since_on",
            uses="uses > 0",
            period="lapses_at > asked_at AND access_until > asked_at",
            ended="(state = 'requested') = (ended_at IS NULL)",
            answered="(state IN ('granted', 'denied')) = (answered_by IS NOT NULL)",
            in_time="state <> 'granted' OR ended_at < lapses_at",
            version="version = CASE state WHEN 'requested' THEN 1 ELSE 2 END",
        ),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.{key}"], name=op.f(f"fk_access_requests_{column}_{table}"))
            for column, table, key in (
                ("person_id", "persons", "id"),
                ("hospital_id", "hospitals", "id"),
                ("staff_id", "staff_members", "id"),
                ("asked_by", "staff_members", "id"),
                ("notice_hash", "notice_texts", "hash"),
                ("answered_by", "logins", "id"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_requests")),
    )
    newest_first = [sa.text("asked_at DESC"), sa.text("id DESC")]
    for column in ("person_id", "hospital_id", "asked_by"):
        op.create_index(f"ix_access_requests_{column}", "access_requests", [column, *newest_first])
    op.create_index(
        "ix_access_requests_visit_id",
        "access_requests",
        ["visit_id"],
        postgresql_where=sa.text("visit_id IS NOT NULL"),
    )
    op.create_index(
        "uq_access_requests_waiting",
        "access_requests",
        ["person_id", "hospital_id", "asked_by", "purpose"],
        unique=True,
        postgresql_where=sa.text("state = 'requested'"),
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "access_request_versions",
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("said", postgresql.JSONB(), nullable=False),
        sa.ForeignKeyConstraint(
            ["request_id"],
            ["access_requests.id"],
            name=op.f("fk_access_request_versions_request_id_access_requests"),
        ),
        sa.PrimaryKeyConstraint("request_id", "version", name=op.f("pk_access_request_versions")),
    )
    op.execute(_KEEP_REQUESTS)


def _check_requests(**conditions):
    return [sa.CheckConstraint(said, name=op.f(f"ck_access_requests_{name}")) for name, said in conditions.items()]


def _change_notice_kinds(change):
    """Whatever others have added stays."""
    asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notices_kind'"
    kinds = re.findall(r"'([a-z_]+)'", op.get_bind().execute(sa.text(asked)).scalar_one())
    op.drop_constraint(op.f("ck_notices_kind"), "notices", type_="check")
    said = ", ".join(f"'{kind}'" for kind in change(kinds))
    op.create_check_constraint(op.f("ck_notices_kind"), "notices", f"kind IN ({said})")
