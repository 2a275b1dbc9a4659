"""Staff sign in with user name and password; their sessions end by themselves."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from accounts.models import Hospital, Role, StaffMember, StaffSession
from accounts.refusals import PasswordWrong
from accounts.service.secrets import new_secret
from core import audit, clock
from core.actor import Actor, ActorKind

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


@dataclass(frozen=True)
class StaffCard:
    """Who is signed in, as pages show it to himself."""

    name: str
    role: Role
    hospital_name: str | None


def hire_staff(
    session: Session, actor: Actor, *, hospital_id: UUID | None, username: str, name: str, role: Role, password: str
) -> UUID:
    """Give somebody an account. Operators belong to no hospital."""
    member = StaffMember(
        hospital_id=hospital_id,
        username=username,
        name=name,
        role=role,
        password_hash=generate_password_hash(password, HASHING),
        created_at=clock.now(),
    )
    session.add(member)
    session.flush()
    audit.record_act(session, actor, "accounts.staff.hired", of=("staff_member", member.id), facts={"role": role.value})
    return member.id


def sign_in_staff(session: Session, *, username: str, password: str) -> StaffSignIn:
    """Open a session for a staff member.

    :raises PasswordWrong: user name or password is wrong, or the account or its hospital is switched off.
    """
    member = session.scalar(select(StaffMember).filter_by(username=username))
    matches = check_password_hash(member.password_hash if member else _NOBODYS_HASH, password)
    hospital = session.get(Hospital, member.hospital_id) if member and member.hospital_id else None
    if member is None or not matches or not member.is_enabled or (hospital and not hospital.is_enabled):
        raise PasswordWrong
    now = clock.now()
    text, token_hash = new_secret()
    opened = StaffSession(
        staff_id=member.id, token_hash=token_hash, created_at=now, last_used_at=now, expires_at=now + SESSION_LIFE
    )
    session.add(opened)
    session.flush()
    who = Actor(ActorKind.STAFF, member.id, frozenset(), hospital_id=member.hospital_id)
    audit.record_act(session, who, "accounts.staff.signed_in", of=("staff_session", opened.id))
    return StaffSignIn(text, opened.expires_at, member.name, member.role, hospital.name if hospital else None)


def get_staff_card(session: Session, actor: Actor) -> StaffCard:
    """Name, role and hospital of the signed-in staff member; asking for anybody else's is a mistake of ours."""
    member = session.get_one(StaffMember, actor.id)
    hospital = session.get_one(Hospital, member.hospital_id) if member.hospital_id else None
    return StaffCard(member.name, Role(member.role), hospital.name if hospital else None)
