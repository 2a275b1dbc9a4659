"""Staff sign in with user name and password; their sessions end by themselves."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from accounts.models import Hospital, Role, StaffMember, StaffSession
from accounts.refusals import EmployeeNumberMissing, PasswordWrong, RolesExcludeEachOther, UsernameTaken
from accounts.service.secrets import new_secret
from core import audit, clock
from core.actor import SYSTEM, Actor, ActorKind
from core.vault import vault

SESSION_LIFE = timedelta(hours=12)
IDLE_LIFE = timedelta(minutes=30)
TRIES_PER_MINUTE = 10

# How passwords are hashed from now on; each hash names its own method. Tests, which hire hundreds, take a cheap one.
HASHING = "scrypt:32768:8:1"

# Compared with when the user name is unknown, so that both cases take the same time.
_NOBODYS_HASH = generate_password_hash(secrets.token_urlsafe(16))


@dataclass(frozen=True)
class StaffSignIn:
    """A session as handed out, once."""

    token: str
    expires_at: datetime
    name: str
    role: str
    hospital_name: str | None
    must_change_password: bool


@dataclass(frozen=True)
class StaffCard:
    """Who is signed in, as pages show it to himself."""

    username: str
    name: str
    role: Role
    hospital_name: str | None
    must_change_password: bool


def hire_staff(
    session: Session,
    actor: Actor,
    *,
    hospital_id: UUID | None,
    username: str,
    name: str,
    role: Role,
    password: str,
    employee_number: str | None = None,
    password_expires_at: datetime | None = None,
) -> UUID:
    """Give somebody an account. Who works for the platform belongs to no hospital.

    :param employee_number: of who runs the platform, to know the same person again; only its blind index is kept.
    :param password_expires_at: set when the password is to be changed at the first sign-in, and until then.
    :raises EmployeeNumberMissing: a platform's role without it.
    :raises UsernameTaken: the user name is in use.
    :raises RolesExcludeEachOther: this person has an account of the platform.
    """
    if not role.is_of_hospital and not employee_number:
        raise EmployeeNumberMissing
    index = _employee_index(employee_number) if employee_number and not role.is_of_hospital else None
    staff_id = session.scalar(
        insert(StaffMember)
        .values(
            hospital_id=hospital_id,
            username=username,
            name=name,
            role=role.value,
            employee_index=index,
            password_hash=hash_password(password),
            password_expires_at=password_expires_at,
            created_at=clock.now(),
        )
        .on_conflict_do_nothing()
        .returning(StaffMember.id)
    )
    if staff_id is None:
        taken = session.scalar(select(StaffMember.id).filter_by(username=username))
        raise UsernameTaken if taken else RolesExcludeEachOther
    audit.record_act(session, actor, "accounts.staff.hired", of=("staff_member", staff_id), facts={"role": role.value})
    return staff_id


def sign_in_staff(session: Session, *, username: str, password: str) -> StaffSignIn:
    """Open a session for a staff member. A failed try is audited, without what was typed.

    :raises PasswordWrong: user name or password is wrong, the account or its hospital is switched off, or a password
        that somebody else gave was not changed in time.
    """
    member = session.scalar(select(StaffMember).filter_by(username=username))
    matches = check_password_hash(member.password_hash if member else _NOBODYS_HASH, password)
    hospital = session.get(Hospital, member.hospital_id) if member and member.hospital_id else None
    now = clock.now()
    reason = _why_not(member, hospital, matches, now)
    if member is None or reason:
        of = ("staff_member", member.id) if member else None
        audit.record_act(session, SYSTEM, "accounts.staff.sign_in_failed", of=of, facts={"reason": reason})
        raise PasswordWrong
    text, token_hash = new_secret()
    opened = StaffSession(
        staff_id=member.id, token_hash=token_hash, created_at=now, last_used_at=now, expires_at=now + SESSION_LIFE
    )
    session.add(opened)
    session.flush()
    who = Actor(ActorKind.STAFF, member.id, frozenset(), hospital_id=member.hospital_id)
    audit.record_act(session, who, "accounts.staff.signed_in", of=("staff_session", opened.id))
    hospital_name = hospital.name if hospital else None
    must_change = member.password_expires_at is not None
    return StaffSignIn(text, opened.expires_at, member.name, member.role, hospital_name, must_change)


def get_staff_card(session: Session, actor: Actor) -> StaffCard:
    """Name, role and hospital of the signed-in staff member; asking for anybody else's is a mistake of ours."""
    member = session.get_one(StaffMember, actor.id)
    hospital = session.get_one(Hospital, member.hospital_id) if member.hospital_id else None
    must_change = member.password_expires_at is not None
    return StaffCard(member.username, member.name, Role(member.role), hospital.name if hospital else None, must_change)


def end_staff_sessions(session: Session, *whose: ColumnElement[bool], but: UUID | None = None) -> None:
    """End every session of the staff members that these conditions choose, except the one named."""
    members = select(StaffMember.id).where(*whose)
    session.execute(
        update(StaffSession)
        .where(StaffSession.staff_id.in_(members), StaffSession.ended_at.is_(None))
        .where(StaffSession.id.is_distinct_from(but))
        .values(ended_at=clock.now())
    )


def hash_password(password: str) -> str:
    """The slow hash that is kept of a password."""
    return generate_password_hash(password, HASHING)


def _why_not(member: StaffMember | None, hospital: Hospital | None, matches: bool, now: datetime) -> str | None:
    """Why this sign-in fails, as a code for the audit trail; None when it does not."""
    if member is None:
        return "unknown"
    if not matches:
        return "password"
    if not member.is_enabled:
        return "disabled"
    if hospital and not hospital.is_enabled:
        return "hospital_disabled"
    return "expired" if member.password_expires_at and member.password_expires_at <= now else None


def _employee_index(number: str) -> bytes:
    return vault().blind_index(number.strip().upper(), context="staff_members.employee")
