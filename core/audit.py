"""The audit trail: one row an act, written in the transaction of the act, never changed afterwards."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Index, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from core import clock, observe
from core.actor import Actor
from core.appending import append_row, write_appended
from core.db import Base, WithId, copy_rows
from core.ids import new_id


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
) -> None:
    """As ``record_act``, but an act repeated within this time folds into its first row.

    Only the same act folds: same actor, action, thing and basis. Under another version of a consent it is another act.
    """
    same = select(AuditEntry.id).where(
        AuditEntry.subject_id == subject_id,
        AuditEntry.at > clock.now() - within,
        AuditEntry.actor_kind == actor.kind,
        AuditEntry.actor_id == actor.id,
        AuditEntry.action == action,
        AuditEntry.object_id == of[1],
        AuditEntry.basis_id.is_not_distinct_from(basis[0] if basis else None),
        AuditEntry.basis_version.is_not_distinct_from(basis[1] if basis else None),
    )
    write_appended(session)
    if session.scalar(same.limit(1)):
        return
    # A viewer asks for many pictures at once: the first one writes the row, the others wait here and find it.
    lock = func.hashtextextended(f"audit/{actor.id}/{action}/{of[1]}", 0)
    session.execute(select(func.pg_advisory_xact_lock(lock)))
    if session.scalar(same.limit(1)):
        return
    record_act(session, actor, action, subject_id=subject_id, of=of, purpose=purpose, basis=basis, facts=facts)


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
