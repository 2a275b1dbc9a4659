"""A scan enters a visit: the open one that it continues, or one of its own. One statement decides and writes both."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from consent import service as consent
from consent.requests import service as requests
from core import audit, clock, statements
from core.actor import Actor, ActorKind
from core.ids import new_id
from health_card import service as health_card
from records.visits.closing import announce_expiring
from records.visits.steps import INPATIENT, NEWEST_STEPS, REGISTER
from records.visits.telling import DEPARTMENT_NOT_SAID

# At every scan, hence by hand; its parts belong to those who keep the tables. Whoever else holds a visit is about to
# end it: then it is not continued. A visit of today that a hospital's system told of without a department is the one
# that is registered now. Only visits of this very record count, not of one that it was merged with: taking the merge
# back must part them again.
_ENTER = statements.compose(
    """
WITH continued AS (
    SELECT id, opened_at FROM visits
    WHERE hospital_id = %(hospital_id)s AND person_id = %(person_id)s AND kind = %(kind)s AND closed_at IS NULL
        AND (kind = '{inpatient}' OR opened_at > %(living_since)s)
        AND (%(step)s <> '{register}' OR department = %(department)s OR (
            department = '{not_said}' AND (kind = '{inpatient}' OR opened_at >= %(today)s)
        ))
        AND (%(step)s <> '{register}' OR kind = '{inpatient}' OR opened_at >= %(registered_since)s)
        AND NOT %(new_visit)s
    ORDER BY department = %(department)s DESC, opened_at DESC, id DESC LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED
), adopted AS (
    UPDATE visits SET department = %(department)s
    WHERE id = (SELECT id FROM continued) AND department = '{not_said}' AND %(step)s = '{register}'
), opened AS (
    INSERT INTO visits (id, person_id, hospital_id, terminal_id, kind, department, medical_step, opened_by,
        opened_by_client_id, opened_at)
    SELECT %(visit_id)s, %(person_id)s, %(hospital_id)s, %(terminal_id)s, %(kind)s, %(department)s, %(step)s,
        %(staff_id)s::uuid, %(client_id)s::uuid, %(now)s
    WHERE NOT EXISTS (SELECT FROM continued)
    RETURNING id, opened_at
), visit AS (
    SELECT * FROM continued UNION ALL SELECT * FROM opened
), step AS (
    INSERT INTO visit_steps (id, visit_id, redemption_id, terminal_id, department, medical_step, code_class, staff_id,
        client_id, at)
    SELECT %(step_id)s, id, %(redemption_id)s::uuid, %(terminal_id)s, %(department)s, %(step)s, %(code_class)s,
        %(staff_id)s::uuid, %(client_id)s::uuid, %(now)s
    FROM visit
), granted AS ({grant}
), visitor AS ({visitor})
SELECT visit.id, visit.opened_at, ARRAY(
    SELECT jsonb_build_array(at, medical_step, department, code_class) FROM visit_steps WHERE visit_id = visit.id
    ORDER BY at DESC, visit_steps.id DESC LIMIT {steps_before}
), granted.id, granted.version, greatest(granted.expires_at, ({access_until})), visitor.*
FROM visit CROSS JOIN visitor LEFT JOIN granted ON true
""",
    inpatient=INPATIENT,
    register=REGISTER,
    not_said=DEPARTMENT_NOT_SAID,
    steps_before=NEWEST_STEPS - 1,
    grant=consent.OPEN_TREATMENT_GRANT,
    visitor=health_card.VISITOR,
    access_until=consent.ACCESS_UNTIL,
)


@dataclass(frozen=True)
class Step:
    """One scan of a visit. ``code_class``: D dynamic, S static ..."""

    at: datetime
    medical_step: str
    department: str
    code_class: str


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


@dataclass(frozen=True)
class EnteredVisit:
    """The visit of a scan, and what the desk is shown with it: see ``CheckIn``.

    ``asked_id``: the request to the phone, where the standing policy says to ask before anything is shared.
    """

    id: UUID
    opened_at: datetime
    is_new: bool
    steps: list[Step]
    access_until: datetime | None
    person: health_card.Demographics
    patient_number: str | None
    asked_id: UUID | None = None


def enter_visit(
    session: Session,
    actor: Actor,
    *,
    found: health_card.Identified,
    terminal_id: UUID,
    context: ScanContext,
    visit_days: int,
) -> EnteredVisit:
    """Record a scan under the open visit at the actor's hospital that it continues, or else under a new one.

    A registration continues a visit to the same department only, and on the days for which that one counts (the
    first is the day of opening), or one of this day whose department nobody has said, which has this one from now on;
    any other step continues one that has not run out, rather of its own department. An inpatient visit lasts until it
    is closed. A code that shares records also opens the visit's treatment grant, or extends it, within the person's
    standing policy. The person is told.

    :param found: whose code it was: further scans of the same record wait until this one has committed.
    :param visit_days: for how many days one registration counts.
    """
    now = clock.now()
    today = _city_midnight(now)
    asked = {
        "terminal_id": terminal_id,
        "now": now,
        "living_since": now - timedelta(days=visit_days),
        "today": today,
        "registered_since": today - timedelta(days=visit_days - 1),
        **_values(actor, found, context),
        **consent.treatment_grant(now, shares_records=found.shares_records),
    }
    row = statements.run(session, _ENTER, asked)
    assert row is not None
    entered_id, opened_at, earlier, grant_id, grant_version, access_until, *visitor = row
    this = Step(now, context.medical_step, context.department, found.kind)
    person, patient_number = health_card.show_visitor(session, visitor)
    entered = EnteredVisit(
        id=entered_id,
        opened_at=opened_at,
        is_new=entered_id == asked["visit_id"],
        steps=[*_read_steps(earlier), this],
        access_until=access_until,
        person=person,
        patient_number=patient_number,
    )
    if entered.is_new:
        announce_expiring(session, visit_id=entered.id, kind=context.visit_kind, opened_at=now, visit_days=visit_days)
    _record(session, actor, entered, found.person_id, context)
    if grant_id is not None:
        consent.record_treatment_grant(
            session, actor, person_id=found.person_id, grant_id=grant_id, version=grant_version
        )
    elif found.shares_records:
        return _share_otherwise(session, actor, entered, found.person_id, asked)
    return entered


def _share_otherwise(
    session: Session, actor: Actor, entered: EnteredVisit, person_id: UUID, asked: dict[str, Any]
) -> EnteredVisit:
    """The code opened nothing: the standing policy gives more than the visit's grant by now, or asks, or refuses."""
    until = consent.reopen_treatment_grant(
        session, actor, person_id=person_id, visit_id=entered.id, values={**asked, "shares_records": True}
    )
    if until is not None:
        return replace(entered, access_until=until)
    if entered.access_until is not None:
        return entered
    asked_id = requests.ask_visitor(
        session, actor, person_id=person_id, visit_id=entered.id, access_until=asked["shared_until"]
    )
    return replace(entered, asked_id=asked_id)


def _values(actor: Actor, found: health_card.Identified, context: ScanContext) -> dict[str, Any]:
    return {
        "visit_id": new_id(),
        "step_id": new_id(),
        "person_id": found.person_id,
        "redemption_id": found.redemption_id,
        "code_class": found.kind,
        "hospital_id": actor.house_id,
        "staff_id": actor.id if actor.kind is ActorKind.STAFF else None,
        "client_id": actor.id if actor.kind is ActorKind.MACHINE else None,
        "kind": context.visit_kind,
        "department": context.department,
        "step": context.medical_step,
        "new_visit": context.new_visit,
    }


def _record(session: Session, actor: Actor, entered: EnteredVisit, person_id: UUID, context: ScanContext) -> None:
    action = "records.visit.opened" if entered.is_new else "records.visit.continued"
    facts = {"step": context.medical_step, "department": context.department}
    audit.record_act(session, actor, action, subject_id=person_id, of=("visit", entered.id), facts=facts)
    health_card.tell_person(
        session,
        person_id=person_id,
        kind=health_card.NoticeKind.IDENTIFIED,
        facts={"terminal": context.terminal, **facts},
        hospital_id=actor.house_id,
        of=("visit", entered.id),
    )


def _read_steps(newest_first: list[list[Any]]) -> list[Step]:
    return [Step(datetime.fromisoformat(at), *codes) for at, *codes in reversed(newest_first)]


def _city_midnight(now: datetime) -> datetime:
    return clock.in_city(now).replace(hour=0, minute=0, second=0, microsecond=0)
