"""Where staff work, which hospitals have looked at whom, and looks that patients question

Revision ID: 0056
Revises: 0055
Create Date: 2026-11-22 22:50:00.000000

"""

import re

from alembic import op
import sqlalchemy as sa

# revision identifiers, used by Alembic.
revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

_NEW_NOTICES = ("house_first_looked", "question_answered", "question_overdue", "question_concluded")
_APPEND_ONLY = """
CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
# A look of a hospital is what its staff or systems did under a grant, but for what is done with the grant itself. The
# message bears the id of the row that it speaks of; the worker tells once, however many come before it has.
_WATCH = """
CREATE FUNCTION watch_look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.purpose = 'emergency' OR NOT EXISTS (
        SELECT FROM known_houses WHERE person_id = NEW.subject_id AND hospital_id = NEW.hospital_id
    ) THEN
        INSERT INTO outbox_messages (id, topic, payload, request_id, created_at, due_at, attempts)
        VALUES (NEW.id, 'consent.look_to_be_told', jsonb_build_object('entry_id', NEW.id), NEW.request_id, NEW.at,
            NEW.at, 0);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_entries_watched AFTER INSERT ON audit_entries FOR EACH ROW
    WHEN (NEW.hospital_id IS NOT NULL AND NEW.subject_id IS NOT NULL AND NEW.basis_id IS NOT NULL
        AND NEW.actor_kind IN ('staff', 'machine') AND NEW.action NOT LIKE 'consent.%')
    EXECUTE FUNCTION watch_look();
"""
# Whoever has looked before is known; nobody is told of it now.
_KNOWN = """
INSERT INTO known_houses (person_id, hospital_id, entry_id, first_at)
SELECT DISTINCT ON (subject_id, hospital_id) subject_id, hospital_id, id, at
FROM audit_entries
WHERE hospital_id IS NOT NULL AND subject_id IS NOT NULL AND basis_id IS NOT NULL
    AND actor_kind IN ('staff', 'machine') AND action NOT LIKE 'consent.%'
ORDER BY subject_id, hospital_id, at, id
"""
_FORGET_NOTICES = """
DELETE FROM notice_deliveries WHERE notice_id IN (SELECT id FROM notices WHERE kind = ANY (ARRAY[
    'house_first_looked', 'question_answered', 'question_overdue', 'question_concluded']));
DELETE FROM notices WHERE kind = ANY (ARRAY[
    'house_first_looked', 'question_answered', 'question_overdue', 'question_concluded']);
"""
_TERMS = """
INSERT INTO access_question_terms (reason, answer_days, remind_days) VALUES
    ('not_there', 7, 2), ('not_needed', 15, 3), ('after_treatment', 15, 3), ('acquaintance', 15, 3), ('other', 15, 3)
"""


def upgrade():
    _add_departments()
    op.create_table(
        "known_houses",
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["hospital_id"], ["hospitals.id"], name=op.f("fk_known_houses_hospital_id_hospitals")),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_known_houses_person_id_persons")),
        sa.PrimaryKeyConstraint("person_id", "hospital_id", name=op.f("pk_known_houses")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_known_houses_entry_id")),
    )
    op.execute(_KNOWN)
    op.execute(_WATCH)
    _add_questions()
    _change_notices(lambda kinds: [*kinds, *(kind for kind in _NEW_NOTICES if kind not in kinds)])


def downgrade():
    op.execute(_FORGET_NOTICES)
    _change_notices(lambda kinds: [kind for kind in kinds if kind not in _NEW_NOTICES])
    op.drop_table("access_question_events")
    op.drop_table("access_questions")
    op.drop_table("access_question_terms")
    op.execute("DROP TRIGGER audit_entries_watched ON audit_entries")
    op.execute("DROP FUNCTION watch_look()")
    op.drop_table("known_houses")
    op.drop_table("staff_postings")
    op.drop_constraint(op.f("ck_staff_members_department"), "staff_members", type_="check")
    op.drop_column("staff_members", "department")
    op.drop_constraint(op.f("ck_hospitals_staff_naming"), "hospitals", type_="check")
    op.drop_column("hospitals", "staff_naming")


def _add_departments():
    op.add_column("hospitals", sa.Column("staff_naming", sa.Text(), nullable=False, server_default="full"))
    op.create_check_constraint(
        op.f("ck_hospitals_staff_naming"), "hospitals", "staff_naming IN ('full', 'surname', 'role')"
    )
    op.add_column("staff_members", sa.Column("department", sa.Text(), nullable=True))
    op.create_check_constraint(
        op.f("ck_staff_members_department"),
        "staff_members",
        "department IS NULL OR (department ~ '^[0-9]{4}$' AND hospital_id IS NOT NULL)",
    )
    op.create_table(
        "staff_postings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("staff_id", sa.Uuid(), nullable=False),
        sa.Column("department", sa.Text(), nullable=True),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("department ~ '^[0-9]{4}$'", name=op.f("ck_staff_postings_department")),
        sa.ForeignKeyConstraint(
            ["staff_id"], ["staff_members.id"], name=op.f("fk_staff_postings_staff_id_staff_members")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_postings")),
    )
    op.create_index(
        "ix_staff_postings_staff_id", "staff_postings", ["staff_id", sa.text("since DESC"), sa.text("id DESC")]
    )
    op.execute(_APPEND_ONLY.format(table="staff_postings"))


def _add_questions():
    op.create_table(
        "access_question_terms",
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("answer_days", sa.Integer(), nullable=False),
        sa.Column("remind_days", sa.Integer(), nullable=False),
        _one_of("access_question_terms", "reason", _REASONS),
        sa.CheckConstraint("answer_days BETWEEN 1 AND 30", name=op.f("ck_access_question_terms_answer_days")),
        sa.CheckConstraint(
            "remind_days >= 0 AND remind_days < answer_days", name=op.f("ck_access_question_terms_remind_days")
        ),
        sa.PrimaryKeyConstraint("reason", name=op.f("pk_access_question_terms")),
    )
    op.execute(_TERMS)
    op.create_table(
        "access_questions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("item_id", sa.Uuid(), nullable=True),
        sa.Column("hospital_id", sa.Uuid(), nullable=False),
        sa.Column("looker_kind", sa.Text(), nullable=False),
        sa.Column("looker_id", sa.Uuid(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("conclusion", sa.Text(), nullable=True),
        sa.Column("data_key", sa.LargeBinary(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("remind_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("escalated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        _one_of("access_questions", "reason", _REASONS),
        _one_of("access_questions", "state", "open answered escalated closed"),
        _one_of("access_questions", "answer", "treatment duty mistake improper"),
        _one_of("access_questions", "conclusion", "justified unjustified unclear"),
        sa.CheckConstraint("answered_by <> looker_id", name=op.f("ck_access_questions_not_oneself")),
        sa.CheckConstraint(
            "(answer IS NULL) = (answered_at IS NULL) AND (answer IS NULL) = (answered_by IS NULL)",
            name=op.f("ck_access_questions_answered"),
        ),
        sa.CheckConstraint(
            "state <> 'answered' OR answer IS NOT NULL", name=op.f("ck_access_questions_state_answered")
        ),
        sa.CheckConstraint("(state = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_access_questions_closed")),
        sa.CheckConstraint(
            "conclusion IS NULL OR (state = 'closed' AND escalated_at IS NOT NULL)",
            name=op.f("ck_access_questions_concluded"),
        ),
        sa.CheckConstraint("remind_at <= due_at", name=op.f("ck_access_questions_remind")),
        sa.ForeignKeyConstraint(["asked_by"], ["logins.id"], name=op.f("fk_access_questions_asked_by_logins")),
        sa.ForeignKeyConstraint(
            ["hospital_id"], ["hospitals.id"], name=op.f("fk_access_questions_hospital_id_hospitals")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["persons.id"], name=op.f("fk_access_questions_person_id_persons")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_questions")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_access_questions_entry_id")),
    )
    op.create_index("ix_access_questions_person_id", "access_questions", ["person_id", sa.text("id DESC")])
    op.create_index("ix_access_questions_hospital_id", "access_questions", ["hospital_id", sa.text("id DESC")])
    op.create_index(
        "ix_access_questions_living",
        "access_questions",
        ["due_at", "id"],
        postgresql_where=sa.text("state <> 'closed'"),
    )
    op.create_table(
        "access_question_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("question_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("text_sealed", sa.LargeBinary(), nullable=True),
        _one_of("access_question_events", "kind", "asked reminded overdue answered accepted escalated concluded"),
        sa.ForeignKeyConstraint(
            ["question_id"],
            ["access_questions.id"],
            name=op.f("fk_access_question_events_question_id_access_questions"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_question_events")),
    )
    op.create_index("ix_access_question_events_question_id", "access_question_events", ["question_id", "id"])
    op.execute(_APPEND_ONLY.format(table="access_question_events"))


_REASONS = "not_there not_needed after_treatment acquaintance other"


def _one_of(table, column, words):
    listed = ", ".join(repr(word) for word in words.split())
    return sa.CheckConstraint(f"{column} IN ({listed})", name=op.f(f"ck_{table}_{column}"))


def _change_notices(change):
    """The kinds of notices that there are, whoever has added to them, with a change."""
    defined = op.get_bind().scalar(
        sa.text("SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_notices_kind'")
    )
    kinds = change(re.findall(r"'([a-z_]+)'", defined))
    op.drop_constraint(op.f("ck_notices_kind"), "notices", type_="check")
    listed = ", ".join(repr(kind) for kind in kinds)
    op.create_check_constraint(op.f("ck_notices_kind"), "notices", f"kind IN ({listed})")
