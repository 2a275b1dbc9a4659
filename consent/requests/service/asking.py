"""A doctor asks a person whom his hospital knows, or a scan does where the standing policy says to ask each time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from consent.models import ItemKind, Purpose
from consent.policies import service as policies
from consent.policies.models import Treating
from consent.policies.standing import STANDING
from consent.requests.models import AccessRequest, RequestReason, RequestState
from consent.requests.refusals import (
    AskedTooOften,
    CannotBeAsked,
    DepartmentNotKnown,
    NothingAsked,
    RequestWaiting,
)
from consent.requests.service.ending import LAPSING_TOPIC, REMINDING_TOPIC, is_for_himself, record
from consent.scope import Scope
from core import audit, clock, outbox, statements
from core.actor import SYSTEM, Actor
from core.ids import new_id
from health_card import service as health_card

NOTICE = "access_request"
WORDS = "access_requests.reason"
# Within a day: so many by one doctor, so many of one hospital to one person.
BY_DOCTOR, TO_PERSON, WITHIN = 60, 3, timedelta(hours=24)
_STANDING = statements.compose("SELECT choice, kinds FROM ({standing}) standing", standing=STANDING)


class Circle(StrEnum):
    """For whom a doctor asks: himself, his department or his hospital."""

    MYSELF = "myself"
    DEPARTMENT = "department"
    HOSPITAL = "hospital"


@dataclass(frozen=True)
class Wish:
    """What a doctor asks for. ``answer_within``: then it lapses; ``access_for``: from now on, whenever it is answered.

    :ivar words: why, in his own words.
    """

    circle: Circle
    scope: Scope
    purpose: Purpose
    reason: RequestReason
    words: str | None
    access_for: timedelta
    answer_within: timedelta


class FindVisitor(Protocol):
    """Whose open visit of the actor's hospital it is; None: there is no such visit, or it has ended."""

    def __call__(self, session: Session, actor: Actor, *, visit_id: UUID) -> UUID | None: ...


def ask_known_patient(
    session: Session,
    actor: Actor,
    *,
    visit_id: UUID | None,
    patient_number: str | None,
    wish: Wish,
    find_visitor: FindVisitor,
) -> UUID:
    """Ask whom the actor's hospital knows: by an open visit, or else by its own number; see ``ask_patient``.

    :param find_visitor: visits are kept above us.
    :raises CannotBeAsked: also when neither leads to anybody: which it is, is not told.
    """
    if visit_id is not None:
        person_id = find_visitor(session, actor, visit_id=visit_id)
    else:
        person_id = health_card.find_person(session, actor, patient_number=patient_number)
    if person_id is None:
        raise CannotBeAsked
    return ask_patient(session, actor, person_id=person_id, visit_id=visit_id, wish=wish)


def ask_patient(session: Session, actor: Actor, *, person_id: UUID, visit_id: UUID | None, wish: Wish) -> UUID:
    """Ask a person to show more, and tell his phone. The caller has made sure that the actor's hospital knows him.

    :param visit_id: at which open visit of the actor's hospital.
    :returns: the request's id.
    :raises CannotBeAsked: he takes no requests of this hospital.
    :raises NothingAsked: the scope is empty.
    :raises DepartmentNotKnown: asked for the department of somebody of whom nobody has said where he works.
    :raises AskedTooOften: by this doctor, or to this person by this hospital, within 24 hours.
    :raises RequestWaiting: the same doctor's last one for this purpose is not answered yet.
    """
    if wish.scope.is_empty:
        raise NothingAsked
    if wish.circle is Circle.DEPARTMENT and actor.department is None:
        raise DepartmentNotKnown
    if policies.is_blocked(session, person_id=person_id, hospital_id=actor.house_id):
        raise CannotBeAsked
    _wait_for_turn(session, actor, person_id)
    _check_often(session, actor, person_id)
    now = clock.now()
    theirs = AccessRequest.person_id.in_(health_card.same_person_ids(person_id))
    waiting = select(AccessRequest.id).where(
        theirs,
        AccessRequest.hospital_id == actor.house_id,
        AccessRequest.asked_by == actor.id,
        AccessRequest.purpose == wish.purpose,
        AccessRequest.state == RequestState.REQUESTED,
        AccessRequest.lapses_at > now,
    )
    if session.scalar(waiting.limit(1)) is not None:
        raise RequestWaiting
    asked = AccessRequest(
        id=new_id(),
        person_id=person_id,
        hospital_id=actor.house_id,
        department=actor.department if wish.circle is Circle.DEPARTMENT else None,
        staff_id=actor.id if wish.circle is Circle.MYSELF else None,
        asked_by=actor.id,
        visit_id=visit_id,
        purpose=wish.purpose,
        reason=wish.reason,
        reason_sealed=_seal(session, person_id, wish.words),
        **_columns(wish.scope),
        access_until=now + wish.access_for,
        lapses_at=now + wish.answer_within,
    )
    return _write(session, actor, asked)


def ask_visitor(
    session: Session, actor: Actor, *, person_id: UUID, visit_id: UUID, access_until: datetime
) -> UUID | None:
    """A code was shown for this visit and opened nothing: ask the phone, when the person's standing policy says so.

    Asked again for the same visit while it waits, it is the same request; one of another visit is withdrawn.

    :param access_until: as long as the code would have opened the records.
    :returns: the request's id; None: the policy is not to ask.
    """
    told = statements.run(session, _STANDING, {"person_id": person_id, "hospital_id": actor.house_id})
    assert told is not None
    choice, kinds = told
    if choice != Treating.ASK:
        return None
    _wait_for_turn(session, actor, person_id)
    now = clock.now()
    waiting = select(AccessRequest).where(
        AccessRequest.person_id.in_(health_card.same_person_ids(person_id)),
        AccessRequest.hospital_id == actor.house_id,
        AccessRequest.asked_by.is_(None),
        AccessRequest.state == RequestState.REQUESTED,
    )
    for known in session.scalars(waiting.with_for_update(), execution_options={"populate_existing": True}).all():
        if known.visit_id == visit_id and known.lapses_at > now:
            return known.id
        is_over = known.lapses_at <= now
        known.state, known.version, known.ended_at = RequestState.LAPSED if is_over else RequestState.WITHDRAWN, 2, now
        session.flush()
        record(session, SYSTEM if is_over else actor, known)
    scope = Scope(kinds=None if kinds is None else frozenset(map(ItemKind, kinds)))
    asked = AccessRequest(
        id=new_id(),
        person_id=person_id,
        hospital_id=actor.house_id,
        asked_by=None,
        visit_id=visit_id,
        purpose=Purpose.TREATMENT,
        reason=RequestReason.CODE,
        **_columns(scope),
        access_until=access_until,
        lapses_at=access_until,
    )
    return _write(session, actor, asked)


def _columns(scope: Scope) -> dict[str, object]:
    named = scope.columns()
    return {"uses": named.pop("uses_left")} | named


def _seal(session: Session, person_id: UUID, words: str | None) -> bytes | None:
    return health_card.seal_text(session, person_id=person_id, text=words, context=WORDS) if words else None


def _wait_for_turn(session: Session, actor: Actor, person_id: UUID) -> None:
    """Requests of one doctor, and those of one hospital to one person, are written one after the other."""
    root_id = health_card.list_roots(session, {person_id})[person_id]
    for lock in (f"access_requests/{actor.id}", f"access_requests/{actor.house_id}/{root_id}"):
        session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(lock, 0))))


def _check_often(session: Session, actor: Actor, person_id: UUID) -> None:
    now = clock.now()
    recent = select(func.count(), func.min(AccessRequest.asked_at)).where(AccessRequest.asked_at > now - WITHIN)
    to_person = recent.where(
        AccessRequest.hospital_id == actor.house_id,
        AccessRequest.person_id.in_(health_card.same_person_ids(person_id)),
        AccessRequest.asked_by.is_not(None),
    )
    for asked, most in ((recent.where(AccessRequest.asked_by == actor.id), BY_DOCTOR), (to_person, TO_PERSON)):
        number, first_at = session.execute(asked).tuples().one()
        if number >= most:
            raise AskedTooOften(max(1, round((first_at + WITHIN - now).total_seconds())))


def _write(session: Session, actor: Actor, asked: AccessRequest) -> UUID:
    """Write it, tell the phone, and have it reminded of and lapse."""
    now = clock.now()
    # Whatever of the same is over, and has not been closed yet, makes place.
    over = update(AccessRequest).where(
        AccessRequest.person_id == asked.person_id,
        AccessRequest.hospital_id == asked.hospital_id,
        AccessRequest.asked_by.is_not_distinct_from(asked.asked_by),
        AccessRequest.purpose == asked.purpose,
        AccessRequest.state == RequestState.REQUESTED,
        AccessRequest.lapses_at <= now,
    )
    session.execute(over.values(state=RequestState.LAPSED, version=2, ended_at=now))
    asked.asked_at, asked.state, asked.version = now, RequestState.REQUESTED, 1
    asked.notice_hash = policies.get_newest_notice(session, NOTICE).hash
    session.add(asked)
    session.flush()
    of, payload = ("access_request", asked.id), {"request_id": str(asked.id)}
    audit.record_act(
        session,
        actor,
        "consent.request.asked",
        subject_id=asked.person_id,
        of=of,
        purpose=asked.purpose,
        facts={"reason": asked.reason},
    )
    health_card.tell_person(
        session,
        person_id=asked.person_id,
        kind=health_card.NoticeKind.ACCESS_REQUESTED,
        facts={"purpose": asked.purpose, "expires_at": asked.lapses_at.isoformat()},
        hospital_id=asked.hospital_id,
        of=of,
        own_only=is_for_himself(session, asked.person_id),
    )
    remind_at = asked.lapses_at - (asked.lapses_at - now) / 4
    outbox.announce(session, REMINDING_TOPIC, payload, due_at=remind_at, wakes=False)
    outbox.announce(session, LAPSING_TOPIC, payload, due_at=asked.lapses_at, wakes=False)
    return asked.id
