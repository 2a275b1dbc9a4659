"""matching

Revision ID: 0010
Revises: 0009
Create Date: 2026-11-22 06:59:39.998162

"""

from alembic import op
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

# revision identifiers, used by Alembic.
revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


# The worker looks at every record that is there already, as at a new one.
_LOOK_AT_ALL = """
INSERT INTO outbox_messages (id, topic, payload, request_id, created_at, due_at, attempts)
SELECT gen_random_uuid(), 'health_card.person_changed', jsonb_build_object('person_id', id), '0010', now(), now(), 0
FROM persons
"""


def upgrade():
    op.create_table(
        "person_traits",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value_index", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('certificate_number', 'phone', 'name_year', 'name_day', 'surname_birth')",
            name=op.f("ck_person_traits_kind"),
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_person_traits_person_id")),
        sa.PrimaryKeyConstraint("person_id", "kind", "value_index", name=op.f("pk_person_traits")),
    )
    with op.batch_alter_table("person_traits", schema=None) as batch_op:
        batch_op.create_index("ix_person_traits_value", ["kind", "value_index"], unique=False)

    op.create_table(
        "person_links",
        sa.Column("from_id", sa.Uuid(), nullable=False),
        sa.Column("into_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("linked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("linked_by", sa.Uuid(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Uuid(), nullable=True),
        sa.Column("undo_reason", sa.Text(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint("(undone_at IS NULL) = (undo_reason IS NULL)", name=op.f("ck_person_links_undo_has_reason")),
        sa.CheckConstraint("from_id <> into_id", name=op.f("ck_person_links_two_records")),
        sa.ForeignKeyConstraint(["from_id"], ["persons.id"], name=op.f("fk_person_links_from_id")),
        sa.ForeignKeyConstraint(["into_id"], ["persons.id"], name=op.f("fk_person_links_into_id")),
        sa.ForeignKeyConstraint(["linked_by"], ["staff_members.id"], name=op.f("fk_person_links_linked_by")),
        sa.ForeignKeyConstraint(["undone_by"], ["staff_members.id"], name=op.f("fk_person_links_undone_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_links")),
    )
    with op.batch_alter_table("person_links", schema=None) as batch_op:
        batch_op.create_index("ix_person_links_into_id", ["into_id"], unique=False)
        batch_op.create_index(
            "uq_person_links_in_force", ["from_id"], unique=True, postgresql_where=sa.text("undone_at IS NULL")
        )

    op.create_table(
        "match_candidates",
        sa.Column("first_id", sa.Uuid(), nullable=False),
        sa.Column("second_id", sa.Uuid(), nullable=False),
        sa.Column("score", sa.SmallInteger(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("link_id", sa.Uuid(), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "(state = 'merged') = (link_id IS NOT NULL)", name=op.f("ck_match_candidates_merged_has_link")
        ),
        sa.CheckConstraint("state = 'open' OR decided_at IS NOT NULL", name=op.f("ck_match_candidates_decided")),
        sa.CheckConstraint("state IN ('open', 'merged', 'refused')", name=op.f("ck_match_candidates_state")),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (reason IS NULL)", name=op.f("ck_match_candidates_decision_has_reason")
        ),
        sa.CheckConstraint("first_id < second_id", name=op.f("ck_match_candidates_ordered")),
        sa.ForeignKeyConstraint(["decided_by"], ["staff_members.id"], name=op.f("fk_match_candidates_decided_by")),
        sa.ForeignKeyConstraint(["first_id"], ["persons.id"], name=op.f("fk_match_candidates_first_id")),
        sa.ForeignKeyConstraint(["link_id"], ["person_links.id"], name=op.f("fk_match_candidates_link_id")),
        sa.ForeignKeyConstraint(["second_id"], ["persons.id"], name=op.f("fk_match_candidates_second_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_match_candidates")),
        sa.UniqueConstraint("first_id", "second_id", name=op.f("uq_match_candidates_first_id_second_id")),
    )
    with op.batch_alter_table("match_candidates", schema=None) as batch_op:
        batch_op.create_index(
            "ix_match_candidates_queue",
            ["state", sa.literal_column("score DESC"), sa.literal_column("id DESC")],
            unique=False,
        )
        batch_op.create_index("ix_match_candidates_second_id", ["second_id"], unique=False)

    op.execute(_LOOK_AT_ALL)


def downgrade():
    with op.batch_alter_table("match_candidates", schema=None) as batch_op:
        batch_op.drop_index("ix_match_candidates_second_id")
        batch_op.drop_index("ix_match_candidates_queue")

    op.drop_table("match_candidates")
    with op.batch_alter_table("person_links", schema=None) as batch_op:
        batch_op.drop_index("uq_person_links_in_force", postgresql_where=sa.text("undone_at IS NULL"))
        batch_op.drop_index("ix_person_links_into_id")

    op.drop_table("person_links")
    with op.batch_alter_table("person_traits", schema=None) as batch_op:
        batch_op.drop_index("ix_person_traits_value")

    op.drop_table("person_traits")
