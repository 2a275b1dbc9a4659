"""Watching over the platform: its signing keys, its audit trail, and how much there is of everything."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts.models import Hospital, MachineClient, StaffMember, Terminal, TerminalFlag, TerminalKey
from accounts.refusals import ConfirmationWrong, SigningKeyNotFound
from core import audit, clock, keys
from core.actor import Actor
from core.audit import AuditEntry
from core.keys import SigningKey


@dataclass(frozen=True)
class Overview:
    """How much there is, of what is switched on."""

    hospitals: int
    terminals: int
    terminals_with_key: int
    open_flags: int
    staff: int
    clients: int


@dataclass(frozen=True)
class SigningKeyFile:
    """A key of the platform. ``state``: signing, verifying (an older one), retired or killed."""

    kid: str
    purpose: str
    state: str
    created_at: datetime
    age_days: int


@dataclass(frozen=True)
class AuditLine:
    """One entry of the trail: ids and codes only, as it was written."""

    id: UUID
    at: datetime
    request_id: str
    actor_kind: str
    actor_id: UUID
    hospital_id: UUID | None
    action: str
    subject_id: UUID | None
    object_kind: str | None
    object_id: UUID | None
    purpose: str | None
    basis_id: UUID | None
    basis_version: int | None
    facts: dict[str, Any]


@dataclass(frozen=True)
class AuditFilter:
    """Which entries. ``action``: the beginning of it; the ids and ``object_kind``: exactly."""

    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    actor_id: UUID | None = None
    subject_id: UUID | None = None
    object_id: UUID | None = None
    object_kind: str | None = None
    id: UUID | None = None


def get_overview(session: Session) -> Overview:
    """Counts for the first page."""
    return Overview(
        hospitals=_count(session, Hospital, Hospital.is_enabled.is_(True)),
        terminals=_count(session, Terminal, Terminal.is_enabled.is_(True)),
        terminals_with_key=_count(session, TerminalKey, TerminalKey.revoked_at.is_(None)),
        open_flags=_count(session, TerminalFlag, TerminalFlag.cleared_at.is_(None)),
        staff=_count(session, StaffMember, StaffMember.is_enabled.is_(True)),
        clients=_count(session, MachineClient, MachineClient.is_enabled.is_(True)),
    )


def list_signing_keys(session: Session) -> list[SigningKeyFile]:
    """Every key that the platform has or had, by purpose, the newest first."""
    rows = session.scalars(
        select(SigningKey).order_by(SigningKey.purpose, SigningKey.created_at.desc(), SigningKey.kid)
    )
    now = clock.now()
    return [
        SigningKeyFile(row.kid, row.purpose, _state_of(row, now), row.created_at, (now - row.created_at).days)
        for row in rows
    ]


def _state_of(key: SigningKey, now: datetime) -> str:
    if key.killed_at is not None:
        return "killed"
    if key.expires_at is not None and key.expires_at <= now:
        return "expired"
    if key.signs_at > now:
        return "waiting"
    return "signing" if key.retired_at is None or key.retired_at > now else "verifying"


def rotate_signing_key(session: Session, actor: Actor, *, purpose: str) -> str:
    """The next key is published and signs in a day; the older ones verify for another week. Returns its kid.

    :raises SigningKeyNotFound: there is no ring of this purpose.
    """
    try:
        return keys.rotate_ring(session, actor, purpose)
    except LookupError:
        raise SigningKeyNotFound from None


def kill_signing_key(session: Session, actor: Actor, kid: str, *, confirmation: str) -> None:
    """Whatever this key signed is worthless from now on. When no other key signs, a new one takes its place.

    :param confirmation: the kid, typed once more.
    :raises ConfirmationWrong: it is not the kid.
    :raises SigningKeyNotFound: no living key has this kid.
    """
    if confirmation != kid:
        raise ConfirmationWrong
    if session.scalar(select(SigningKey.kid).filter_by(kid=kid, killed_at=None)) is None:
        raise SigningKeyNotFound
    keys.kill_key(session, kid, actor=actor)


def list_audit_entries(
    session: Session, actor: Actor, *, wanted: AuditFilter, before: UUID | None = None, limit: int = 50
) -> list[AuditLine]:
    """A page of the audit trail, newest first. Reading it is an act of its own and stands in it afterwards; the person
    about whom it is asked reads that too.

    :param before: the id where the page before ended.
    """
    question = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if before is not None:
        question = question.where(AuditEntry.id < before)
    if wanted.action:
        question = question.where(AuditEntry.action.startswith(wanted.action, autoescape=True))
    if wanted.since:
        question = question.where(AuditEntry.at >= wanted.since)
    if wanted.until:
        question = question.where(AuditEntry.at < wanted.until)
    for name in ("actor_id", "subject_id", "object_id", "object_kind", "id"):
        if (value := getattr(wanted, name)) is not None:
            question = question.where(getattr(AuditEntry, name) == value)
    names = AuditLine.__dataclass_fields__
    lines = [AuditLine(**{name: getattr(row, name) for name in names}) for row in session.scalars(question)]
    asked = {name: str(value) for name, value in vars(wanted).items() if value is not None and name != "subject_id"}
    facts = asked | {"entries": len(lines)}
    audit.record_act(session, actor, "accounts.audit.read", subject_id=wanted.subject_id, facts=facts)
    return lines


def _count(session: Session, entity: type[Any], condition: Any) -> int:
    return session.scalar(select(func.count()).select_from(entity).where(condition)) or 0
