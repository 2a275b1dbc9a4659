"""Taking a message's reports in: whose they are, which version, where they stand."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actor import Actor
from core.errors import Refusal
from core.ids import new_id
from health_card import service as health_card
from records.entries import service as entries
from records.entries.incoming import Target
from records.intake import service as intake
from records.intake.service import Arrival
from records.intake.subjects import Subject, match_person
from records.refusals import ReportNotFound, VisitNotFound
from records.reports.incoming import Incoming, IncomingReport
from records.reports.models import Observation, Report, ReportAttachment, ReportStatus
from records.reports.refusals import (
    MessageKeyReused,
    ReportOfAnotherPerson,
    ReportOutdated,
    ReportVersionDiffers,
    VisitNotMatched,
)
from records.reports.service.plain import report_lock
from records.reports.service.writing import OBSERVED, REPORTED, FiledReport, Filing, write_reports
from records.visits import service as visits
from records.visits.service import NumberedVisit


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
    """File all reports and entries of one message, or none of them.

    However often and however concurrently a message is sent, it is filed once and gets the same answer. A report
    whose identifier is known becomes the next version; the timeline shows it from the moment this commits.

    :param answer: makes the protocol's answer, given the reports in the order of ``incoming``, then its entries (their
        ids as ``report_id``).
    :returns: the answer; of a message that came before, the one it got then.
    :raises PersonNotMatched: the subject leads to nobody, or to more than one person.
    :raises PersonContradicts: it leads to a person of another name, sex or birth date.
    :raises VisitNotMatched: the visit named is not one of this person at the actor's hospital.
    :raises ReportOfAnotherPerson: the identifier belongs to another person's report.
    :raises ReportOutdated: a later version is filed already.
    :raises ReportNotFound: an update of what this hospital has not filed under this identifier.
    :raises ReportVersionDiffers: an update of another version than the current one.
    :raises MessageKeyReused: the message's id was used for other content. All but the two before keep the message in
        quarantine.
    :raises EntryNotFound: see ``entries.decide_entries``, which raises more.
    :raises MessageDismissed: the hospital has dismissed this very message.
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
    person_id, named_visit_id = match_subject(
        session, actor, incoming.subject, visit_id=incoming.visit_id, visit_number=incoming.visit_number
    )
    # In one order for everybody, so that two messages about the same reports wait instead of locking each other out.
    decisions = {
        report.identifier: _decide(session, actor, person_id, report)
        for report in sorted(incoming.reports, key=lambda report: report.identifier)
    }
    decided = entries.decide_entries(session, actor, person_id=person_id, entries=incoming.entries)
    filed = [decisions[report.identifier].filed for report in incoming.reports]
    reply = answer(filed + [FiledReport(entry.entry_id, entry.version, entry.is_new) for entry in decided])
    message_id = intake.keep_accepted(session, actor, arrival, person_id=person_id, reply=reply)
    filings = [
        _place(session, actor, decision, named_visit_id, (message_id, arrival.channel))
        for decision in decisions.values()
        if decision.filed.is_new
    ]
    write_reports(session, actor, filings)
    for entry in decided:
        if entry.is_new:
            named = entry.entry.encounter_ids, entry.entry.occurred_at
            under = named_visit_id or _find_visit(session, actor, person_id, *named)
            entries.write_entry(session, actor, entry, visit_id=under, message_id=message_id, channel=arrival.channel)
    return reply


def _place(
    session: Session, actor: Actor, decision: _Decision, visit_id: UUID | None, came_by: tuple[UUID, str]
) -> Filing:
    """Under the visit that the message names, or the last one before. Versions stand on the first one's record."""
    report = decision.report
    under = visit_id or _find_visit(session, actor, decision.person_id, report.encounter_ids, report.effective_at)
    return Filing(
        report_id=decision.filed.report_id,
        version=decision.filed.version,
        report=report,
        person_id=decision.person_id,
        visit_id=under,
        message_id=came_by[0],
        channel=came_by[1],
    )


def match_subject(
    session: Session, actor: Actor, subject: Subject, *, visit_id: UUID | None, visit_number: str | None
) -> tuple[UUID, UUID | None]:
    """Whom a message means, and under which visit it belongs when it names one that is known.

    :raises PersonNotMatched: the subject leads to nobody, or to more than one person.
    :raises PersonContradicts: it leads to a person of another name, sex or birth date.
    :raises VisitNotMatched: the visit named is not one of this person at the actor's hospital.
    """
    person_id = match_person(session, actor, subject)
    named = dict.fromkeys(_list_named(session, actor, visit_id, visit_number))
    if len(named) > 1:
        raise VisitNotMatched
    for found in named:
        if not health_card.is_same_person(session, found.person_id, person_id):
            raise VisitNotMatched
        return person_id, found.visit_id
    return person_id, None


def _list_named(
    session: Session, actor: Actor, visit_id: UUID | None, visit_number: str | None
) -> Iterator[NumberedVisit]:
    if visit_id is not None:
        try:
            visit = visits.get_visit(session, actor, visit_id)
        except VisitNotFound:
            raise VisitNotMatched from None
        yield NumberedVisit(visit.visit_id, visit.person_id)
    if visit_number is not None:
        yield from visits.find_numbered(session, actor, {visit_number}).values()


def _find_visit(
    session: Session, actor: Actor, person_id: UUID, encounter_ids: Iterable[UUID], at: datetime
) -> UUID | None:
    """The visit that is named among these encounters, else the latest."""
    for encounter_id in encounter_ids:
        try:
            visit = visits.get_visit(session, actor, encounter_id)
        except VisitNotFound:
            # An encounter that the hospital keeps itself, beside the visits that the platform saw.
            continue
        if health_card.is_same_person(session, visit.person_id, person_id):
            return encounter_id
    return visits.find_latest_visit_id(session, actor, person_id=person_id, at=at)


def _decide(session: Session, actor: Actor, person_id: UUID, report: IncomingReport) -> _Decision:
    """Which version of which report this is. Others with the same identifier wait until we have committed."""
    system, value = report.identifier
    lock = report_lock(actor, report.identifier)
    session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(lock, 0))))
    current = session.scalars(
        select(Report).where(
            Report.hospital_id == actor.house_id,
            Report.identifier_system == system,
            Report.identifier_value == value,
            Report.is_current,
        )
    ).one_or_none()
    if report.target is not None:
        _check_target(current, report.target)
    if current is None:
        return _Decision(FiledReport(new_id(), 1, True), report, person_id)
    if not health_card.is_same_person(session, current.person_id, person_id):
        raise ReportOfAnotherPerson
    if report.keeps_existing or _says_the_same(session, current, report):
        return _Decision(FiledReport(current.id, current.version, False), report, current.person_id)
    _check_not_outdated(current, report)
    return _Decision(FiledReport(current.id, current.version + 1, True), report, current.person_id)


def _check_target(current: Report | None, target: Target) -> None:
    if current is None or not target.is_of(current.id):
        raise ReportNotFound
    if current.version != target.version:
        raise ReportVersionDiffers


def _check_not_outdated(current: Report, report: IncomingReport) -> None:
    steps_back = report.status == ReportStatus.PRELIMINARY != current.status
    is_older = bool(report.issued_at and current.issued_at and report.issued_at < current.issued_at)
    if steps_back or is_older:
        raise ReportOutdated


def _says_the_same(session: Session, current: Report, report: IncomingReport) -> bool:
    if any(getattr(current, name) != getattr(report, name) for name in REPORTED):
        return False
    lines = session.execute(
        select(*(getattr(Observation, name) for name in OBSERVED))
        .where(Observation.report_id == current.id, Observation.report_version == current.version)
        .order_by(Observation.position)
    )
    # As text: 5.1 and 5.10 are equal numbers, but not the same result.
    if [_as_text(line) for line in lines] != [_as_text(vars(line).values()) for line in report.observations]:
        return False
    documents = session.execute(
        select(ReportAttachment.title, ReportAttachment.digest)
        .where(ReportAttachment.report_id == current.id, ReportAttachment.report_version == current.version)
        .order_by(ReportAttachment.number)
    )
    sent = [(document.title, hashlib.sha256(document.content).digest()) for document in report.attachments]
    return [tuple(document) for document in documents] == sent


def _as_text(fields: Iterable[object]) -> list[str]:
    return [f"{field:f}" if isinstance(field, Decimal) else str(field) for field in fields]
