"""What an update leaves out because it is filed already."""

from dataclasses import replace

from sqlalchemy.orm import Session

from core.actor import Actor
from records.entries.incoming import Target
from records.fhir import systems
from records.fhir.diagnostics import Draft
from records.fhir.refusals import FhirContentUnsupported, FhirInvalid
from records.refusals import ReportNotFound
from records.reports import service as reports
from records.reports.incoming import MOST_OBSERVATIONS, IncomingObservation, IncomingReport
from records.reports.models import ObservationStatus, ReportStatus

_CORRECTING = {ObservationStatus.CORRECTED, ObservationStatus.CANCELLED, ObservationStatus.WITHDRAWN}
# One line neither completes a report nor brings a cancelled one back.
_LASTING = {ReportStatus.PRELIMINARY, ReportStatus.CANCELLED}


def complete_report(session: Session, actor: Actor, draft: Draft) -> IncomingReport:
    """The whole report that a draft means: with the results that it takes over, or with the one that it changes.

    Whoever files another version before this one is filed is met there: the draft gets a target.

    :raises ReportNotFound: an update of what the actor's hospital has not filed.
    :raises FhirContentUnsupported: it takes over another report's result, or would lose a document.
    """
    if draft.line:
        return _change_line(session, actor, draft)
    if not draft.carried:
        return draft.report
    ids = {one.report_id for one in draft.carried}
    if len(ids) > 1:
        raise FhirContentUnsupported(("DiagnosticReport.result", "Results of another report cannot be taken over."))
    sent = reports.get_sent(session, actor, report_id=ids.pop())
    if sent.report.identifier != draft.report.identifier:
        raise FhirContentUnsupported(("DiagnosticReport.result", "Results of another report cannot be taken over."))
    _check_kept_whole(sent)
    lines = list(draft.report.observations)
    for one in draft.carried:
        lines.insert(one.place, _line(sent, one.position))
    if len(lines) > MOST_OBSERVATIONS:
        raise FhirInvalid(("DiagnosticReport.result", f"More than {MOST_OBSERVATIONS} Observations and components."))
    target = draft.report.target or Target(sent.report_id, sent.version)
    return replace(draft.report, observations=tuple(lines), target=target)


def _change_line(session: Session, actor: Actor, draft: Draft) -> IncomingReport:
    """The filed report with one line as an Observation now says it; of one that came alone, all that it says."""
    changed, target = draft.report, draft.report.target
    assert target is not None
    assert target.id is not None
    sent = reports.get_sent(session, actor, report_id=target.id)
    _check_kept_whole(sent)
    filed, (line, *more) = sent.report, changed.observations
    _line(sent, draft.line)
    is_alone = filed.identifier[0].startswith(systems.ALONE)
    if is_alone and filed.identifier != changed.identifier:
        raise FhirInvalid(("Observation.identifier", "The identifier under which it was filed is expected."))
    if more and not (is_alone and draft.line == 1):
        raise FhirContentUnsupported(
            ("Observation.component", "One line of a report is changed; it has no components.")
        )
    if is_alone and (more or len(filed.observations) == 1):
        return changed
    lines = list(filed.observations)
    lines[draft.line - 1] = line
    return replace(
        filed,
        observations=tuple(lines),
        status=_status_after(filed, line),
        issued_at=changed.issued_at or filed.issued_at,
        target=target,
    )


def _status_after(filed: IncomingReport, line: IncomingObservation) -> str:
    """What a changed line makes of its report."""
    if filed.status in _LASTING:
        return filed.status
    return (ReportStatus.CORRECTED if line.status in _CORRECTING else ReportStatus.AMENDED).value


def _line(sent: reports.SentReport, position: int) -> IncomingObservation:
    if position > len(sent.report.observations):
        raise ReportNotFound
    return sent.report.observations[position - 1]


def _check_kept_whole(sent: reports.SentReport) -> None:
    if sent.has_attachments:
        raise FhirContentUnsupported(
            (
                "DiagnosticReport.result",
                "The report holds documents, which came by another way; send it that way again.",
            )
        )
