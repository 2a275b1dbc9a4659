"""What an update leaves out because it is filed already."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from accounts import service as accounts
from core.actor import Actor
from records.entries.incoming import Target
from records.fhir import systems
from records.fhir.diagnostics import Draft
from records.fhir.ordering import keep_bases, name_requests
from records.fhir.refusals import FhirContentUnsupported, FhirInvalid
from records.refusals import ReportNotFound
from records.reports import service as reports
from records.reports.authors import Author, keep_authors, list_authors
from records.reports.incoming import MOST_OBSERVATIONS, IncomingObservation, IncomingReport
from records.reports.models import ObservationStatus, ReportStatus

_CORRECTING = {ObservationStatus.CORRECTED, ObservationStatus.CANCELLED, ObservationStatus.WITHDRAWN}
# One line neither completes a report nor brings a cancelled one back.
_LASTING = {ReportStatus.PRELIMINARY, ReportStatus.CANCELLED}


@dataclass(frozen=True)
class Completed:
    """A report that can be filed.

    :ivar grown: where among the lines, as the draft counts them from 0, a result was taken over, and how many
        components it brought.
    """

    report: IncomingReport
    grown: tuple[tuple[int, int], ...] = ()

    def find_line(self, line: int) -> int:
        """The number of a line, from 1, of which the draft thought as this one."""
        return line + sum(more for place, more in self.grown if place < line - 1)


def name_staff(session: Session, actor: Actor, drafts: Sequence[Draft]) -> list[Draft]:
    """Those who made the reports, by the names that the sender's staff has here; who is none of it stays as said."""
    named = {UUID(one.staff_id) for draft in drafts for one in list_authors(draft.report.authors) if one.staff_id}
    if not named:
        return list(drafts)
    found = accounts.list_practitioners(session, hospital_id=actor.house_id, ids=named, limit=len(named))
    names = {str(one.id): one.name for one in found}
    return [
        replace(draft, report=replace(draft.report, authors=_named(draft.report.authors, names))) for draft in drafts
    ]


def name_orders(session: Session, actor: Actor, drafts: Sequence[Draft]) -> list[Draft]:
    """The orders that the reports answer, by the names that their hospital gave them."""
    if not any(draft.bases for draft in drafts):
        return list(drafts)
    found = name_requests(session, actor, [draft.bases for draft in drafts])
    return [
        replace(draft, bases=bases, report=replace(draft.report, based_on=keep_bases(bases)))
        for draft, bases in zip(drafts, found, strict=True)
    ]


def complete_report(session: Session, actor: Actor, draft: Draft) -> Completed:
    """The whole report that a draft means: with the results that it takes over, or with the one that it changes.

    Whoever files another version before this one is filed is met there: the draft gets a target.

    :raises ReportNotFound: an update of what the actor's hospital has not filed.
    :raises FhirContentUnsupported: it takes over another report's result, or would lose a document.
    """
    if draft.line:
        return Completed(_change_line(session, actor, draft))
    if not draft.carried:
        return Completed(draft.report)
    ids = {one.report_id for one in draft.carried}
    if len(ids) > 1:
        raise FhirContentUnsupported(("DiagnosticReport.result", "Results of another report cannot be taken over."))
    sent = reports.get_sent(session, actor, report_id=ids.pop())
    if sent.report.identifier != draft.report.identifier:
        raise FhirContentUnsupported(("DiagnosticReport.result", "Results of another report cannot be taken over."))
    _check_kept_whole(sent)
    lines = list(draft.report.observations)
    grown: list[tuple[int, int]] = []
    moved: dict[int, int] = {}
    for one in draft.carried:
        at, taken = one.place + sum(more for _, more in grown), _lines(sent, one.position)
        lines[at:at] = taken
        moved[one.position] = at + 1
        grown.append((one.place, len(taken) - 1))
    if len(lines) > MOST_OBSERVATIONS:
        raise FhirInvalid(("DiagnosticReport.result", f"More than {MOST_OBSERVATIONS} Observations and components."))
    target = draft.report.target or Target(sent.report_id, sent.version)
    completed = Completed(replace(draft.report, observations=tuple(lines), target=target), tuple(grown))
    authors = [*_moved(draft.report.authors, completed), *_taken_over(sent.report.authors, moved)]
    return replace(completed, report=replace(completed.report, authors=keep_authors(authors, _positions(lines))))


def _change_line(session: Session, actor: Actor, draft: Draft) -> IncomingReport:
    """The filed report with one line as an Observation now says it; of one that came alone, all that it says."""
    changed, target = draft.report, draft.report.target
    assert target is not None
    assert target.id is not None
    sent = reports.get_sent(session, actor, report_id=target.id)
    _check_kept_whole(sent)
    filed, size = sent.report, len(_lines(sent, draft.line))
    is_alone = filed.identifier[0].startswith(systems.ALONE)
    if is_alone and filed.identifier != changed.identifier:
        raise FhirInvalid(("Observation.identifier", "The identifier under which it was filed is expected."))
    if is_alone and draft.line == 1 and (size == len(filed.observations) or len(changed.observations) > 1):
        return changed
    if len(changed.observations) != size:
        # The numbers of the other results of the report, by which they are read, stay what they are.
        raise FhirContentUnsupported(
            ("Observation.component", "As many components as the result has are expected; else send the whole report.")
        )
    lines = list(filed.observations)
    lines[draft.line - 1 : draft.line - 1 + size] = changed.observations
    return replace(
        filed,
        observations=tuple(lines),
        status=_status_after(filed, changed.observations[0]),
        issued_at=changed.issued_at or filed.issued_at,
        target=target,
        authors=keep_authors(_changed_authors(filed, changed, draft.line), _positions(lines)),
        based_on=_join_orders(filed.based_on, changed.based_on),
    )


def _join_orders(
    filed: list[dict[str, str]] | None, changed: list[dict[str, str]] | None
) -> list[dict[str, str]] | None:
    """Those of a report, and those that a result names now."""
    known = filed or []
    return [*known, *(one for one in changed or () if one not in known)] or None


def _positions(lines: Sequence[IncomingObservation]) -> list[int]:
    """Those of the results, without their components."""
    return [position for position, line in enumerate(lines, start=1) if line.component_count != 0]


def _moved(kept: dict[str, Any] | None, completed: Completed) -> Iterator[Author]:
    """Those of a draft, with the results that they made where these now stand."""
    for author in list_authors(kept):
        lines = author.lines and tuple(completed.find_line(line) for line in author.lines)
        yield replace(author, lines=lines)


def _taken_over(kept: dict[str, Any] | None, moved: Mapping[int, int]) -> Iterator[Author]:
    """Who made the results that are taken over, by where these stood and now stand."""
    for author in list_authors(kept):
        lines = tuple(new for old, new in moved.items() if author.made(old))
        if lines:
            yield replace(author, lines=lines)


def _changed_authors(filed: IncomingReport, changed: IncomingReport, line: int) -> Iterator[Author]:
    """Those of a report after one result was said anew: it is of whom it names now."""
    others = [position for position in _positions(filed.observations) if position != line]
    for author in list_authors(filed.authors):
        yield replace(author, lines=tuple(position for position in others if author.made(position)) or None)
    for author in list_authors(changed.authors):
        yield replace(author, lines=(line,))


def _named(kept: dict[str, Any] | None, names: Mapping[str, str]) -> dict[str, Any] | None:
    """As kept, with staff by their names."""
    found = []
    for author in list_authors(kept):
        if author.staff_id and author.staff_id in names:
            found.append(replace(author, name=names[author.staff_id]))
        elif author.staff_id:
            said = author.number if author.name or author.number else f"Practitioner/{author.staff_id}"
            found.append(replace(author, number=said, staff_id=None))
        else:
            found.append(author)
    return keep_authors(found)


def _status_after(filed: IncomingReport, line: IncomingObservation) -> str:
    """What a changed line makes of its report."""
    if filed.status in _LASTING:
        return filed.status
    return (ReportStatus.CORRECTED if line.status in _CORRECTING else ReportStatus.AMENDED).value


def _lines(sent: reports.SentReport, position: int) -> tuple[IncomingObservation, ...]:
    """A result as it is filed, with its components."""
    found = sent.report.observations[position - 1 :]
    if not found or found[0].component_count == 0:
        raise ReportNotFound
    return found[: 1 + (found[0].component_count or 0)]


def _check_kept_whole(sent: reports.SentReport) -> None:
    if sent.has_attachments:
        raise FhirContentUnsupported(
            (
                "DiagnosticReport.result",
                "The report holds documents, which came by another way; send it that way again.",
            )
        )
