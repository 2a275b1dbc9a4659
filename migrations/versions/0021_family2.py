"""family2

Revision ID: 0021
Revises: 0020
Create Date: 2026-11-22 09:35:46.219710

"""

from alembic import op
import sqlalchemy as sa


# revision identifiers, used by Alembic.
revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


_KINDS = (
    "kind IN ('identified', 'code_replayed', 'code_double_used', 'two_places', 'visit_disowned', 'card_lost', "
    "'card_restored', 'card_reissued', 'card_cancelled', 'card_printed', 'merged', 'unmerged', 'details_corrected', "
    "'login_confirmed', 'login_waiting', 'pin_reset', 'family_added', 'family_left', 'guardian_ended', "
    "'acting_ended', 'real_name_disagreed', 'real_name_agreed', 'break_glass'{new})"
)
_PROOFS = "proof IN ('identity_document', 'birth_certificate', 'birth_record', 'household_book', 'court_paper'{new})"
_PURPOSES = "purpose IN ('records', 'account', 'credit'{new})"
_WAYS = "way IN ('certificate', 'visit', 'carrier', 'registration'{new})"

# Nobody announced the birthdays of those who act already.
_ANNOUNCE = """
INSERT INTO outbox_messages (id, topic, payload, key, request_id, created_at, due_at, attempts)
SELECT gen_random_uuid(), 'health_card.guardianship_ending', jsonb_build_object('holder_id', id),
    'health_card.guardianship_ending/' || id || '/'
        || to_char(valid_until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
    'migration-0021', now(), valid_until - interval '30 days', 0
FROM holders
WHERE confirmed_at IS NOT NULL AND ended_at IS NULL AND valid_until > now()
ON CONFLICT (key) DO NOTHING
"""


def upgrade():
    op.create_table(
        "confirmed_codes",
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("login_id", sa.Uuid(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["login_id"], ["logins.id"], name=op.f("fk_confirmed_codes_login_id")),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_confirmed_codes")),
    )
    with op.batch_alter_table("code_confirmations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("epoch", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("used_for", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("used_by", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("used_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_code_confirmations_used_by"), "staff_members", ["used_by"], ["id"])
    op.execute(
        "UPDATE code_confirmations SET epoch = cards.epoch FROM code_redemptions, cards "
        "WHERE code_redemptions.id = redemption_id AND cards.id = code_redemptions.card_id"
    )
    op.alter_column("code_confirmations", "epoch", nullable=False)
    _check("code_confirmations", "purpose", _PURPOSES.format(new=", 'any'"))
    with op.batch_alter_table("code_confirmations", schema=None) as batch_op:
        batch_op.create_check_constraint(
            batch_op.f("ck_code_confirmations_used"),
            "(used_at IS NULL) = (used_for IS NULL) AND (used_at IS NULL) = (used_by IS NULL)",
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_code_confirmations_used_for"), "used_for IN ('records', 'account', 'credit')"
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_code_confirmations_used_as_confirmed"),
            "used_for IS NULL OR (answer = 'confirmed' AND purpose IN (used_for, 'any'))",
        )
        batch_op.create_index(
            "uq_code_confirmations_by_pin",
            ["redemption_id"],
            unique=True,
            postgresql_where=sa.text("purpose = 'any'"),
        )

    with op.batch_alter_table("family_invitations", schema=None) as batch_op:
        batch_op.add_column(sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_check_constraint(
            batch_op.f("ck_family_invitations_withdrawn"), "accepted_at IS NULL OR withdrawn_at IS NULL"
        )
        batch_op.create_index(
            "ix_family_invitations_inviter_id", ["inviter_id", sa.literal_column("created_at DESC")], unique=False
        )

    _check("holder_checks", "proof", _PROOFS.format(new=", 'phone'"))
    with op.batch_alter_table("desk_look_ups", schema=None) as batch_op:
        batch_op.add_column(sa.Column("login_id", sa.Uuid(), nullable=True))
        batch_op.create_foreign_key(batch_op.f("fk_desk_look_ups_login_id"), "logins", ["login_id"], ["id"])
        batch_op.create_check_constraint(
            batch_op.f("ck_desk_look_ups_login"), "(way = 'confirmation') = (login_id IS NOT NULL)"
        )
    _check("desk_look_ups", "way", _WAYS.format(new=", 'confirmation'"))
    _check("notices", "kind", _KINDS.format(new=", 'confirmation_asked', 'turning_fourteen'"))
    op.execute(_ANNOUNCE)


def downgrade():
    raise RuntimeError("invitations that were withdrawn would be good again; restore a backup")


def _check(table, name, rule):
    with op.batch_alter_table(table, schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f(f"ck_{table}_{name}"), type_="check")
        batch_op.create_check_constraint(batch_op.f(f"ck_{table}_{name}"), rule)
