"""Visits of which a hospital's system tells: begun, changed, ended."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from core import clock
from core.actor import Actor
from health_card import service as health_card
from records.intake.subjects import Subject, check_agrees, match_person
from records.refusals import PersonNotMatched, VisitNotFound
from records.reports.refusals import VisitNotMatched
from records.visits import service as visits

_BINDING = "health_card:patient_number:bind"


@dataclass(frozen=True)
class Told:
    """What a message says of a visit.

    :ivar visit_id: the platform's; ``visit_number``: the hospital's own.
    :ivar kind: I inpatient, O outpatient, E emergency, H check-up, T other.
    :ivar department: of the national list; None: not said by it.
    """

    subject: Subject
    visit_id: UUID | None
    visit_number: str | None
    kind: str
    department: str | None
    at: datetime | None


def open_visit(session: Session, actor: Actor, *, told: Told, visit_days: int) -> UUID:
    """A visit has begun: open it, or name the one that a desk opened by a scan. Said again, it changes nothing.

    :returns: whose it is.
    :raises PersonNotMatched: the message leads to no registered person, or to several.
    :raises PersonContradicts: it leads to somebody of another name, sex or birth date.
    :raises VisitNotMatched: the number or id is another person's visit.
    """
    person_id, numbers = _match(session, actor, told)
    if told.visit_number:
        visits.wait_for_number(session, actor, told.visit_number)
    # A desk that scans this patient at this moment finds what we open, or we what it opens.
    health_card.take_turn(session, person_id)
    visit_id = _find_visit(session, actor, told, person_id)
    _bind(session, actor, person_id, numbers)
    if visit_id is not None:
        return person_id
    visit_id = told.visit_id or visits.find_unnamed(session, actor, person_id=person_id, kind=told.kind)
    if visit_id is None:
        visit_id = visits.open_told(
            session,
            actor,
            person_id=person_id,
            kind=told.kind,
            department=told.department or visits.DEPARTMENT_NOT_SAID,
            at=told.at or clock.now(),
            visit_days=visit_days,
        )
    if told.visit_number:
        visits.name_visit(session, actor, visit_id=visit_id, number=told.visit_number)
    return person_id


def change_visit(session: Session, actor: Actor, *, told: Told) -> UUID:
    """Something about the patient or the visit has changed: a number of the patient's is bound, the department noted.

    Name, sex and birth date are compared, never taken over. Of a visit that nobody knows nothing is noted.

    :returns: whose it is; raises as ``open_visit`` does.
    """
    person_id, numbers = _match(session, actor, told)
    visit_id = _find_visit(session, actor, told, person_id) or told.visit_id
    _bind(session, actor, person_id, numbers)
    if visit_id is not None and told.department is not None:
        visits.move_told(session, actor, visit_id=visit_id, department=told.department)
    return person_id


def end_visit(session: Session, actor: Actor, *, told: Told) -> UUID:
    """The patient has left: the visit is closed, and what was shared for it ends.

    :returns: whose it is.
    :raises VisitNotMatched: none such of this person is known; also as ``open_visit``.
    """
    person_id, numbers = _match(session, actor, told)
    visit_id = _find_visit(session, actor, told, person_id) or told.visit_id
    if visit_id is None:
        raise VisitNotMatched
    _bind(session, actor, person_id, numbers)
    visits.close_visit(session, actor, visit_id=visit_id, reason="told")
    return person_id


def _match(session: Session, actor: Actor, told: Told) -> tuple[UUID, list[str]]:
    """Whom a message means, and the numbers by which the hospital knows this person from now on.

    A number that leads to nobody is a new one when card or certificate lead to the person; by itself it proves nothing.
    """
    subject = told.subject
    if subject.assigned:
        return match_person(session, actor, subject), []
    proven = [health_card.find_person(session, actor, card_number=number) for number in subject.card_numbers]
    proven += [health_card.find_person(session, actor, certificate=one) for one in subject.certificates]
    numbered = {
        number: health_card.find_person(session, actor, patient_number=number) for number in subject.patient_numbers
    }
    new = [number for number, person_id in numbered.items() if person_id is None]
    found = [person_id for person_id in (*proven, *numbered.values()) if person_id is not None]
    if not found or None in proven or (new and not (proven and actor.can(_BINDING))):
        raise PersonNotMatched
    if not all(health_card.is_same_person(session, found[0], other) for other in found[1:]):
        raise PersonNotMatched
    check_agrees(session, found[0], subject)
    return found[0], new


def _bind(session: Session, actor: Actor, person_id: UUID, numbers: list[str]) -> None:
    """A person has one number at a hospital; a second one comes by a merge, so two new ones contradict."""
    if not numbers:
        return
    if len(numbers) > 1 or health_card.get_patient_number(session, actor, person_id) is not None:
        raise PersonNotMatched
    health_card.bind_patient_number(session, actor, person_id=person_id, number=numbers[0])


def _find_visit(session: Session, actor: Actor, told: Told, person_id: UUID) -> UUID | None:
    """The visit of the hospital's number; what the platform's id names is checked with it."""
    named = visits.find_numbered(session, actor, {told.visit_number} if told.visit_number else set())
    found = [(visit.visit_id, visit.person_id) for visit in named.values()]
    if told.visit_id is not None:
        try:
            visit = visits.get_visit(session, actor, told.visit_id)
        except VisitNotFound:
            raise VisitNotMatched from None
        found.append((told.visit_id, visit.person_id))
    if any(not health_card.is_same_person(session, owner, person_id) for _, owner in found):
        raise VisitNotMatched
    if len({visit_id for visit_id, _ in found}) > 1:
        raise VisitNotMatched
    return next(iter(named.values())).visit_id if named else None
