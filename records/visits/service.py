"""A desk scans a code: the person is identified, a visit opened, and records shared with this hospital for it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core import audit, statements
from core.actor import Actor
from health_card import service as health_card
from health_card.confirmation import service as confirmation
from records.refusals import DepartmentUnknown, VisitNotFound
from records.visits import steps
from records.visits.closing import close_visit
from records.visits.codes import DEPARTMENTS
from records.visits.disowning import DisownedVisit, disown_visit
from records.visits.entering import EnteredVisit, ScanContext, Step, enter_visit
from records.visits.models import Visit, VisitStep
from records.visits.telling import (
    DEPARTMENT_NOT_SAID,
    NumberedVisit,
    find_numbered,
    find_unnamed,
    move_told,
    name_visit,
    open_told,
    wait_for_number,
)

__all__ = [
    "DEPARTMENT_NOT_SAID",
    "LATEST",
    "CheckIn",
    "DisownedVisit",
    "NumberedVisit",
    "ScanContext",
    "Step",
    "VisitContext",
    "VisitLine",
    "ask_confirmation",
    "check_in",
    "close_visit",
    "disown_visit",
    "find_latest_visit_id",
    "find_numbered",
    "find_unnamed",
    "get_check_in",
    "get_visit",
    "list_visits",
    "look_up_confirmed_visitor",
    "look_up_visitor",
    "move_told",
    "name_visit",
    "open_told",
    "open_verified",
    "read_visits",
    "wait_for_number",
]


# As ``find_latest_visit_id``, for many at once. ``{moments}``: a query of ``person_id``, ``at`` and whatever else is to
# stand beside the ``visit_id``; moments without such a visit are missing. ``hospital_id``: the actor's.
LATEST = statements.compose(
    """
SELECT asked.*, last.id AS visit_id
FROM ({moments}) asked
    CROSS JOIN LATERAL (
        SELECT id FROM visits
        WHERE hospital_id = %(hospital_id)s AND person_id IN ({same_person_ids}) AND opened_at <= asked.at
            AND opened_at > asked.at - interval '30 days'
        ORDER BY opened_at DESC LIMIT 1
    ) last
""",
    same_person_ids=health_card.SAME_PERSON_IDS.format("asked.person_id"),
    moments="{moments}",
)


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
    """Redeem a code at a desk, and open a visit or continue an open one (``enter_visit``).

    A dynamic code also opens the visit's treatment grant, or extends it. A static one, or another card that is bound
    to the person, only registers, with the certificate number. The same terminal reading the same dynamic code again
    within 10 seconds gets the same visit. Of every other scan the person is told at once.

    :param text: of the code; None: the context names a carrier.
    :param terminal_id: of the context's terminal, at the actor's hospital; checked, and for its department.
    :param visit_days: for how many days one registration counts.
    :raises DepartmentUnknown: no such department.
    :raises CodeRefused: see ``health_card.redeem_code`` and ``health_card.identify_carrier``.
    :raises PatientNumberTaken: the number is another person's here.
    """
    _check_department(context.department)
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
    entered = enter_visit(session, actor, found=found, terminal_id=terminal_id, context=context, visit_days=visit_days)
    return _describe_entered(entered)


def open_verified(
    session: Session,
    actor: Actor,
    *,
    found: health_card.Identified,
    terminal_id: UUID,
    terminal: str,
    medical_step: str,
    department: str,
    visit_days: int,
) -> UUID:
    """The second half of ``check_in``, for a hospital's own system that has redeemed the code by another interface.

    That interface does not say of which kind a visit is: it is an outpatient one.

    :returns: the id of the visit that was opened or continued.
    :raises DepartmentNotHere: the hospital has departments of its own, and this is none of them.
    :raises DepartmentUnknown: no such department.
    """
    accounts.check_department(session, actor, code=department)
    _check_department(department)
    visit = steps.find_by_redemption(session, found.redemption_id) if found.is_reread else None
    if visit is not None:
        return visit.id
    context = ScanContext(terminal=terminal, medical_step=medical_step, department=department)
    return enter_visit(session, actor, found=found, terminal_id=terminal_id, context=context, visit_days=visit_days).id


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
    return _context(_load_visit(session, actor, visit_id))


def find_departments(session: Session, visit_ids: Collection[UUID]) -> dict[UUID, str]:
    """The standard codes of the departments that opened these visits."""
    asked = select(Visit.id, Visit.department).where(Visit.id.in_(visit_ids))
    return dict(session.execute(asked).tuples().all()) if visit_ids else {}


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


def _check_department(department: str) -> None:
    if department not in DEPARTMENTS:
        raise DepartmentUnknown


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


def _context(visit: Visit) -> VisitContext:
    return VisitContext(visit.id, visit.person_id, visit.hospital_id, visit.kind, visit.department, visit.opened_at)


def _describe_entered(entered: EnteredVisit) -> CheckIn:
    last = entered.steps[-1]
    return CheckIn(
        visit_id=entered.id,
        person=entered.person,
        patient_number=entered.patient_number,
        medical_step=last.medical_step,
        department=last.department,
        opened_at=entered.opened_at,
        is_new=entered.is_new,
        steps=entered.steps,
        access_until=entered.access_until,
        closed_at=None,
        disowned_at=None,
    )


def _describe(session: Session, actor: Actor, visit: Visit, scans: list[VisitStep]) -> CheckIn:
    person, patient_number = health_card.get_visitor(session, actor, visit.person_id)
    return CheckIn(
        visit_id=visit.id,
        person=person,
        patient_number=patient_number,
        medical_step=scans[-1].medical_step,
        department=scans[-1].department,
        opened_at=visit.opened_at,
        is_new=len(scans) == 1,
        steps=[Step(scan.at, scan.medical_step, scan.department, scan.code_class) for scan in scans],
        access_until=consent.find_access_until(session, actor, person_id=visit.person_id),
        closed_at=visit.closed_at,
        disowned_at=visit.disowned_at,
    )
