"""Apps that patients let read their records

Revision ID: 0039
Revises: 0037
Create Date: 2026-11-22 13:15:28.284354

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0039"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        "apps",
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("redirect_uris", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("jwks", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("cardinality(redirect_uris) BETWEEN 1 AND 10", name=op.f("ck_apps_redirect_uris")),
        sa.CheckConstraint("cardinality(scopes) > 0", name=op.f("ck_apps_scopes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_apps")),
        sa.UniqueConstraint("client_id", name=op.f("uq_apps_client_id")),
    )
    op.create_table(
        "app_authorizations",
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("shows_sensitive", sa.Boolean(), nullable=False),
        sa.Column("notice_hash", sa.LargeBinary(), nullable=False),
        sa.Column("agreed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name=op.f("ck_app_authorizations_ended")),
        sa.CheckConstraint("octet_length(notice_hash) = 32", name=op.f("ck_app_authorizations_notice_hash")),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_app_authorizations_app_id")),
        sa.ForeignKeyConstraint(["login_id"], ["logins.id"], name=op.f("fk_app_authorizations_login_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_authorizations")),
    )
    with op.batch_alter_table("app_authorizations", schema=None) as batch_op:
        batch_op.create_index(
            "ix_app_authorizations_login_id", ["login_id"], unique=False, postgresql_where=sa.text("ended_at IS NULL")
        )
        batch_op.create_index(
            "ix_app_authorizations_person_id", ["person_id", sa.literal_column("agreed_at DESC")], unique=False
        )

    op.create_table(
        "spent_app_assertions",
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("jti", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_spent_app_assertions_app_id")),
        sa.PrimaryKeyConstraint("app_id", "jti", name=op.f("pk_spent_app_assertions")),
    )
    with op.batch_alter_table("spent_app_assertions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_spent_app_assertions_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "app_refresh_tokens",
        sa.Column("authorization_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorization_id"], ["app_authorizations.id"], name=op.f("fk_app_refresh_tokens_authorization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_refresh_tokens")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_app_refresh_tokens_token_hash")),
    )
    with op.batch_alter_table("app_refresh_tokens", schema=None) as batch_op:
        batch_op.create_index("ix_app_refresh_tokens_authorization_id", ["authorization_id"], unique=False)

    op.create_table(
        "app_requests",
        sa.Column("app_id", sa.Uuid(), nullable=False),
        sa.Column("redirect_uri", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("code_challenge", sa.Text(), nullable=False),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=False),
        sa.Column("number_index", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=True),
        sa.Column("authorization_id", sa.Uuid(), nullable=True),
        sa.Column("confirmation_index", sa.LargeBinary(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("declined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code_hash", sa.LargeBinary(), nullable=True),
        sa.Column("code_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("code_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("(code_hash IS NULL) = (code_expires_at IS NULL)", name=op.f("ck_app_requests_code")),
        sa.CheckConstraint(
            "(confirmation_index IS NULL) = (authorization_id IS NULL)", name=op.f("ck_app_requests_agreed")
        ),
        sa.CheckConstraint(
            "authorization_id IS NULL OR login_id IS NOT NULL", name=op.f("ck_app_requests_answered_by")
        ),
        sa.CheckConstraint(
            "code_hash IS NULL OR authorization_id IS NOT NULL", name=op.f("ck_app_requests_code_agreed")
        ),
        sa.CheckConstraint("code_used_at IS NULL OR code_hash IS NOT NULL", name=op.f("ck_app_requests_code_used")),
        sa.CheckConstraint("tries BETWEEN 0 AND 5", name=op.f("ck_app_requests_tries")),
        sa.ForeignKeyConstraint(["app_id"], ["apps.id"], name=op.f("fk_app_requests_app_id")),
        sa.ForeignKeyConstraint(
            ["authorization_id"], ["app_authorizations.id"], name=op.f("fk_app_requests_authorization_id")
        ),
        sa.ForeignKeyConstraint(["login_id"], ["logins.id"], name=op.f("fk_app_requests_login_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_app_requests")),
        sa.UniqueConstraint("authorization_id", name=op.f("uq_app_requests_authorization_id")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_app_requests_code_hash")),
        sa.UniqueConstraint("number_index", name=op.f("uq_app_requests_number_index")),
    )
    with op.batch_alter_table("app_requests", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_app_requests_expires_at"), ["expires_at"], unique=False)


def downgrade():
    for table in ("app_requests", "app_refresh_tokens", "spent_app_assertions", "app_authorizations", "apps"):
        op.drop_table(table)
