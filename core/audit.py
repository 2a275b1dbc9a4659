"""The audit trail: one row an act, written in the transaction of the act, never changed afterwards."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import clock, observe, statements
from core.actor import Actor
from core.appending import append_row, write_appended
from core.db import Base, WithId, copy_rows
from core.ids import new_id

# Whether an act is written that folds one of now into it (``record_act_once``), for statements written by hand. To be
# formatted with what is its subject, its thing, and id and version of its basis; it asks for ``folding_values``.
IS_RECORDED = """
EXISTS (
    SELECT FROM audit_entries same
    WHERE same.subject_id = {0} AND same.object_id = {1}
        AND same.basis_id IS NOT DISTINCT FROM {2} AND same.basis_version IS NOT DISTINCT FROM {3}
        AND same.at > %(folds_after)s AND same.actor_kind = %(actor_kind)s AND same.actor_id = %(actor_id)s
        AND same.action = %(action)s
)
"""
_SELECT_RECORDED = "SELECT " + IS_RECORDED.format(
    "%(subject_id)s", "%(object_id)s", "%(basis_id)s::uuid", "%(basis_version)s::integer"
)


class AuditEntry(WithId, Base):
    """Who did what to whose data, when, why and by which right. Ids and codes only, never content.

    Insert-only: triggers of the first migration refuse UPDATE, DELETE and TRUNCATE.
    """

    __tablename__ = "audit_entries"
    __table_args__ = (
        Index("ix_audit_entries_subject", "subject_id", text("at DESC"), text("id DESC")),
        Index("ix_audit_entries_at", "at"),
    )

    at: Mapped[datetime]
    request_id: Mapped[str]
    actor_kind: Mapped[str]
    actor_id: Mapped[UUID]
    hospital_id: Mapped[UUID | None]
    action: Mapped[str]
    subject_id: Mapped[UUID | None]
    object_kind: Mapped[str | None]
    object_id: Mapped[UUID | None]
    purpose: Mapped[str | None]
    basis_id: Mapped[UUID | None]
    basis_version: Mapped[int | None]
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)


def record_act(
    session: Session,
    actor: Actor,
    action: str,
    *,
    subject_id: UUID | None = None,
    of: tuple[str, UUID] | None = None,
    purpose: str | None = None,
    basis: tuple[UUID, int] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Record one act; the caller's transaction carries it, so without the row there is no act.

    :param action: ``package.thing.verb_in_past_tense``, for example ``records.report.read``.
    :param subject_id: the person whose data was touched; shown to that person.
    :param of: kind and id of the thing touched.
    :param basis: id and version of the consent (grant, link ...) that allowed it.
    :param facts: codes, numbers and dates only.
    """
    act = {
        "id": str(new_id()),
        "at": clock.now().isoformat(),
        "request_id": observe.request_id(),
        "actor_kind": actor.kind.value,
        "actor_id": str(actor.id),
        "hospital_id": str(actor.hospital_id) if actor.hospital_id else None,
        "action": action,
        "subject_id": str(subject_id) if subject_id else None,
        "object_kind": of[0] if of else None,
        "object_id": str(of[1]) if of else None,
        "purpose": purpose,
        "basis_id": str(basis[0]) if basis else None,
        "basis_version": basis[1] if basis else None,
        "facts": dict(facts or {}),
    }
    append_row(session, AuditEntry, act)


def record_act_once(
    session: Session,
    actor: Actor,
    action: str,
    *,
    within: timedelta,
    subject_id: UUID,
    of: tuple[str, UUID],
    purpose: str | None = None,
    basis: tuple[UUID, int] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> bool:
    """As ``record_act``, but an act repeated within this time folds into its first row.

    Only the same act folds: same actor, action, thing and basis. Under another version of a consent it is another act.

    :returns: whether it was written.
    """
    asked = folding_values(actor, action, within=within) | {
        "subject_id": subject_id,
        "object_id": of[1],
        "basis_id": basis[0] if basis else None,
        "basis_version": basis[1] if basis else None,
    }
    write_appended(session)
    if _is_true(session, _SELECT_RECORDED, asked):
        return False
    # A viewer asks for many pictures at once: the first one writes the row, the others wait here and find it.
    lock = {"key": f"audit/{actor.id}/{action}/{of[1]}"}
    statements.run(session, "SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 0))", lock)
    if _is_true(session, _SELECT_RECORDED, asked):
        return False
    record_act(session, actor, action, subject_id=subject_id, of=of, purpose=purpose, basis=basis, facts=facts)
    return True


def folding_values(actor: Actor, action: str, *, within: timedelta) -> dict[str, Any]:
    """What ``IS_RECORDED`` asks for, of an act of now."""
    after = clock.now() - within
    return {"folds_after": after, "actor_kind": actor.kind.value, "actor_id": actor.id, "action": action}


def _is_true(session: Session, statement: str, asked: Mapping[str, Any]) -> bool:
    row = statements.run(session, statement, asked)
    return row is not None and bool(row[0])


def record_acts(
    session: Session,
    actor: Actor,
    acts: Iterable[tuple[str, UUID, tuple[str, UUID]]],
    *,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """As ``record_act``, for an act on very many persons: a row each.

    :param acts: action, subject, and kind and id of the thing touched.
    """
    shared = {
        "at": clock.now(),
        "request_id": observe.request_id(),
        "actor_kind": actor.kind.value,
        "actor_id": actor.id,
        "hospital_id": actor.hospital_id,
        "facts": dict(facts or {}),
    }
    rows = [
        {"id": new_id(), **shared, "action": action, "subject_id": subject, "object_kind": of[0], "object_id": of[1]}
        for action, subject, of in acts
    ]
    copy_rows(session, AuditEntry, rows)
