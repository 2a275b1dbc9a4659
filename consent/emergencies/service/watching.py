"""What is unusual about emergency accesses, for the audit administrator."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import InstrumentedAttribute, Session

from accounts import service as accounts
from consent.emergencies.models import EmergencyAccess, EmergencyAlarm
from consent.emergencies.refusals import AlarmNotFound
from consent.emergencies.rules import LIMITS, NIGHT_FROM, NIGHT_UNTIL, Limit, Rule
from consent.models import Grant
from core import audit, clock, observe
from core.actor import SYSTEM, Actor, ActorKind
from core.ids import new_id
from health_card import service as health_card

PAGE = 50


@dataclass(frozen=True)
class AlarmView:
    """One alarm: what about, of whose access; no word of the patient."""

    id: UUID
    rule: str
    counted: int | None
    raised_at: datetime
    seen_at: datetime | None
    access_id: UUID
    hospital_name: str
    department: str
    staff_name: str
    reason: str
    opened_at: datetime
    finding: str | None


def watch_access(session: Session, *, access_id: UUID) -> None:
    """Look whether an access is unusual, by each rule. Each alarm is raised once, however often this is done: it
    counts only what was opened until then.
    """
    access = session.get_one(EmergencyAccess, access_id)
    for rule, counted in _count(session, access):
        if counted > LIMITS[rule].more_than:
            raise_alarm(session, access_id=access.id, rule=rule, counted=counted)


def note_overdue(session: Session, *, access_id: UUID) -> None:
    """The time for a review is over: when there is none, the audit administrator is told."""
    access = session.get_one(EmergencyAccess, access_id)
    if access.reviewed_at is None and access.review_due_at <= clock.now():
        raise_alarm(session, access_id=access.id, rule=Rule.REVIEW_OVERDUE)


def raise_alarm(session: Session, *, access_id: UUID, rule: Rule, counted: int | None = None) -> None:
    """Tell the audit administrator of an access, once a rule."""
    raised = (
        insert(EmergencyAlarm)
        .values(id=new_id(), access_id=access_id, rule=rule, counted=counted, raised_at=clock.now())
        .on_conflict_do_nothing()
        .returning(EmergencyAlarm.id)
    )
    alarm_id = session.scalar(raised)
    if alarm_id is None:
        return
    observe.log.warning("consent.emergency_alarm", rule=rule.value)
    audit.record_act(session, SYSTEM, "consent.alarm.raised", of=("emergency_alarm", alarm_id), facts={"rule": rule})


def see_alarm(session: Session, actor: Actor, *, alarm_id: UUID) -> None:
    """The audit administrator has looked into it. Again: changes nothing.

    :raises AlarmNotFound: no such alarm.
    """
    if session.get(EmergencyAlarm, alarm_id) is None:
        raise AlarmNotFound
    seen = (
        update(EmergencyAlarm)
        .where(EmergencyAlarm.id == alarm_id, EmergencyAlarm.seen_at.is_(None))
        .values(seen_at=clock.now(), seen_by=actor.id)
        .returning(EmergencyAlarm.id)
    )
    if session.scalar(seen) is not None:
        audit.record_act(session, actor, "consent.alarm.seen", of=("emergency_alarm", alarm_id))


def list_alarms(session: Session, actor: Actor, *, is_seen: bool, before: UUID | None = None) -> list[AlarmView]:
    """Those that wait for the audit administrator, or those that he has seen; newest first.

    :param before: the id of the last one of the page before.
    """
    raised, id_ = EmergencyAlarm.raised_at, EmergencyAlarm.id
    page = select(EmergencyAlarm, EmergencyAccess).join(EmergencyAccess, EmergencyAccess.id == EmergencyAlarm.access_id)
    page = page.where(EmergencyAlarm.seen_at.is_not(None) if is_seen else EmergencyAlarm.seen_at.is_(None))
    if before is not None:
        last = select(raised, id_).where(id_ == before).subquery()
        page = page.where(tuple_(raised, id_) < select(last.c.raised_at, last.c.id).scalar_subquery())
    found = session.execute(page.order_by(raised.desc(), id_.desc()).limit(PAGE)).tuples().all()
    hospitals = accounts.list_hospitals(session, {access.hospital_id for _, access in found})
    names = accounts.describe_actors(session, {(ActorKind.STAFF.value, access.staff_id) for _, access in found})
    audit.record_act(session, actor, "consent.alarm.listed", facts={"lines": len(found)})
    return [
        AlarmView(
            id=alarm.id,
            rule=alarm.rule,
            counted=alarm.counted,
            raised_at=alarm.raised_at,
            seen_at=alarm.seen_at,
            access_id=access.id,
            hospital_name=hospitals[access.hospital_id].name,
            department=access.department,
            staff_name=names[access.staff_id],
            reason=access.reason,
            opened_at=access.opened_at,
            finding=access.finding,
        )
        for alarm, access in found
    ]


def _count(session: Session, access: EmergencyAccess) -> Iterator[tuple[Rule, int]]:
    by_doctor = EmergencyAccess.staff_id == access.staff_id
    same_person = EmergencyAccess.person_id.in_(health_card.same_person_ids(access.person_id))

    def count(what: InstrumentedAttribute[UUID], limit: Limit, *which: ColumnElement[bool]) -> int:
        young = EmergencyAccess.opened_at.between(access.opened_at - limit.within, access.opened_at)
        return session.scalar(select(func.count(what.distinct())).where(young, *which)) or 0

    yield Rule.MANY_BY_DOCTOR, count(EmergencyAccess.id, LIMITS[Rule.MANY_BY_DOCTOR], by_doctor)
    night = _begin_of_night(access.opened_at)
    if night is not None:
        of_night = by_doctor, EmergencyAccess.opened_at >= night
        yield Rule.MANY_AT_NIGHT, count(EmergencyAccess.person_id, LIMITS[Rule.MANY_AT_NIGHT], *of_night)
    yield Rule.MANY_ON_PERSON, count(EmergencyAccess.staff_id, LIMITS[Rule.MANY_ON_PERSON], same_person)
    # What the patient ended stands in the grant alone (``EmergencyAccess.ended_at``).
    ended = select(Grant.id).where(Grant.id == EmergencyAccess.grant_id, Grant.revoked_at <= access.opened_at).exists()
    by_patient = ended, EmergencyAccess.ended_at.is_(None), EmergencyAccess.hospital_id == access.hospital_id
    yield Rule.AFTER_REVOKE, count(EmergencyAccess.id, LIMITS[Rule.AFTER_REVOKE], same_person, *by_patient)


def _begin_of_night(at: datetime) -> datetime | None:
    """When the night began in which this was; None by day."""
    local = clock.in_city(at)
    if NIGHT_UNTIL <= local.hour < NIGHT_FROM:
        return None
    evening = local if local.hour >= NIGHT_FROM else local - timedelta(days=1)
    return evening.replace(hour=NIGHT_FROM, minute=0, second=0, microsecond=0)
