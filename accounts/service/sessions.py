"""Who a bearer text belongs to, asked at every request."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from psycopg.rows import TupleRow
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from accounts.apps.service.authorizations import end_authorizations_of_login
from accounts.apps.service.identifying import identify_app
from accounts.models import LoginSession, Role, StaffSession
from accounts.refusals import SessionEnded
from accounts.roles import NEWCOMER_PERMISSIONS, PATIENT_PERMISSIONS, ROLE_PERMISSIONS, SCOPE_PERMISSIONS
from accounts.service.logins import end_family
from accounts.service.secrets import hash_secret
from accounts.service.staff import IDLE_LIFE
from accounts.tokens import PURPOSE, Claims, looks_like_token, read_token
from core import audit, clock, keys, statements
from core.actor import SYSTEM, Actor, ActorKind

# A session's last use is written at most this often, so that reading pages does not write at every request.
_TOUCH_SECONDS = 60

_Ask = Callable[[str, Mapping[str, Any]], TupleRow | None]

# Asked at every request of a phone, a hospital's system and a desk, hence by hand.
_LOGIN = """
SELECT id FROM login_sessions
WHERE id = %(id)s AND login_id = %(login_id)s AND ended_at IS NULL AND expires_at > %(now)s
"""
_MACHINE = """
SELECT h.id FROM machine_clients c JOIN hospitals h ON h.id = c.hospital_id
WHERE c.id = %(id)s AND c.is_enabled AND h.is_enabled
"""
_STAFF = """
SELECT s.id, s.last_used_at, m.id, m.role, m.hospital_id, m.password_expires_at, m.department
FROM staff_sessions s
    JOIN staff_members m ON m.id = s.staff_id
    LEFT JOIN hospitals h ON h.id = m.hospital_id
WHERE s.token_hash = %(token_hash)s AND s.ended_at IS NULL AND s.expires_at > %(now)s
    AND s.last_used_at > %(idle_since)s AND m.is_enabled AND h.is_enabled IS NOT FALSE
"""


def identify_bearer(session: Session, text: str, *, issuer: str) -> Actor:
    """Who presents this access token or staff session token.

    :raises SessionEnded: it is not genuine, has expired, or was ended.
    """
    if not looks_like_token(text):
        return _identify_staff(session, text)
    claims = read_token(keys.ring(session, PURPOSE), text, issuer=issuer)
    if claims.subject_kind == "app":
        return identify_app(session, claims)
    return _identify_token(partial(statements.run, session), claims)


def identify_login(session: Session, *, login_id: UUID, session_id: UUID) -> Actor:
    """The patient of a sign-in that another proof stands for, as long as it has not ended.

    :raises SessionEnded: it has.
    """
    now = int(clock.now().timestamp())
    return _identify_token(partial(statements.run, session), Claims("patient", login_id, session_id, (), now, now))


def find_actor(text: str, *, issuer: str) -> Actor | None:
    """As ``identify_bearer``, without a transaction. Needs an app context.

    None when ``identify_bearer`` has to be asked: a staff session that does not hold or whose use is to be noted, an
    app, keys to be read.

    :raises SessionEnded: an access token does not hold.
    """
    if looks_like_token(text):
        ring = keys.find_known_ring(PURPOSE)
        claims = read_token(ring, text, issuer=issuer) if ring else None
        return _identify_token(statements.look, claims) if claims and claims.subject_kind != "app" else None
    now = clock.now()
    row = statements.look(_STAFF, _ask_for(text, now))
    return None if row is None or _is_to_be_noted(row[1], now) else _staff_actor(row)


def end_session(session: Session, actor: Actor) -> None:
    """Sign out: the session that this request came through ends now."""
    if actor.kind is ActorKind.PATIENT:
        # Not the strongest lock: a refresh at this moment holds its token and refers to this row; each would wait
        # for the other.
        family = session.get_one(LoginSession, actor.session_id, with_for_update={"key_share": True})
        end_family(session, family, reason="signed_out")
        return
    ended = session.get_one(StaffSession, actor.session_id)
    ended.ended_at = clock.now()
    audit.record_act(session, actor, "accounts.staff.signed_out", of=("staff_session", ended.id))


def end_sessions_of_login(session: Session, *, login_id: UUID, reason: str) -> int:
    """Sign a login out everywhere, for example because its phone is lost; returns how many sign-ins that ended.

    What it has let apps read ends too: they may be on the same phone.
    """
    end_authorizations_of_login(session, SYSTEM, login_id=login_id, reason=reason)
    open_ones = select(LoginSession).where(LoginSession.login_id == login_id, LoginSession.ended_at.is_(None))
    families = session.scalars(open_ones.order_by(LoginSession.id).with_for_update(key_share=True)).all()
    for family in families:
        end_family(session, family, reason=reason)
    return len(families)


def _identify_token(ask: _Ask, claims: Claims) -> Actor:
    if claims.subject_kind == "patient" and claims.session_id:
        asked = {"id": claims.session_id, "login_id": claims.subject_id, "now": clock.now()}
        if ask(_LOGIN, asked) is None:
            raise SessionEnded
        return Actor(ActorKind.PATIENT, claims.subject_id, PATIENT_PERMISSIONS, session_id=claims.session_id)
    row = ask(_MACHINE, {"id": claims.subject_id}) if claims.subject_kind == "machine" else None
    if row is None:
        raise SessionEnded
    permissions = frozenset[str]().union(*(SCOPE_PERMISSIONS.get(scope, ()) for scope in claims.scopes))
    return Actor(ActorKind.MACHINE, claims.subject_id, permissions, hospital_id=row[0])


def _identify_staff(session: Session, text: str) -> Actor:
    now = clock.now()
    row = statements.run(session, _STAFF, _ask_for(text, now))
    if row is None:
        raise SessionEnded
    session_id, last_used_at = row[:2]
    if _is_to_be_noted(last_used_at, now):
        session.execute(update(StaffSession).where(StaffSession.id == session_id).values(last_used_at=now))
    return _staff_actor(row)


def _ask_for(text: str, now: datetime) -> dict[str, Any]:
    return {"token_hash": hash_secret(text), "now": now, "idle_since": now - IDLE_LIFE}


def _is_to_be_noted(last_used_at: datetime, now: datetime) -> bool:
    return (now - last_used_at).total_seconds() > _TOUCH_SECONDS


def _staff_actor(row: Sequence[Any]) -> Actor:
    session_id, _last_used_at, staff_id, role, hospital_id, password_expires_at, department = row
    permissions = NEWCOMER_PERMISSIONS if password_expires_at else ROLE_PERMISSIONS[Role(role)]
    return Actor(
        ActorKind.STAFF,
        staff_id,
        permissions,
        hospital_id=hospital_id,
        session_id=session_id,
        department=department,
    )
