"""persons

Revision ID: 0006
Revises: 0005
Create Date: 2026-11-22 06:28:16.990484

"""

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


# A certificate keeps its index and its seal: both speak of the person's own key and of the same column.
_MOVE_CERTIFICATES = """
INSERT INTO person_certificates
    (id, person_id, type, country, number_index, number_sealed, state, is_primary, added_at)
SELECT gen_random_uuid(), id, certificate_type, '', certificate_index, certificate_sealed, 'current', true, created_at
FROM persons
"""


def upgrade():
    op.create_table(
        "person_certificates",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("number_index", sa.LargeBinary(), nullable=False),
        sa.Column("number_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("is_primary", sa.Boolean(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.CheckConstraint(
            "NOT is_primary OR state = 'current'", name=op.f("ck_person_certificates_primary_is_current")
        ),
        sa.CheckConstraint("country ~ '^([A-Z]{3})?$'", name=op.f("ck_person_certificates_country")),
        sa.CheckConstraint("state IN ('current', 'former', 'withdrawn')", name=op.f("ck_person_certificates_state")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_person_certificates_person_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_certificates")),
    )
    with op.batch_alter_table("person_certificates", schema=None) as batch_op:
        batch_op.create_index("ix_person_certificates_person_id", ["person_id"], unique=False)
        batch_op.create_index(
            "uq_person_certificates_number",
            ["number_index", "country"],
            unique=True,
            postgresql_where=sa.text("state <> 'withdrawn'"),
        )
        batch_op.create_index(
            "uq_person_certificates_primary", ["person_id"], unique=True, postgresql_where=sa.text("is_primary")
        )

    with op.batch_alter_table("holders", schema=None) as batch_op:
        batch_op.add_column(sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("end_reason", sa.Text(), nullable=True))
        batch_op.drop_constraint(batch_op.f("uq_holders_login_id_person_id"), type_="unique")
        batch_op.drop_constraint(batch_op.f("ck_holders_relation"), type_="check")
        batch_op.drop_index("uq_holders_self", postgresql_where=sa.text("relation = 'self'"))
        batch_op.create_index(
            "uq_holders_self",
            ["login_id"],
            unique=True,
            postgresql_where=sa.text("relation = 'self' AND ended_at IS NULL"),
        )
        batch_op.create_index(
            "uq_holders_login_person",
            ["login_id", "person_id"],
            unique=True,
            postgresql_where=sa.text("ended_at IS NULL"),
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_holders_relation"), "relation IN ('self', 'child', 'ward', 'spouse', 'parent', 'other')"
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_holders_end_reason"), "(ended_at IS NULL) = (end_reason IS NULL)"
        )

    op.execute(_MOVE_CERTIFICATES)
    with op.batch_alter_table("persons", schema=None) as batch_op:
        batch_op.add_column(sa.Column("root_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("address_sealed", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("nation", sa.Text(), nullable=True))
        batch_op.drop_constraint(batch_op.f("uq_persons_certificate_index"), type_="unique")
        batch_op.drop_constraint(batch_op.f("ck_persons_assurance"), type_="check")
        batch_op.create_check_constraint(
            batch_op.f("ck_persons_assurance"), "assurance IN ('asserted', 'document', 'bank', 'face')"
        )
        batch_op.create_check_constraint(batch_op.f("ck_persons_nation"), "nation ~ '^[0-9]{2}$'")
        batch_op.drop_column("certificate_type")
        batch_op.drop_column("certificate_index")
        batch_op.drop_column("certificate_sealed")
    op.execute("UPDATE persons SET root_id = id")
    with op.batch_alter_table("persons", schema=None) as batch_op:
        batch_op.alter_column("root_id", nullable=False)
        batch_op.create_index("ix_persons_root_id", ["root_id"], unique=False)
        batch_op.create_foreign_key(batch_op.f("fk_persons_root_id"), "persons", ["root_id"], ["id"])


def downgrade():
    raise RuntimeError("a person may have several certificates now; restore a backup instead")
