"""From the patient before the doctor to his records, without consent; and how often that happens."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.emergencies import service as emergencies
from consent.emergencies.service import Cause, EmergencyView, Place, Times
from core import audit, clock
from core.actor import Actor
from health_card import service as health_card
from records.visits import service as visits
from records.visits.models import Visit
from records.visits.unscanned import find_or_open_emergency_visit

# EmergencyCounts of the whole city that are smaller, but not nothing, could name somebody.
SMALLEST_SHOWN = 5
USUAL_DAYS = 90


@dataclass(frozen=True)
class FoundDocument:
    """What was found on somebody who cannot show anything. ``kind``: WS 364.3 CV02.01.101."""

    kind: str
    number: str
    country: str = ""


@dataclass(frozen=True)
class DepartmentCount:
    """Emergency accesses of one department. None: there are some, but too few to be told.

    :ivar per_thousand: opened, of 1,000 visits that began in the time; None also when there was no visit.
    """

    hospital_name: str
    department: str
    opened: int | None
    reviewed: int | None
    not_justified: int | None
    overdue: int | None
    visits: int
    per_thousand: float | None


def open_emergency(
    session: Session,
    actor: Actor,
    *,
    patient: UUID | FoundDocument,
    cause: Cause,
    terminal_id: UUID,
    department: str,
    password: str,
    times: Times,
    visit_days: int,
) -> EmergencyView:
    """A doctor opens the records of who is before him, without consent. Typing his password he takes it upon himself.

    :param patient: an open visit to the doctor's hospital; or the document that was found on the patient: then he has
        an emergency visit from now on, unless one is open.
    :param terminal_id: of a terminal of the hospital, checked with the department (``accounts.check_terminal_proof``).
    :raises PasswordWrong: it is not his.
    :raises VisitNotFound: no open visit there.
    :raises CertificateInvalid, PersonNotFound: of the document; see ``health_card.identify_by_certificate``.
    :raises SensitiveNotOpened, EmergencyOpen: see ``consent.emergencies``.
    """
    accounts.confirm_password(session, actor, password=password)
    if isinstance(patient, FoundDocument):
        person_id = health_card.identify_by_certificate(
            session, actor, kind=patient.kind, number=patient.number, country=patient.country
        )
        visit_id = find_or_open_emergency_visit(
            session,
            actor,
            person_id=person_id,
            terminal_id=terminal_id,
            department=department,
            visit_days=visit_days,
        )
        way = "certificate"
    else:
        visit_id, way = patient, "visit"
        person_id = visits.get_open_visitor(session, actor, visit_id=visit_id)
    place = Place(terminal_id=terminal_id, department=department, visit_id=visit_id, way=way)
    return emergencies.open_emergency(session, actor, person_id=person_id, cause=cause, place=place, times=times)


def count_by_department(
    session: Session, actor: Actor, *, since: date | None = None, until: date | None = None
) -> list[DepartmentCount]:
    """How often records were opened in emergencies between two days of the city, both included; of the last 90 days
    unless said otherwise. Of the actor's hospital as it is; of all hospitals, for who works for the platform, without
    the small numbers.
    """
    last = until or clock.in_city(clock.now()).date()
    begin, end = clock.bounds_of_days(since or last - timedelta(days=USUAL_DAYS - 1), last)
    assert begin is not None
    assert end is not None
    counts = emergencies.count_emergencies(session, actor, since=begin, until=end)
    hospitals = accounts.list_hospitals(session, {count.hospital_id for count in counts})
    visited = _count_visits(session, {count.hospital_id for count in counts}, begin, end)
    audit.record_act(session, actor, "records.emergency.counted", facts={"lines": len(counts)})
    told = _as_it_is if actor.hospital_id else _not_small
    return [
        DepartmentCount(
            hospital_name=hospitals[count.hospital_id].name,
            department=count.department,
            opened=told(count.opened),
            reviewed=told(count.reviewed),
            not_justified=told(count.not_justified),
            overdue=told(count.overdue),
            visits=(there := visited.get((count.hospital_id, count.department), 0)),
            per_thousand=round(1000 * count.opened / there, 1) if there and told(count.opened) is not None else None,
        )
        for count in counts
    ]


def _count_visits(
    session: Session, hospital_ids: set[UUID], begin: datetime, end: datetime
) -> dict[tuple[UUID, str], int]:
    rows = session.execute(
        select(Visit.hospital_id, Visit.department, func.count())
        .where(Visit.hospital_id.in_(hospital_ids), Visit.opened_at >= begin, Visit.opened_at < end)
        .group_by(Visit.hospital_id, Visit.department)
    ).tuples()
    return {(hospital_id, department): count for hospital_id, department, count in rows}


def _as_it_is(count: int) -> int | None:
    return count


def _not_small(count: int) -> int | None:
    return None if 0 < count < SMALLEST_SHOWN else count
