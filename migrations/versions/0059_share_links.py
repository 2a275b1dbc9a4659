"""Share links, their openings, and files promised to programs that opened one

Revision ID: 0059
Revises: 0058
Create Date: 2026-11-22 22:49:18.139953

"""

import re

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None

_NEW_NOTICES = ("share_opened", "share_locked")
_APPEND_ONLY = """
CREATE TRIGGER share_openings_append_only BEFORE UPDATE OR DELETE ON share_openings
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER share_openings_no_truncate BEFORE TRUNCATE ON share_openings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def upgrade():
    op.create_table(
        "share_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("made_by", sa.Uuid(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("recipient_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("file_key_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("passcode_hash", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("openings_left", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("tries BETWEEN 0 AND 10", name=op.f("ck_share_links_tries")),
        sa.CheckConstraint("openings_left >= 0", name=op.f("ck_share_links_openings_left")),
        sa.ForeignKeyConstraint(["made_by"], ["logins.id"], name=op.f("fk_share_links_made_by")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_share_links_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_links")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_share_links_secret_hash")),
    )
    op.create_index("ix_share_links_person_id", "share_links", ["person_id", sa.literal_column("created_at DESC")])
    op.create_table(
        "share_openings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("link_id", sa.Uuid(), nullable=False),
        sa.Column("way", sa.Text(), nullable=False),
        sa.Column("viewer_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("way IN ('page', 'health_link')", name=op.f("ck_share_openings_way")),
        sa.CheckConstraint("(way = 'page') = (token_hash IS NOT NULL)", name=op.f("ck_share_openings_token")),
        sa.CheckConstraint("expires_at > opened_at", name=op.f("ck_share_openings_period")),
        sa.ForeignKeyConstraint(["link_id"], ["share_links.id"], name=op.f("fk_share_openings_link_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_openings")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_share_openings_token_hash")),
    )
    op.create_index("ix_share_openings_link_id", "share_openings", ["link_id", sa.literal_column("opened_at DESC")])
    op.create_table(
        "share_files",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("opening_id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["opening_id"], ["share_openings.id"], name=op.f("fk_share_files_opening_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_files")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_share_files_token_hash")),
    )
    op.execute(_APPEND_ONLY)
    _change_notices(lambda kinds: [*kinds, *_NEW_NOTICES])


def downgrade():
    op.execute("DELETE FROM notice_deliveries WHERE notice_id IN (SELECT id FROM notices WHERE kind LIKE 'share_%')")
    op.execute("DELETE FROM notices WHERE kind LIKE 'share_%'")
    _change_notices(lambda kinds: [kind for kind in kinds if kind not in _NEW_NOTICES])
    # A link's grant shows nothing to anybody without its link.
    op.drop_table("share_files")
    op.drop_table("share_openings")
    op.drop_table("share_links")


def _change_notices(change):
    """The kinds of notices that there are, whoever has added to them, with a change."""
    asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notices_kind'"
    kinds = re.findall(r"'(\w+)'::text", op.get_bind().scalar(sa.text(asked)))
    op.drop_constraint(op.f("ck_notices_kind"), "notices", type_="check")
    allowed = ", ".join(f"'{kind}'" for kind in change(kinds))
    op.create_check_constraint(op.f("ck_notices_kind"), "notices", f"kind IN ({allowed})")
