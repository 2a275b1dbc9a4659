"""Somebody else than the doctor looks at each emergency access, and decides whether it was right."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, Select, select, tuple_, update
from sqlalchemy.orm import Session

from consent.emergencies.models import EmergencyAccess
from consent.emergencies.reasons import ReviewFinding
from consent.emergencies.refusals import EmergencyNotFound, EmergencyReviewed, OwnEmergency
from consent.emergencies.rules import Rule
from consent.emergencies.service.opening import end_access
from consent.emergencies.service.views import REVIEW, TEXT, EmergencyView, end_of, show
from consent.emergencies.service.watching import raise_alarm
from consent.models import Grant, Purpose
from core import audit, clock
from core.actor import Actor, ActorKind
from core.audit import AuditEntry
from core.vault import vault
from health_card import service as health_card

PAGE = 50
MOST_ACTS = 500


class ReviewQueue(StrEnum):
    """Which accesses: those that wait for a review, of these the overdue ones, or those that have one."""

    WAITING = "waiting"
    OVERDUE = "overdue"
    REVIEWED = "reviewed"
    NOT_JUSTIFIED = "not_justified"


@dataclass(frozen=True)
class SeenThing:
    """One act of the doctor on the person's records while the access was open: what kind of thing, never which."""

    at: datetime
    action: str
    object_kind: str | None


@dataclass(frozen=True)
class EmergencyCase:
    """What a reviewer of the house decides by. ``text``: what the doctor wrote; ``review_text``: what was found."""

    access: EmergencyView
    text: str
    review_text: str | None
    seen: list[SeenThing]


def list_emergencies(
    session: Session, actor: Actor, *, queue: ReviewQueue, before: UUID | None = None
) -> list[EmergencyView]:
    """The emergency accesses of the actor's hospital, or of all when he works for the platform; newest first.

    :param before: the id of the last one of the page before.
    """
    opened, id_ = EmergencyAccess.opened_at, EmergencyAccess.id
    page = _of_house(actor).where(*_in_queue(queue))
    if before is not None:
        last = select(opened, id_).where(id_ == before).subquery()
        page = page.where(tuple_(opened, id_) < select(last.c.opened_at, last.c.id).scalar_subquery())
    found = session.scalars(page.order_by(opened.desc(), id_.desc()).limit(PAGE)).all()
    audit.record_act(session, actor, "consent.emergency.listed", facts={"queue": queue, "lines": len(found)})
    return show(session, found)


def get_emergency(session: Session, actor: Actor, *, access_id: UUID) -> EmergencyCase:
    """One access of the actor's hospital, with what was written about it and what the doctor did.

    :raises EmergencyNotFound: none such there.
    """
    access = session.scalars(_of_house(actor).where(EmergencyAccess.id == access_id)).one_or_none()
    if access is None or actor.hospital_id is None:
        raise EmergencyNotFound
    audit.record_act(
        session,
        actor,
        "consent.emergency.read",
        subject_id=access.person_id,
        of=("emergency_access", access.id),
        purpose=Purpose.EMERGENCY,
    )
    key = vault().unwrap(access.data_key)
    found = key.unseal(access.review_sealed, context=REVIEW) if access.review_sealed else None
    text = key.unseal(access.text_sealed, context=TEXT)
    return EmergencyCase(show(session, [access])[0], text, found, _list_seen(session, access))


def review_emergency(
    session: Session, actor: Actor, *, access_id: UUID, finding: ReviewFinding, text: str
) -> EmergencyView:
    """Decide whether an access was right, once. When it was not, it ends if it is still open, the patient is told,
    and the audit administrator takes up the case.

    :raises EmergencyNotFound: none such at the actor's hospital.
    :raises OwnEmergency: the actor opened it himself.
    :raises EmergencyReviewed: it has been reviewed; of two at the same moment the second is refused.
    """
    access = session.scalars(_of_house(actor).where(EmergencyAccess.id == access_id)).one_or_none()
    if access is None:
        raise EmergencyNotFound
    if access.staff_id == actor.id:
        raise OwnEmergency
    sealed = vault().unwrap(access.data_key).seal(text, context=REVIEW)
    decided = (
        update(EmergencyAccess)
        .where(EmergencyAccess.id == access_id, EmergencyAccess.reviewed_at.is_(None))
        .values(reviewed_at=clock.now(), reviewed_by=actor.id, finding=finding, review_sealed=sealed)
        .returning(EmergencyAccess.id)
    )
    if session.scalar(decided) is None:
        raise EmergencyReviewed
    session.refresh(access)
    audit.record_act(
        session,
        actor,
        "consent.emergency.reviewed",
        subject_id=access.person_id,
        of=("emergency_access", access.id),
        purpose=Purpose.EMERGENCY,
        facts={"finding": finding},
    )
    if not finding.is_justified:
        _follow_up(session, actor, access)
    return show(session, [access])[0]


def _follow_up(session: Session, actor: Actor, access: EmergencyAccess) -> None:
    end_access(session, actor, access)
    raise_alarm(session, access_id=access.id, rule=Rule.NOT_JUSTIFIED)
    health_card.tell_person(
        session,
        person_id=access.person_id,
        kind=health_card.NoticeKind.BREAK_GLASS_UNJUSTIFIED,
        hospital_id=access.hospital_id,
        of=("grant", access.grant_id),
    )


def _list_seen(session: Session, access: EmergencyAccess) -> list[SeenThing]:
    """By whatever right he saw it in that time: who may see a person by his code as well has not opened less."""
    until = end_of(session.get_one(Grant, access.grant_id))
    acts = (
        select(AuditEntry.at, AuditEntry.action, AuditEntry.object_kind)
        .where(
            AuditEntry.subject_id.in_(health_card.same_person_ids(access.person_id)),
            AuditEntry.at.between(access.opened_at, until),
            AuditEntry.actor_kind == ActorKind.STAFF,
            AuditEntry.actor_id == access.staff_id,
            AuditEntry.basis_id.is_not(None),
            AuditEntry.action.startswith("consent.").is_(False),
        )
        .order_by(AuditEntry.at, AuditEntry.id)
        .limit(MOST_ACTS)
    )
    return [SeenThing(*row) for row in session.execute(acts).tuples()]


def _of_house(actor: Actor) -> Select[tuple[EmergencyAccess]]:
    """Of the actor's hospital; of all for who belongs to none and works for the platform."""
    every = select(EmergencyAccess)
    return every.where(EmergencyAccess.hospital_id == actor.hospital_id) if actor.hospital_id else every


def _in_queue(queue: ReviewQueue) -> tuple[ColumnElement[bool], ...]:
    if queue is ReviewQueue.REVIEWED:
        return (EmergencyAccess.reviewed_at.is_not(None),)
    if queue is ReviewQueue.NOT_JUSTIFIED:
        return (EmergencyAccess.finding != ReviewFinding.EMERGENCY_CONFIRMED,)
    waiting = EmergencyAccess.reviewed_at.is_(None)
    return (waiting,) if queue is ReviewQueue.WAITING else (waiting, EmergencyAccess.review_due_at <= clock.now())
