"""The person's own logins, seen from a desk: signed out when a phone is lost, and freed of a PIN that he forgot."""

from uuid import UUID

from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session

from accounts import service as accounts
from core import audit
from core.actor import Actor
from health_card.confirmation.service.pins import clear_pin
from health_card.desk.service.look_ups import get_seen_document
from health_card.models import Holder, Relation
from health_card.notices.service import tell
from health_card.service.identities import same_person_ids, same_persons
from health_card.service.living import end_shown_codes
from health_card.service.persons import find_own_person_id, is_holding, lock_holders


def end_logins_at_desk(session: Session, actor: Actor, *, look_up_id: UUID, until_confirmed: bool) -> int:
    """Sign out every login that is this person himself. Returns how many sign-ins ended.

    :param until_confirmed: the logins may act for nobody until a desk has confirmed them again. Whoever holds an
        unlocked phone signs in again with WeChat at once; signing out alone does not keep him away.
    :raises LookUpNotFound: no such look-up, or it has run out.
    :raises DocumentNotSeen: no document was verified within it.
    """
    seen = get_seen_document(session, actor, look_up_id)
    ended = [_end_login(session, actor, login_id, until_confirmed) for login_id in _own_logins(session, seen.person_id)]
    return sum(ended)


def end_other_logins(session: Session, actor: Actor) -> int:
    """The person, on one phone, signs out all his other logins. Returns how many sign-ins ended."""
    person_id = find_own_person_id(session, actor)
    if person_id is None:
        return 0
    others = [login_id for login_id in _own_logins(session, person_id) if login_id != actor.id]
    return sum(_end_login(session, actor, login_id, until_confirmed=False) for login_id in others)


def reset_pins_at_desk(session: Session, actor: Actor, *, look_up_id: UUID) -> int:
    """The person forgot his PIN: each of his own confirmed logins may set one anew, and he is told.

    Returns how many PINs were cleared.

    :raises LookUpNotFound: no such look-up, or it has run out.
    :raises DocumentNotSeen: no document was verified within it.
    """
    person_id = get_seen_document(session, actor, look_up_id).person_id
    cleared = sum(
        clear_pin(session, actor, login_id=login_id, person_id=person_id)
        for login_id in _own_logins(session, person_id)
    )
    if cleared:
        tell(session, person_id=person_id, kind="pin_reset", hospital_id=actor.house_id)
    return cleared


def _own_logins(session: Session, person_id: UUID) -> list[UUID]:
    mine = Holder.person_id.in_(same_person_ids(person_id))
    logins = select(Holder.login_id).where(mine, Holder.relation == Relation.SELF, is_holding())
    return sorted(set(session.scalars(logins)))


def _end_login(session: Session, actor: Actor, login_id: UUID, until_confirmed: bool) -> int:
    lock_holders(session, login_id)
    ended = accounts.end_sessions_of_login(session, login_id=login_id, reason="phone_lost")
    held = list(session.scalars(same_persons(_held_by(login_id))))
    end_shown_codes(session, held)
    if until_confirmed:
        session.execute(
            update(Holder).where(Holder.login_id == login_id, Holder.ended_at.is_(None)).values(confirmed_at=None)
        )
    for person_id in held:
        audit.record_act(
            session,
            actor,
            "health_card.login.ended",
            subject_id=person_id,
            of=("login", login_id),
            facts={"sessions": ended, "until_confirmed": until_confirmed},
        )
    return ended


def _held_by(login_id: UUID) -> Select[tuple[UUID]]:
    return select(Holder.person_id).where(Holder.login_id == login_id, is_holding())
