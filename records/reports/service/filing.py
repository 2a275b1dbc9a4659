"""Taking a message's reports in: whose they are, which version, where they stand."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from core import audit, clock, outbox
from core.actor import Actor
from core.errors import Refusal
from core.ids import new_id
from health_card import service as health_card
from records.intake import service as intake
from records.intake.service import Arrival
from records.refusals import PersonNotMatched, VisitNotFound
from records.reports.incoming import Incoming, IncomingObservation, IncomingReport, Subject
from records.reports.models import Observation, Report, ReportStatus
from records.reports.refusals import MessageKeyReused, ReportOfAnotherPerson, ReportOutdated, VisitNotMatched
from records.timeline import service as timeline
from records.timeline.service import Placement
from records.visits import service as visits

# A version of a report stands on the timeline: ``report_id``, ``version``.
FILED_TOPIC = "records.report_filed"

_OBSERVED = tuple(IncomingObservation.__dataclass_fields__)
_REPORTED = ("status", "category", "code", "code_system", "name", "effective_at", "issued_at", "conclusion")


@dataclass(frozen=True)
class FiledReport:
    """Where a report ended up. ``is_new``: False when it only repeats the version that is current already."""

    report_id: UUID
    version: int
    is_new: bool


@dataclass(frozen=True)
class _Decision:
    """``person_id``: all versions of a report hang on the record that its first version came through."""

    filed: FiledReport
    report: IncomingReport
    person_id: UUID


def file_reports(
    session: Session,
    actor: Actor,
    *,
    incoming: Incoming,
    arrival: Arrival,
    answer: Callable[[list[FiledReport]], str],
) -> str:
    """File all reports of one message, or none of them.

    However often and however concurrently a message is sent, it is filed once and gets the same answer. A report
    whose identifier is known becomes the next version; the timeline shows it from the moment this commits.

    :param answer: makes the protocol's answer, given the reports in the order of ``incoming``.
    :returns: the answer; of a message that came before, the one it got then.
    :raises PersonNotMatched: the subject leads to nobody, or to more than one person.
    :raises VisitNotMatched: the visit named is not one of this person at the actor's hospital.
    :raises ReportOfAnotherPerson: the identifier belongs to another person's report.
    :raises ReportOutdated: a later version is filed already.
    :raises MessageKeyReused: the message's id was used for other content. All of these keep the message in quarantine.
    """
    try:
        return _file_once(session, actor, incoming, arrival, answer)
    except Refusal as refusal:
        # Whatever can be refused is refused before the first write: nothing but this row is kept.
        if refusal.keeps_changes:
            intake.quarantine(session, actor, arrival, reason=refusal.code)
        raise


def _file_once(
    session: Session,
    actor: Actor,
    incoming: Incoming,
    arrival: Arrival,
    answer: Callable[[list[FiledReport]], str],
) -> str:
    earlier = intake.find_repeat(session, actor, arrival)
    if earlier is not None:
        if not intake.is_same_content(earlier, arrival) or earlier.reply is None:
            raise MessageKeyReused
        return earlier.reply
    person_id = _match_person(session, actor, incoming.subject)
    _check_visit(session, actor, person_id, incoming.visit_id)
    # In one order for everybody, so that two messages about the same reports wait instead of locking each other out.
    decisions = {
        report.identifier: _decide(session, actor, person_id, report)
        for report in sorted(incoming.reports, key=lambda report: report.identifier)
    }
    reply = answer([decisions[report.identifier].filed for report in incoming.reports])
    message_id = intake.keep_accepted(session, actor, arrival, person_id=person_id, reply=reply)
    for decision in decisions.values():
        if decision.filed.is_new:
            visit_id = incoming.visit_id or visits.find_latest_visit_id(
                session, actor, person_id=person_id, at=decision.report.effective_at
            )
            _write(session, actor, decision, (visit_id, message_id), arrival.channel)
    return reply


def _match_person(session: Session, actor: Actor, subject: Subject) -> UUID:
    found = [health_card.find_person(session, actor, card_number=number) for number in subject.card_numbers]
    found += [health_card.find_person(session, actor, patient_number=number) for number in subject.patient_numbers]
    found += [health_card.find_person(session, actor, certificate=certificate) for certificate in subject.certificates]
    # An identifier that leads to nobody counts as a contradiction: better asked about than filed on half the proof.
    if not found or None in found:
        raise PersonNotMatched
    first, *others = [person_id for person_id in found if person_id is not None]
    if not all(health_card.is_same_person(session, first, other) for other in others):
        raise PersonNotMatched
    return first


def _check_visit(session: Session, actor: Actor, person_id: UUID, visit_id: UUID | None) -> None:
    if visit_id is None:
        return
    try:
        visit = visits.get_visit(session, actor, visit_id)
    except VisitNotFound:
        raise VisitNotMatched from None
    if not health_card.is_same_person(session, visit.person_id, person_id):
        raise VisitNotMatched


def _decide(session: Session, actor: Actor, person_id: UUID, report: IncomingReport) -> _Decision:
    """Which version of which report this is. Others with the same identifier wait until we have committed."""
    system, value = report.identifier
    lock = f"report/{actor.house_id}/{system}/{value}"
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(lock, 0))))
    current = session.scalars(
        select(Report).where(
            Report.hospital_id == actor.house_id,
            Report.identifier_system == system,
            Report.identifier_value == value,
            Report.is_current,
        )
    ).one_or_none()
    if current is None:
        return _Decision(FiledReport(new_id(), 1, True), report, person_id)
    if not health_card.is_same_person(session, current.person_id, person_id):
        raise ReportOfAnotherPerson
    if _says_the_same(session, current, report):
        return _Decision(FiledReport(current.id, current.version, False), report, current.person_id)
    _check_not_outdated(current, report)
    return _Decision(FiledReport(current.id, current.version + 1, True), report, current.person_id)


def _check_not_outdated(current: Report, report: IncomingReport) -> None:
    steps_back = report.status == ReportStatus.PRELIMINARY != current.status
    is_older = bool(report.issued_at and current.issued_at and report.issued_at < current.issued_at)
    if steps_back or is_older:
        raise ReportOutdated


def _says_the_same(session: Session, current: Report, report: IncomingReport) -> bool:
    if any(getattr(current, name) != getattr(report, name) for name in _REPORTED):
        return False
    lines = session.execute(
        select(*(getattr(Observation, name) for name in _OBSERVED))
        .where(Observation.report_id == current.id, Observation.report_version == current.version)
        .order_by(Observation.position)
    )
    # As text: 5.1 and 5.10 are equal numbers, but not the same result.
    return [_as_text(line) for line in lines] == [_as_text(vars(line).values()) for line in report.observations]


def _as_text(fields: Iterable[object]) -> list[str]:
    return [f"{field:f}" if isinstance(field, Decimal) else str(field) for field in fields]


def _write(
    session: Session, actor: Actor, decision: _Decision, belongs_to: tuple[UUID | None, UUID], channel: str
) -> None:
    filed, report, person_id = decision.filed, decision.report, decision.person_id
    visit_id, message_id = belongs_to
    session.execute(
        update(Report).where(Report.id == filed.report_id, Report.is_current).values(is_current=False),
        execution_options={"synchronize_session": False},
    )
    row = {name: getattr(report, name) for name in _REPORTED} | {
        "id": filed.report_id,
        "version": filed.version,
        "is_current": True,
        "hospital_id": actor.house_id,
        "person_id": person_id,
        "visit_id": visit_id,
        "inbound_message_id": message_id,
        "identifier_system": report.identifier[0],
        "identifier_value": report.identifier[1],
        "channel": channel,
        "filed_at": clock.now(),
    }
    session.execute(insert(Report).values(row))
    _write_observations(session, filed, report.observations)
    timeline.place_entry(
        session,
        Placement(
            person_id=person_id,
            hospital_id=actor.house_id,
            visit_id=visit_id,
            object_kind="report",
            object_id=filed.report_id,
            category=report.category,
            title=report.name,
            status=report.status,
            occurred_at=report.effective_at,
        ),
    )
    audit.record_act(
        session,
        actor,
        "records.report.filed",
        subject_id=person_id,
        of=("report", filed.report_id),
        facts={"version": filed.version, "status": report.status, "category": report.category},
    )
    outbox.announce(session, FILED_TOPIC, {"report_id": str(filed.report_id), "version": filed.version}, wakes=False)


def _write_observations(session: Session, filed: FiledReport, observations: tuple[IncomingObservation, ...]) -> None:
    if not observations:
        return
    key = {"report_id": filed.report_id, "report_version": filed.version}
    lines = [key | {"position": position} | vars(line) for position, line in enumerate(observations, start=1)]
    session.execute(insert(Observation), lines)
