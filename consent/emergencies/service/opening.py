"""Opening a record in an emergency, and ending that before its time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from consent.emergencies.models import EmergencyAccess
from consent.emergencies.reasons import OPENS_SENSITIVE, EmergencyReason
from consent.emergencies.refusals import EmergencyNotFound, EmergencyOpen, SensitiveNotOpened
from consent.emergencies.service.views import TEXT, EmergencyView, show
from consent.models import Grant, OpenedBy, Purpose, Sensitivity
from consent.scope import Recipient, Scope
from consent.service.grants import Origin, end_grant, open_grant
from core import audit, clock, outbox
from core.actor import Actor
from core.vault import vault
from health_card import service as health_card

OPENED_TOPIC = "consent.emergency_opened"
REVIEW_DUE_TOPIC = "consent.emergency_review_due"


@dataclass(frozen=True)
class Cause:
    """Why a record is opened. ``text``: in the doctor's words; ``sensitivities``: asked for by themselves."""

    reason: EmergencyReason
    text: str
    sensitivities: frozenset[Sensitivity] = frozenset()


@dataclass(frozen=True)
class Place:
    """Where it is opened: at a terminal of the house, in a department, for a visit to it.

    ``way``: how the person was identified: by his visit to the house, or by a certificate that was found on him.
    """

    terminal_id: UUID
    department: str
    visit_id: UUID
    way: str


@dataclass(frozen=True)
class Times:
    """For how long it is open, and within what time it is to be reviewed."""

    open_for: timedelta
    review_within: timedelta


def open_emergency(
    session: Session, actor: Actor, *, person_id: UUID, cause: Cause, place: Place, times: Times
) -> EmergencyView:
    """Let this doctor see a person's records without consent, for a short time; the person is told at once.

    Whatever the patient's standing policy says, and whatever he has ended before. The whole record; sensitive matters
    only when life is at risk and the doctor asks for them. The caller has confirmed the doctor's password
    (``accounts.confirm_password``), so that what one doctor opens comes one after the other.

    :raises SensitiveNotOpened: sensitive matters with another reason.
    :raises EmergencyOpen: this doctor has an emergency access to this person in force.
    """
    if cause.sensitivities and cause.reason is not OPENS_SENSITIVE:
        raise SensitiveNotOpened
    _check_not_open(session, actor, person_id)
    now = clock.now()
    grant = open_grant(
        session,
        actor,
        person_id=person_id,
        recipient=Recipient(hospital_id=actor.house_id, staff_id=actor.id),
        scope=Scope(sensitivities=cause.sensitivities),
        purpose=Purpose.EMERGENCY,
        opened_by=OpenedBy.BREAK_GLASS,
        expires_at=now + times.open_for,
        origin=Origin(visit_id=place.visit_id),
    )
    key, wrapped = vault().new_key()
    access = EmergencyAccess(
        grant_id=grant.id,
        person_id=person_id,
        hospital_id=actor.house_id,
        staff_id=actor.id,
        terminal_id=place.terminal_id,
        department=actor.department or place.department,
        visit_id=place.visit_id,
        way=place.way,
        reason=cause.reason,
        data_key=wrapped,
        text_sealed=key.seal(cause.text, context=TEXT),
        opened_at=now,
        review_due_at=now + times.review_within,
    )
    session.add(access)
    session.flush()
    _record_opened(session, actor, access, sensitive=len(cause.sensitivities))
    return show(session, [access])[0]


def end_emergency(session: Session, actor: Actor, *, access_id: UUID) -> EmergencyView:
    """The doctor needs it no longer: nothing is seen under it from the next request on. Again: changes nothing.

    :raises EmergencyNotFound: not one of his own.
    """
    mine = select(EmergencyAccess).where(EmergencyAccess.id == access_id, EmergencyAccess.staff_id == actor.id)
    access = session.scalars(mine.with_for_update()).one_or_none()
    if access is None:
        raise EmergencyNotFound
    end_access(session, actor, access)
    return show(session, [access])[0]


def end_access(session: Session, actor: Actor, access: EmergencyAccess) -> None:
    """End an access whose row is locked; one whose time is over, or that was ended, stays as it is."""
    if end_grant(session, actor, grant_id=access.grant_id):
        access.ended_at = clock.now()
        session.flush()


def find_emergency(session: Session, actor: Actor, *, person_id: UUID) -> EmergencyView | None:
    """The actor's own emergency access to a person that is in force now."""
    found = session.scalars(_in_force(actor, person_id)).one_or_none()
    return show(session, [found])[0] if found else None


def list_own(session: Session, actor: Actor, *, since: datetime) -> list[EmergencyView]:
    """What the actor himself has opened since then, newest first (at most 100)."""
    mine = select(EmergencyAccess).where(EmergencyAccess.staff_id == actor.id, EmergencyAccess.opened_at >= since)
    newest_first = mine.order_by(EmergencyAccess.opened_at.desc(), EmergencyAccess.id.desc()).limit(100)
    return show(session, session.scalars(newest_first).all())


def _check_not_open(session: Session, actor: Actor, person_id: UUID) -> None:
    found = session.scalars(_in_force(actor, person_id)).one_or_none()
    if found is not None:
        raise EmergencyOpen(access_id=str(found.id), visit_id=str(found.visit_id))


def _in_force(actor: Actor, person_id: UUID) -> Select[tuple[EmergencyAccess]]:
    return (
        select(EmergencyAccess)
        .join(Grant, Grant.id == EmergencyAccess.grant_id)
        .where(EmergencyAccess.staff_id == actor.id, Grant.revoked_at.is_(None), Grant.expires_at > clock.now())
        .where(EmergencyAccess.person_id.in_(health_card.same_person_ids(person_id)))
        .order_by(EmergencyAccess.opened_at.desc())
        .limit(1)
    )


def _record_opened(session: Session, actor: Actor, access: EmergencyAccess, *, sensitive: int) -> None:
    audit.record_act(
        session,
        actor,
        "consent.emergency.opened",
        subject_id=access.person_id,
        of=("emergency_access", access.id),
        purpose=Purpose.EMERGENCY,
        basis=(access.grant_id, 1),
        facts={"reason": access.reason, "way": access.way, "department": access.department, "sensitive": sensitive},
    )
    health_card.tell_person(
        session,
        person_id=access.person_id,
        kind=health_card.NoticeKind.BREAK_GLASS,
        hospital_id=access.hospital_id,
        of=("grant", access.grant_id),
        key=f"break_glass:{access.grant_id}",
    )
    named = {"access_id": str(access.id)}
    outbox.announce(session, OPENED_TOPIC, named)
    outbox.announce(session, REVIEW_DUE_TOPIC, named, due_at=access.review_due_at)
