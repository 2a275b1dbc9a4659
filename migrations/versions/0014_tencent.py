"""tencent

Revision ID: 0014
Revises: 0013
Create Date: 2026-11-22 07:29:38.585373

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


# What was seen or said of the use of a card stays as it was written; refuse_change() comes from the foundation.
_APPEND_ONLY = """
CREATE TRIGGER card_uses_append_only BEFORE UPDATE OR DELETE ON card_uses
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER card_uses_no_truncate BEFORE TRUNCATE ON card_uses
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade():
    op.create_table(
        "health_codes",
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("card_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_health_codes_card_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_health_codes_hospital_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_health_codes")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_health_codes_code_hash")),
    )
    op.create_table(
        "tencent_apps",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("app_id", sa.Text(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("token_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["machine_clients.id"], name=op.f("fk_tencent_apps_client_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_tencent_apps_hospital_id")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_tencent_apps")),
        sa.UniqueConstraint("app_id", name=op.f("uq_tencent_apps_app_id")),
        sa.UniqueConstraint("hospital_id", name=op.f("uq_tencent_apps_hospital_id")),
    )
    op.create_table(
        "card_uses",
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("card_id", sa.Uuid(), nullable=False),
        sa.Column("use_kind", sa.Text(), nullable=False),
        sa.Column("redemption_id", sa.Uuid(), nullable=True),
        sa.Column("scene", sa.Text(), nullable=False),
        sa.Column("department", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("cost_type", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "use_kind IN ('registered', 'verified', 'authorised', 'reported')", name=op.f("ck_card_uses_use_kind")
        ),
        sa.ForeignKeyConstraint(["card_id"], ["cards.id"], name=op.f("fk_card_uses_card_id")),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_card_uses_hospital_id")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_card_uses_person_id")),
        sa.ForeignKeyConstraint(["redemption_id"], ["code_redemptions.id"], name=op.f("fk_card_uses_redemption_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_card_uses")),
    )
    with op.batch_alter_table("card_uses", schema=None) as batch_op:
        batch_op.create_index("ix_card_uses_hospital_id", ["hospital_id", "used_at"], unique=False)
        batch_op.create_index("ix_card_uses_person_id", ["person_id", "hospital_id"], unique=False)
        batch_op.create_index("uq_card_uses_redemption_id", ["redemption_id"], unique=True)
        batch_op.create_index(
            "uq_card_uses_reported",
            ["hospital_id", "card_id", "used_at", "scene", "department"],
            unique=True,
            postgresql_where=sa.text("use_kind = 'reported'"),
        )

    op.create_table(
        "tencent_requests",
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["client_id"], ["tencent_apps.client_id"], name=op.f("fk_tencent_requests_client_id")),
        sa.PrimaryKeyConstraint("client_id", "request_id", name=op.f("pk_tencent_requests")),
    )
    with op.batch_alter_table("tencent_requests", schema=None) as batch_op:
        batch_op.create_index("ix_tencent_requests_received_at", ["client_id", "received_at"], unique=False)
    op.execute(_APPEND_ONLY)


def downgrade():
    with op.batch_alter_table("tencent_requests", schema=None) as batch_op:
        batch_op.drop_index("ix_tencent_requests_received_at")

    op.drop_table("tencent_requests")
    with op.batch_alter_table("card_uses", schema=None) as batch_op:
        batch_op.drop_index("uq_card_uses_reported", postgresql_where=sa.text("use_kind = 'reported'"))
        batch_op.drop_index("uq_card_uses_redemption_id")
        batch_op.drop_index("ix_card_uses_person_id")
        batch_op.drop_index("ix_card_uses_hospital_id")

    op.drop_table("card_uses")
    op.drop_table("tencent_apps")
    op.drop_table("health_codes")
