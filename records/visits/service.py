"""A desk scans a code: the person is identified, a visit opened, and records shared with this hospital for it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from consent import service as consent
from core import audit, clock
from core.actor import Actor
from health_card import service as health_card
from health_card.confirmation import service as confirmation
from records.refusals import DepartmentUnknown, VisitNotFound
from records.visits import closing, steps
from records.visits.closing import close_visit
from records.visits.codes import DEPARTMENTS
from records.visits.disowning import DisownedVisit, disown_visit
from records.visits.models import Visit, VisitStep

__all__ = [
    "CheckIn",
    "DisownedVisit",
    "ScanContext",
    "Step",
    "VisitContext",
    "VisitLine",
    "ask_confirmation",
    "check_in",
    "close_visit",
    "disown_visit",
    "find_latest_visit_id",
    "get_check_in",
    "get_visit",
    "list_visits",
    "look_up_confirmed_visitor",
    "look_up_visitor",
    "read_visits",
]


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
    carrier_kind: health_card.CarrierKind | None = None
    carrier_number: str | None = None
    new_visit: bool = False


def check_in(
    session: Session,
    actor: Actor,
    *,
    text: str | None,
    issuer: str,
    terminal_id: UUID,
    context: ScanContext,
    visit_days: int,
) -> CheckIn:
    """Redeem a code at a desk, and open a visit or continue an open one (``steps.find_continued``).

    A dynamic code also opens the visit's treatment grant, or extends it. A static one, or another card that is bound
    to the person, only registers, with the certificate number. The same terminal reading the same dynamic code again
    within 10 seconds gets the same visit. Of every other scan the person is told at once.

    :param text: of the code; None: the context names a carrier.
    :param terminal_id: of the context's terminal, at the actor's hospital; checked.
    :param visit_days: for how many days one registration counts.
    :raises DepartmentUnknown: no such department.
    :raises CodeRefused: see ``health_card.redeem_code`` and ``health_card.identify_carrier``.
    :raises PatientNumberTaken: the number is another person's here.
    """
    if context.department not in DEPARTMENTS:
        raise DepartmentUnknown
    if text is None:
        found = _identify_by_carrier(session, actor, context)
    else:
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
    visit = steps.find_by_redemption(session, found.redemption_id) if found.is_reread else None
    if visit is not None:
        return _describe(session, actor, visit, steps.list_steps(session, visit.id))
    visit, scans = _enter_visit(session, actor, found, terminal_id, context, visit_days=visit_days)
    if found.shares_records:
        consent.open_treatment_grant(session, actor, person_id=found.person_id, visit_id=visit.id)
    return _describe(session, actor, visit, scans)


def look_up_visitor(session: Session, actor: Actor, *, visit_id: UUID) -> UUID:
    """Open a look-up of the person whose open visit this is: the desk goes on with corrections and cards.

    :returns: the look-up's id.
    :raises VisitNotFound: no open visit at the actor's hospital.
    """
    person_id = _load_open_visit(session, actor, visit_id).person_id
    return health_card.open_look_up(session, actor, person_id=person_id, way=health_card.Way.VISIT).id


def look_up_confirmed_visitor(session: Session, actor: Actor, *, visit_id: UUID) -> UUID:
    """As ``look_up_visitor``, of whoever confirmed at this visit, with PIN or tap: the desk of holders knows him by it.

    :returns: the look-up's id.
    :raises VisitNotFound: no open visit at the actor's hospital.
    :raises NotConfirmed, RegisterYourselfFirst: see ``health_card.open_confirmed_look_up``.
    """
    person_id = _load_open_visit(session, actor, visit_id).person_id
    return health_card.open_confirmed_look_up(session, actor, person_id=person_id).id


def get_check_in(session: Session, actor: Actor, *, visit_id: UUID) -> CheckIn:
    """What the desk was shown when it opened this visit, shown again.

    :raises VisitNotFound: no such visit at the actor's hospital.
    """
    visit = _load_visit(session, actor, visit_id)
    audit.record_act(session, actor, "records.visit.read", subject_id=visit.person_id, of=("visit", visit.id))
    return _describe(session, actor, visit, steps.list_steps(session, visit.id))


def ask_confirmation(session: Session, actor: Actor, *, visit_id: UUID, purpose: str) -> confirmation.AskedConfirmation:
    """Ask the patient of this visit to confirm on the phone that showed the code.

    :param purpose: records, account or credit.
    :raises VisitNotFound: no such visit at the actor's hospital.
    :raises ConfirmationNotPossible: the visit was opened with a static code.
    """
    visit = _load_visit(session, actor, visit_id)
    redemption_id = steps.get_last_step(session, visit.id).redemption_id
    return confirmation.ask_confirmation(session, actor, redemption_id=redemption_id, purpose=purpose)


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


def _identify_by_carrier(session: Session, actor: Actor, context: ScanContext) -> health_card.Identified:
    assert context.carrier_kind is not None
    assert context.carrier_number is not None
    return health_card.identify_carrier(
        session,
        actor,
        kind=context.carrier_kind,
        number=context.carrier_number,
        certificate_number=context.certificate_number,
    )


def _load_visit(session: Session, actor: Actor, visit_id: UUID) -> Visit:
    mine = select(Visit).where(Visit.id == visit_id, Visit.hospital_id == actor.hospital_id)
    visit = session.scalars(mine).one_or_none()
    if visit is None:
        raise VisitNotFound
    return visit


def _load_open_visit(session: Session, actor: Actor, visit_id: UUID) -> Visit:
    visit = _load_visit(session, actor, visit_id)
    if visit.closed_at is not None:
        raise VisitNotFound
    return visit


def _describe(session: Session, actor: Actor, visit: Visit, scans: list[VisitStep]) -> CheckIn:
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
) -> tuple[Visit, list[VisitStep]]:
    """The visit that this scan belongs to and its scans, with this one recorded and the person told."""
    continued = None if context.new_visit else _find_continued(session, actor, found, context, visit_days)
    visit = continued or _open_visit(session, actor, found, terminal_id, context, visit_days=visit_days)
    facts = {"step": context.medical_step, "department": context.department}
    step = VisitStep(
        visit_id=visit.id,
        redemption_id=found.redemption_id,
        terminal_id=terminal_id,
        department=context.department,
        medical_step=context.medical_step,
        code_class=found.kind,
        staff_id=actor.id,
        at=clock.now(),
    )
    session.add(step)
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
    return visit, steps.list_steps(session, visit.id) if continued else [step]


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
