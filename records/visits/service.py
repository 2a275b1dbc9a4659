"""A desk scans a code: the person is identified, a visit opened, and records shared with this hospital for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import audit, clock, outbox
from core.actor import Actor
from health_card import service as health_card
from records.refusals import DepartmentUnknown, VisitNotFound
from records.visits import closing, steps
from records.visits.closing import close_visit
from records.visits.codes import DEPARTMENTS
from records.visits.models import Visit, VisitStep

__all__ = [
    "CheckIn",
    "DisownedVisit",
    "ScanContext",
    "Step",
    "VisitContext",
    "VisitLine",
    "check_in",
    "close_visit",
    "disown_visit",
    "find_latest_visit_id",
    "get_check_in",
    "get_visit",
    "list_visits",
    "read_visits",
]

DISOWNED_TOPIC = "health_card.scan_disowned"


@dataclass(frozen=True)
class Step:
    """One scan of a visit. ``code_class``: D dynamic, S static ..."""

    at: datetime
    medical_step: str
    department: str
    code_class: str


@dataclass(frozen=True)
class CheckIn:
    """What the desk sees. ``access_until``: this hospital may see the records until then; None: it may not.

    :ivar medical_step: of the last scan, as is the department.
    :ivar is_new: the last scan opened the visit; otherwise it continued it.
    :ivar steps: the newest 50, the last one last.
    """

    visit_id: UUID
    person: health_card.Demographics
    patient_number: str | None
    medical_step: str
    department: str
    opened_at: datetime
    is_new: bool
    steps: list[Step]
    access_until: datetime | None
    closed_at: datetime | None
    disowned_at: datetime | None


@dataclass(frozen=True)
class VisitLine:
    """One line of a list of visits. ``name`` is masked; department and step are those of the last scan."""

    visit_id: UUID
    name: str
    kind: str
    department: str
    medical_step: str
    opened_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class DisownedVisit:
    """A visit of which the patient said that it was somebody else."""

    visit_id: UUID
    hospital_name: str
    opened_at: datetime
    disowned_at: datetime


@dataclass(frozen=True)
class VisitContext:
    """Whose visit it is, for those who may work on it."""

    visit_id: UUID
    person_id: UUID
    hospital_id: UUID
    kind: str
    department: str
    opened_at: datetime


@dataclass(frozen=True)
class ScanContext:
    """Where and for what a code is scanned (WS 364 codes; domain facts in ARCHITECTURE.md).

    ``new_visit``: open one, even where the scan would continue another.
    """

    terminal: str
    medical_step: str
    department: str
    visit_kind: str = "O"
    patient_number: str | None = None
    certificate_number: str | None = None
    new_visit: bool = False


def check_in(
    session: Session, actor: Actor, *, text: str, issuer: str, context: ScanContext, visit_days: int
) -> CheckIn:
    """Redeem a code at a desk, and open a visit or continue an open one (``steps.find_continued``).

    A dynamic code also opens the visit's treatment grant, or extends it. A static one, with the certificate number,
    only registers. The same terminal reading the same dynamic code again within 10 seconds gets the same visit. Of
    every other scan the person is told at once.

    :param visit_days: for how many days one registration counts.
    :raises DepartmentUnknown: no such department.
    :raises TerminalUnknown: not enrolled at the actor's hospital.
    :raises CodeRefused: see ``health_card.redeem_code``.
    :raises PatientNumberTaken: the number is another person's here.
    """
    if context.department not in DEPARTMENTS:
        raise DepartmentUnknown
    terminal_id = accounts.check_terminal(session, actor, code=context.terminal)
    found = health_card.redeem_code(
        session,
        actor,
        text=text,
        issuer=issuer,
        terminal_id=terminal_id,
        certificate_number=context.certificate_number,
    )
    if context.patient_number:
        health_card.bind_patient_number(session, actor, person_id=found.person_id, number=context.patient_number)
    visit = steps.find_by_redemption(session, found.redemption_id)
    if visit is None:
        visit = _enter_visit(session, actor, found, terminal_id, context, visit_days=visit_days)
        if found.kind == "D":
            consent.open_treatment_grant(session, actor, person_id=found.person_id, visit_id=visit.id)
    return _describe(session, actor, visit)


def get_check_in(session: Session, actor: Actor, *, visit_id: UUID) -> CheckIn:
    """What the desk was shown when it opened this visit, shown again.

    :raises VisitNotFound: no such visit at the actor's hospital.
    """
    visit = _load_visit(session, actor, visit_id)
    audit.record_act(session, actor, "records.visit.read", subject_id=visit.person_id, of=("visit", visit.id))
    return _describe(session, actor, visit)


def disown_visit(session: Session, actor: Actor, *, visit_id: UUID) -> DisownedVisit:
    """The patient says: that was not me. The visit is closed, its grants end, and every code shown so far is dead.

    The terminal is flagged and the desk sees it at the visit; whoever acts for the person is told. Saying it again
    changes nothing.

    :raises VisitNotFound: not of a person whom the actor may act for.
    """
    mine = select(Visit).where(Visit.id == visit_id, Visit.person_id.in_(health_card.held_person_ids(actor)))
    visit = session.scalars(mine.with_for_update(key_share=True)).one_or_none()
    if visit is None:
        raise VisitNotFound
    if visit.disowned_at is None:
        visit.disowned_at = clock.now()
        visit.closed_at = visit.closed_at or visit.disowned_at
        audit.record_act(session, actor, "records.visit.disowned", subject_id=visit.person_id, of=("visit", visit.id))
        consent.end_visit_grants(session, actor, visit_id=visit.id)
        health_card.end_codes(session, actor, person_id=visit.person_id)
        health_card.tell_person(
            session,
            person_id=visit.person_id,
            kind=health_card.NoticeKind.VISIT_DISOWNED,
            hospital_id=visit.hospital_id,
            of=("visit", visit.id),
        )
        outbox.announce(
            session,
            DISOWNED_TOPIC,
            {
                "visit_id": str(visit.id),
                # He has just been told of the last scan: that is the one he means.
                "terminal_id": str(steps.get_last_step(session, visit.id).terminal_id),
                "hospital_id": str(visit.hospital_id),
            },
            key=f"{DISOWNED_TOPIC}:{visit.id}",
        )
    hospital = accounts.get_hospital(session, visit.hospital_id)
    return DisownedVisit(visit.id, hospital.name, visit.opened_at, visit.disowned_at)


def get_visit(session: Session, actor: Actor, visit_id: UUID) -> VisitContext:
    """A visit at the actor's own hospital.

    :raises VisitNotFound: none such there.
    """
    visit = _load_visit(session, actor, visit_id)
    return VisitContext(visit.id, visit.person_id, visit.hospital_id, visit.kind, visit.department, visit.opened_at)


def find_latest_visit_id(session: Session, actor: Actor, *, person_id: UUID, at: datetime) -> UUID | None:
    """The visit at the actor's hospital under which something of this moment belongs: the last one opened before it.

    A result that names no visit of its own is filed under it, when the visit is at most 30 days older.
    """
    return session.scalar(
        select(Visit.id)
        .where(Visit.hospital_id == actor.hospital_id, Visit.opened_at <= at)
        .where(Visit.person_id.in_(health_card.same_person_ids(person_id)))
        .where(Visit.opened_at > at - timedelta(days=30))
        .order_by(Visit.opened_at.desc())
        .limit(1)
    )


def list_visits(
    session: Session, actor: Actor, *, is_open: bool = True, before: UUID | None = None, limit: int = 50
) -> list[VisitLine]:
    """The newest visits at the actor's hospital, open ones or closed ones, with masked names.

    :param before: the id of the last visit of the page before.
    """
    page = select(Visit).where(Visit.hospital_id == actor.hospital_id)
    page = page.where(Visit.closed_at.is_(None) if is_open else Visit.closed_at.is_not(None))
    if before is not None:
        last = select(Visit.opened_at, Visit.id).where(Visit.id == before)
        page = page.where(tuple_(Visit.opened_at, Visit.id) < last.scalar_subquery())
    visits = session.scalars(page.order_by(Visit.opened_at.desc(), Visit.id.desc()).limit(limit)).all()
    last_steps = steps.list_last_steps(session, [visit.id for visit in visits])
    return [
        VisitLine(
            visit_id=visit.id,
            name=health_card.get_demographics(session, visit.person_id).name,
            kind=visit.kind,
            department=last_steps[visit.id].department,
            medical_step=last_steps[visit.id].medical_step,
            opened_at=visit.opened_at,
            closed_at=visit.closed_at,
        )
        for visit in visits
    ]


def read_visits(
    session: Session, actor: Actor, *, is_open: bool = True, before: UUID | None = None, limit: int = 50
) -> list[VisitLine]:
    """As ``list_visits``, for another system: that it was read is recorded."""
    lines = list_visits(session, actor, is_open=is_open, before=before, limit=limit)
    audit.record_act(session, actor, "records.visit.listed", facts={"lines": len(lines)})
    return lines


def _load_visit(session: Session, actor: Actor, visit_id: UUID) -> Visit:
    mine = select(Visit).where(Visit.id == visit_id, Visit.hospital_id == actor.hospital_id)
    visit = session.scalars(mine).one_or_none()
    if visit is None:
        raise VisitNotFound
    return visit


def _describe(session: Session, actor: Actor, visit: Visit) -> CheckIn:
    scans = steps.list_steps(session, visit.id)
    return CheckIn(
        visit_id=visit.id,
        person=health_card.get_demographics(session, visit.person_id),
        patient_number=health_card.get_patient_number(session, actor, visit.person_id),
        medical_step=scans[-1].medical_step,
        department=scans[-1].department,
        opened_at=visit.opened_at,
        is_new=len(scans) == 1,
        steps=[Step(scan.at, scan.medical_step, scan.department, scan.code_class) for scan in scans],
        access_until=consent.find_access_until(session, actor, person_id=visit.person_id),
        closed_at=visit.closed_at,
        disowned_at=visit.disowned_at,
    )


def _enter_visit(
    session: Session,
    actor: Actor,
    found: health_card.Identified,
    terminal_id: UUID,
    context: ScanContext,
    *,
    visit_days: int,
) -> Visit:
    """The visit that this scan belongs to, with the scan recorded and the person told."""
    continued = None if context.new_visit else _find_continued(session, actor, found, context, visit_days)
    visit = continued or _open_visit(session, actor, found, terminal_id, context, visit_days=visit_days)
    facts = {"step": context.medical_step, "department": context.department}
    session.add(
        VisitStep(
            visit_id=visit.id,
            redemption_id=found.redemption_id,
            terminal_id=terminal_id,
            department=context.department,
            medical_step=context.medical_step,
            code_class=found.kind,
            staff_id=actor.id,
            at=clock.now(),
        )
    )
    audit.record_act(
        session,
        actor,
        "records.visit.continued" if continued else "records.visit.opened",
        subject_id=found.person_id,
        of=("visit", visit.id),
        facts=facts,
    )
    health_card.tell_person(
        session,
        person_id=found.person_id,
        kind=health_card.NoticeKind.IDENTIFIED,
        facts={"terminal": context.terminal, **facts},
        hospital_id=actor.house_id,
        of=("visit", visit.id),
    )
    return visit


def _find_continued(
    session: Session, actor: Actor, found: health_card.Identified, context: ScanContext, visit_days: int
) -> Visit | None:
    return steps.find_continued(
        session,
        actor,
        person_id=found.person_id,
        kind=context.visit_kind,
        department=context.department,
        medical_step=context.medical_step,
        visit_days=visit_days,
    )


def _open_visit(
    session: Session,
    actor: Actor,
    found: health_card.Identified,
    terminal_id: UUID,
    context: ScanContext,
    *,
    visit_days: int,
) -> Visit:
    visit = Visit(
        person_id=found.person_id,
        hospital_id=actor.house_id,
        terminal_id=terminal_id,
        kind=context.visit_kind,
        department=context.department,
        medical_step=context.medical_step,
        opened_by=actor.id,
        opened_at=clock.now(),
    )
    session.add(visit)
    session.flush()
    closing.announce_expiring(session, visit, visit_days=visit_days)
    return visit
