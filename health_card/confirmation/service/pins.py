"""The PIN of a login: six digits, for confirming only, never for signing in."""

from datetime import timedelta
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from werkzeug.security import check_password_hash, generate_password_hash

from core import audit, clock
from core.actor import Actor
from core.vault import vault
from health_card.confirmation.models import CodePin
from health_card.confirmation.refusals import OldPinMissing, PinLocked, PinNotSet, PinTooSimple, PinWrong

TRIES = 5
LOCKED_FOR = timedelta(minutes=15)

# How PINs are hashed from now on; each hash names its own method. Tests take a cheap one.
HASHING = "scrypt:32768:8:1"

_ROW = "01234567890"


def set_pin(session: Session, actor: Actor, *, pin: str, old_pin: str | None = None) -> None:
    """Set the login's PIN, or change it with the old one. A forgotten one can only be reset at a desk.

    :raises PinTooSimple: equal digits, or digits in a row.
    :raises OldPinMissing: there is a PIN and the old one was not sent.
    :raises PinWrong, PinLocked: see ``check_pin``.
    """
    if len(set(pin)) == 1 or pin in _ROW or pin in _ROW[::-1]:
        raise PinTooSimple
    created = session.scalar(
        insert(CodePin)
        .values(login_id=actor.id, pin_hash=_hash(actor.id, pin), failures=0, set_at=clock.now())
        .on_conflict_do_nothing()
        .returning(CodePin.login_id)
    )
    if created is None:
        if old_pin is None:
            raise OldPinMissing
        check_pin(session, actor, pin=old_pin)
        kept = session.get_one(CodePin, actor.id)
        kept.pin_hash, kept.set_at = _hash(actor.id, pin), clock.now()
    audit.record_act(session, actor, "health_card.pin.set", of=("login", actor.id), facts={"changed": created is None})


def check_pin(session: Session, actor: Actor, *, pin: str) -> None:
    """The login confirms with its PIN. Tries wait for each other, so that a burst has no more of them.

    :raises PinNotSet: there is none.
    :raises PinLocked: five wrong tries in a row, less than 15 minutes ago.
    :raises PinWrong: counted, although the request is refused; call this before anything is written.
    """
    mine = select(CodePin).filter_by(login_id=actor.id).with_for_update().execution_options(populate_existing=True)
    kept = session.scalars(mine).one_or_none()
    if kept is None:
        raise PinNotSet
    now = clock.now()
    if kept.locked_until is not None and now < kept.locked_until:
        raise PinLocked(max(1, round((kept.locked_until - now).total_seconds())))
    if check_password_hash(kept.pin_hash, _keyed(actor.id, pin)):
        kept.failures, kept.locked_until = 0, None
        return
    tries_left = TRIES - kept.failures - 1
    kept.failures = kept.failures + 1 if tries_left else 0
    kept.locked_until = None if tries_left else now + LOCKED_FOR
    audit.record_act(
        session, actor, "health_card.pin.refused", of=("login", actor.id), facts={"tries_left": tries_left}
    )
    raise PinWrong(tries_left=tries_left)


def clear_pin(session: Session, actor: Actor, *, login_id: UUID, person_id: UUID) -> bool:
    """A desk has seen the document of the login's own person: the login may set a PIN anew, and a lock is over.

    The caller has checked whose login it is. Returns whether there was a PIN.
    """
    cleared = delete(CodePin).where(CodePin.login_id == login_id).returning(CodePin.login_id)
    if session.scalar(cleared) is None:
        return False
    audit.record_act(session, actor, "health_card.pin.cleared", subject_id=person_id, of=("login", login_id))
    return True


def _hash(login_id: UUID, pin: str) -> str:
    return generate_password_hash(_keyed(login_id, pin), HASHING)


def _keyed(login_id: UUID, pin: str) -> str:
    # A million PINs are soon tried by whoever steals the table; without the platform's key he tries in vain.
    return vault().blind_index(f"{login_id}:{pin}", context="code_pins").hex()
