"""A desk scans a code: the person is identified, a visit opened, and records shared with this hospital for it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from consent.requests import service as requests
from core import audit
from core.actor import Actor
from health_card import service as health_card
from health_card.confirmation import service as confirmation
from records.refusals import DepartmentUnknown, VisitNotFound
from records.visits import steps
from records.visits.closing import close_visit
from records.visits.codes import DEPARTMENTS
from records.visits.disowning import DisownedVisit, disown_visit
from records.visits.entering import EnteredVisit, ScanContext, Step, enter_visit
from records.visits.finding import (
    LATEST,
    VisitContext,
    VisitLine,
    find_departments,
    find_latest_visit_id,
    find_open_visitor,
    get_visit,
    list_visits,
    load_visit,
    read_visits,
)
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
    "find_departments",
    "find_latest_visit_id",
    "find_numbered",
    "find_open_visitor",
    "find_unnamed",
    "get_check_in",
    "get_open_visitor",
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


@dataclass(frozen=True)
class CheckIn:
    """What the desk sees. ``access_until``: this hospital may see the records until then; None: it may not.

    :ivar medical_step: of the last scan, as is the department.
    :ivar is_new: the last scan opened the visit; otherwise it continued it.
    :ivar steps: the newest 50, the last one last.
    :ivar asked_id: the request that the code made to the phone, which has not been answered.
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
    asked_id: UUID | None = None

    @property
    def shares_records(self) -> bool:
        """Whether this hospital may see the records now."""
        return self.access_until is not None


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


def get_open_visitor(session: Session, actor: Actor, *, visit_id: UUID) -> UUID:
    """Whose open visit this is.

    :raises VisitNotFound: no open visit at the actor's hospital.
    """
    return _load_open_visit(session, actor, visit_id).person_id


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
    visit = load_visit(session, actor, visit_id)
    audit.record_act(session, actor, "records.visit.read", subject_id=visit.person_id, of=("visit", visit.id))
    return _describe(session, actor, visit, steps.list_steps(session, visit.id))


def ask_confirmation(session: Session, actor: Actor, *, visit_id: UUID, purpose: str) -> confirmation.AskedConfirmation:
    """Ask the patient of this visit to confirm on the phone that showed the code.

    :param purpose: records, account or credit.
    :raises VisitNotFound: no such visit at the actor's hospital.
    :raises ConfirmationNotPossible: the visit was opened with a static code.
    """
    visit = load_visit(session, actor, visit_id)
    redemption_id = steps.get_last_step(session, visit.id).redemption_id
    return confirmation.ask_confirmation(session, actor, redemption_id=redemption_id, purpose=purpose)


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


def _load_open_visit(session: Session, actor: Actor, visit_id: UUID) -> Visit:
    visit = load_visit(session, actor, visit_id)
    if visit.closed_at is not None:
        raise VisitNotFound
    return visit


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
        asked_id=entered.asked_id,
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
        asked_id=requests.find_waiting_code(session, actor, visit_id=visit.id),
    )
