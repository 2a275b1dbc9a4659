"""items

Revision ID: 0033
Revises: 0032
Create Date: 2026-11-22 10:54:09.463437

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from core.ids import new_id

# revision identifiers, used by Alembic.
revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


# What a version of an item said stays, and so does what a code once meant; refuse_change() comes from the foundation.
_APPEND_ONLY = """
CREATE TRIGGER items_append_only BEFORE UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER item_versions_append_only BEFORE DELETE OR UPDATE OF item_id, version, name, name_en, short_name,
    category, value_kind, unit, decimals, molar_mass, changed_at
    ON item_versions FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER item_ranges_append_only BEFORE UPDATE OR DELETE ON item_ranges
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER code_mappings_append_only BEFORE DELETE OR UPDATE OF id, hospital_id, code_system, code, unit, item_id,
    mapped_at ON code_mappings FOR EACH ROW EXECUTE FUNCTION refuse_change();
"""

# The codes of what is filed already: what means nothing yet waits on the work list.
_FILED_CODES = """
SELECT report.hospital_id, line.code_system, line.code, line.unit,
    to_jsonb((array_agg(DISTINCT line.name))[1\\:5]) AS names,
    count(*) AS seen_count, min(report.filed_at) AS first_seen_at, max(report.filed_at) AS last_seen_at
FROM reports report JOIN observations line ON line.report_id = report.id AND line.report_version = report.version
GROUP BY report.hospital_id, line.code_system, line.code, line.unit
"""


def upgrade():
    op.create_table(
        "items",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_items")),
        sa.UniqueConstraint("code", name=op.f("uq_items_code")),
    )
    op.create_table(
        "code_mappings",
        sa.Column("hospital_id", sa.Uuid(), nullable=True),
        sa.Column("code_system", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("item_id", sa.Uuid(), nullable=True),
        sa.Column("mapped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_code_mappings_hospital_id")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_code_mappings_item_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_mappings")),
    )
    with op.batch_alter_table("code_mappings", schema=None) as batch_op:
        batch_op.create_index(
            "ix_code_mappings_item", ["item_id"], unique=False, postgresql_where=sa.text("ended_at IS NULL")
        )
        batch_op.create_index(
            "uq_code_mappings_current",
            ["code_system", "code", "hospital_id", "unit"],
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
            postgresql_nulls_not_distinct=True,
        )

    op.create_table(
        "code_sightings",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("code_system", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_code_sightings_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_sightings")),
    )
    op.create_table(
        "item_versions",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("is_current", sa.Boolean(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_en", sa.Text(), nullable=False),
        sa.Column("short_name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("value_kind", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("decimals", sa.SmallInteger(), nullable=True),
        sa.Column("molar_mass", sa.Numeric(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "CASE WHEN value_kind = 'quantity' THEN unit IS NOT NULL AND decimals BETWEEN 0 AND 6 "
            "ELSE num_nonnulls(unit, decimals, molar_mass) = 0 END",
            name=op.f("ck_item_versions_quantity"),
        ),
        sa.CheckConstraint("category IN ('laboratory', 'imaging', 'other')", name=op.f("ck_item_versions_category")),
        sa.CheckConstraint("value_kind IN ('quantity', 'coded', 'text')", name=op.f("ck_item_versions_value_kind")),
        sa.CheckConstraint("molar_mass > 0", name=op.f("ck_item_versions_molar_mass")),
        sa.CheckConstraint("version > 0", name=op.f("ck_item_versions_version")),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk_item_versions_item_id")),
        sa.PrimaryKeyConstraint("item_id", "version", name=op.f("pk_item_versions")),
    )
    with op.batch_alter_table("item_versions", schema=None) as batch_op:
        batch_op.create_index(
            "uq_item_versions_current", ["item_id"], unique=True, postgresql_where=sa.text("is_current")
        )

    unmapped_codes = op.create_table(
        "unmapped_codes",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("code_system", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=True),
        sa.Column("names", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("seen_count", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("seen_count > 0", name=op.f("ck_unmapped_codes_seen_count")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_unmapped_codes_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unmapped_codes")),
    )
    with op.batch_alter_table("unmapped_codes", schema=None) as batch_op:
        batch_op.create_index(
            "ix_unmapped_codes_page", [sa.literal_column("seen_count DESC"), sa.literal_column("id DESC")], unique=False
        )
        batch_op.create_index(
            "uq_unmapped_codes_code",
            ["hospital_id", "code_system", "code", "unit"],
            unique=True,
            postgresql_nulls_not_distinct=True,
        )

    op.create_table(
        "item_ranges",
        sa.Column("item_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("sex", sa.Text(), nullable=True),
        sa.Column("age_from_days", sa.Integer(), nullable=False),
        sa.Column("age_until_days", sa.Integer(), nullable=True),
        sa.Column("low", sa.Numeric(), nullable=True),
        sa.Column("high", sa.Numeric(), nullable=True),
        sa.Column("critical_low", sa.Numeric(), nullable=True),
        sa.Column("critical_high", sa.Numeric(), nullable=True),
        sa.CheckConstraint("sex IN ('male', 'female')", name=op.f("ck_item_ranges_sex")),
        sa.CheckConstraint("age_from_days >= 0 AND age_until_days > age_from_days", name=op.f("ck_item_ranges_age")),
        sa.CheckConstraint("critical_high IS NULL OR high IS NOT NULL", name=op.f("ck_item_ranges_critical_high")),
        sa.CheckConstraint("critical_low IS NULL OR low IS NOT NULL", name=op.f("ck_item_ranges_critical_low")),
        sa.CheckConstraint(
            "low <= high AND critical_low <= low AND critical_high >= high", name=op.f("ck_item_ranges_bounds")
        ),
        sa.CheckConstraint("num_nonnulls(low, high) > 0", name=op.f("ck_item_ranges_bounded")),
        sa.ForeignKeyConstraint(
            ["item_id", "version"],
            ["item_versions.item_id", "item_versions.version"],
            name=op.f("fk_item_ranges_item_id_version"),
        ),
        sa.PrimaryKeyConstraint("item_id", "version", "position", name=op.f("pk_item_ranges")),
    )
    op.execute(_APPEND_ONLY)
    filed = op.get_bind().execute(sa.text(_FILED_CODES)).mappings()
    rows = [dict(row) | {"id": new_id()} for row in filed]
    if rows:
        op.bulk_insert(unmapped_codes, rows)


def downgrade():
    op.drop_table("item_ranges")
    with op.batch_alter_table("unmapped_codes", schema=None) as batch_op:
        batch_op.drop_index("uq_unmapped_codes_code", postgresql_nulls_not_distinct=True)
        batch_op.drop_index("ix_unmapped_codes_page")

    op.drop_table("unmapped_codes")
    with op.batch_alter_table("item_versions", schema=None) as batch_op:
        batch_op.drop_index("uq_item_versions_current", postgresql_where=sa.text("is_current"))

    op.drop_table("item_versions")
    op.drop_table("code_sightings")
    with op.batch_alter_table("code_mappings", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_code_mappings_current", postgresql_where=sa.text("ended_at IS NULL"), postgresql_nulls_not_distinct=True
        )
        batch_op.drop_index("ix_code_mappings_item", postgresql_where=sa.text("ended_at IS NULL"))

    op.drop_table("code_mappings")
    op.drop_table("items")
