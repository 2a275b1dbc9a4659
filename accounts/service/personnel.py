"""Looking after staff accounts: opening them with a password for once, switching them off, changing passwords."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash

from accounts.models import Role, StaffMember
from accounts.refusals import OwnAccount, PasswordWeak, PasswordWrong, RolesExcludeEachOther, StaffNotFound
from accounts.service.hospitals import load_hospital
from accounts.service.postings import post_staff
from accounts.service.staff import end_staff_sessions, hash_password, hire_staff
from core import audit, clock
from core.actor import Actor

ONE_TIME_PASSWORD_LIFE = timedelta(days=3)
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 256
FEWEST_CHARACTERS = 6


@dataclass(frozen=True)
class StaffFile:
    """An account as whoever looks after it sees it. ``hospital_id`` None: of the platform itself. ``department``: the
    standard code of where somebody of a hospital works; None: nobody has said.
    """

    id: UUID
    hospital_id: UUID | None
    username: str
    name: str
    role: str
    department: str | None
    is_enabled: bool
    password_expires_at: datetime | None
    created_at: datetime


@dataclass(frozen=True)
class OneTimePassword:
    """A password as handed out, once; it opens nothing but its own change, and that until ``expires_at``."""

    staff_id: UUID
    username: str
    text: str
    expires_at: datetime


def open_staff_account(
    session: Session,
    actor: Actor,
    *,
    hospital_id: UUID,
    username: str,
    name: str,
    role: Role,
    department: str | None = None,
) -> OneTimePassword:
    """An account for a registrar or a doctor of a hospital.

    :param department: where he works (``post_staff``).
    :raises HospitalNotFound: no such hospital.
    :raises DepartmentCodeUnknown: not in the national list.
    :raises DepartmentNotHere: the hospital has departments of its own, and this is none of them.
    :raises UsernameTaken: the user name is in use.
    """
    load_hospital(session, hospital_id)
    text, expires_at = _new_password()
    staff_id = hire_staff(
        session,
        actor,
        hospital_id=hospital_id,
        username=username,
        name=name,
        role=role,
        password=text,
        password_expires_at=expires_at,
    )
    post_staff(session, actor, staff_id, department=department)
    return OneTimePassword(staff_id, username, text, expires_at)


def appoint_administrator(
    session: Session, actor: Actor, *, username: str, name: str, role: Role, employee_number: str
) -> OneTimePassword:
    """An account for who runs the platform: operator, security administrator or audit administrator.

    :raises UsernameTaken: the user name is in use.
    :raises RolesExcludeEachOther: this person has an account of one of the three roles.
    """
    text, expires_at = _new_password()
    staff_id = hire_staff(
        session,
        actor,
        hospital_id=None,
        username=username,
        name=name,
        role=role,
        password=text,
        employee_number=employee_number,
        password_expires_at=expires_at,
    )
    return OneTimePassword(staff_id, username, text, expires_at)


def switch_staff(session: Session, actor: Actor, staff_id: UUID, *, of_platform: bool, is_enabled: bool) -> None:
    """Switch an account on or off. Off: its sessions end at once, and switching it on again revives none.

    :param of_platform: which accounts the actor looks after: the platform's own, or those of hospitals.
    :raises StaffNotFound: no such account among them.
    :raises OwnAccount: it is the actor's own.
    :raises RolesExcludeEachOther: switching it on would give this person a second role of the platform.
    """
    member, others = _load(session, actor, staff_id, of_platform)
    if is_enabled and any(other.is_enabled for other in others):
        raise RolesExcludeEachOther
    member.is_enabled = is_enabled
    if not is_enabled:
        end_staff_sessions(session, StaffMember.id == staff_id)
    verb = "enabled" if is_enabled else "disabled"
    audit.record_act(session, actor, f"accounts.staff.{verb}", of=("staff_member", staff_id))


def reset_password(session: Session, actor: Actor, staff_id: UUID, *, of_platform: bool) -> OneTimePassword:
    """A new password for once; the account's sessions end at once.

    :param of_platform: as in ``switch_staff``.
    :raises StaffNotFound: no such account among them.
    :raises OwnAccount: it is the actor's own.
    """
    member, _ = _load(session, actor, staff_id, of_platform)
    text, expires_at = _new_password()
    member.password_hash, member.password_expires_at = hash_password(text), expires_at
    end_staff_sessions(session, StaffMember.id == staff_id)
    audit.record_act(session, actor, "accounts.staff.password_reset", of=("staff_member", staff_id))
    return OneTimePassword(staff_id, member.username, text, expires_at)


def change_password(session: Session, actor: Actor, *, current: str, new: str) -> None:
    """A staff member changes the own password; all other sessions of the account end.

    The rules are those of NIST SP 800-63B-4, section 3.1.1: length, no composition, nothing that is guessed first.

    :raises PasswordWrong: the current one is wrong.
    :raises PasswordWeak: the new one does not do.
    """
    member = session.get_one(StaffMember, actor.id, with_for_update={"key_share": True})
    who = ("staff_member", member.id)
    if not check_password_hash(member.password_hash, current):
        audit.record_act(session, actor, "accounts.staff.password_change_failed", of=who)
        raise PasswordWrong
    too_plain = len(set(new)) < FEWEST_CHARACTERS or member.username.casefold() in new.casefold()
    if not SHORTEST_PASSWORD <= len(new) <= LONGEST_PASSWORD or too_plain or new == current:
        raise PasswordWeak
    member.password_hash, member.password_expires_at = hash_password(new), None
    end_staff_sessions(session, StaffMember.id == member.id, but=actor.session_id)
    audit.record_act(session, actor, "accounts.staff.password_changed", of=who)


def confirm_password(session: Session, actor: Actor, *, password: str) -> None:
    """A staff member types the own password once more, before an act that needs it. Locks the member's row until the
    transaction ends: whatever one member does by this comes one after the other. A failed try is audited.

    :raises PasswordWrong: it is not his.
    """
    member = session.get_one(StaffMember, actor.id, with_for_update={"key_share": True})
    if not check_password_hash(member.password_hash, password):
        audit.record_act(session, actor, "accounts.staff.password_not_confirmed", of=("staff_member", member.id))
        raise PasswordWrong


def list_staff(session: Session, *, hospital_id: UUID | None) -> list[StaffFile]:
    """The accounts of a hospital, or with None those of the platform itself: by role and user name."""
    rows = session.scalars(
        select(StaffMember).filter_by(hospital_id=hospital_id).order_by(StaffMember.role, StaffMember.username)
    )
    return [
        StaffFile(
            row.id,
            row.hospital_id,
            row.username,
            row.name,
            row.role,
            row.department,
            row.is_enabled,
            row.password_expires_at,
            row.created_at,
        )
        for row in rows
    ]


def _load(session: Session, actor: Actor, staff_id: UUID, of_platform: bool) -> tuple[StaffMember, list[StaffMember]]:
    """The account, and the other accounts of the same person: all locked, always in one order."""
    person = select(StaffMember.employee_index).where(StaffMember.id == staff_id).scalar_subquery()
    question = (
        select(StaffMember)
        .where((StaffMember.id == staff_id) | (StaffMember.employee_index == person))
        .order_by(StaffMember.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    found = {member.id: member for member in session.scalars(question)}
    member = found.pop(staff_id, None)
    if member is None or (member.hospital_id is None) is not of_platform:
        raise StaffNotFound
    if member.id == actor.id:
        raise OwnAccount
    return member, list(found.values())


def _new_password() -> tuple[str, datetime]:
    return secrets.token_urlsafe(15), clock.now() + ONE_TIME_PASSWORD_LIFE
