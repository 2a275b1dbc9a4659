"""Reading one slice of a person's records, as whoever asked may read them at this moment."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from consent import service as consent
from consent.service import AccessRow, GrantView
from core import sealing
from health_card import service as health_card
from records.entries import service as entries
from records.entries.service import EntryView
from records.exports.service import Collected, Step
from records.images import service as images
from records.images.service import StudyView
from records.reports import service as reports
from records.reports.service import AttachmentFile, ReportView
from records.visits import history
from records.visits.history import OwnVisit

# So many reports are drawn as documents in seconds, far within the lease of a message.
SLICE = 20


@dataclass(frozen=True)
class Slice:
    """Things of one kind. ``next_after``: where the next slice goes on; None: there is none.

    ``attachments``: what came inside the reports, by report. ``proofs``: that the rows of the access log stand in the
    sealed log, by row, as files of the format c2sp.org/tlog-proof; what is not sealed yet has none.
    """

    visits: list[OwnVisit] = field(default_factory=list)
    reports: list[ReportView] = field(default_factory=list)
    studies: list[StudyView] = field(default_factory=list)
    accesses: list[AccessRow] = field(default_factory=list)
    entries: list[EntryView] = field(default_factory=list)
    attachments: dict[UUID, list[AttachmentFile]] = field(default_factory=dict)
    proofs: dict[UUID, str] = field(default_factory=dict)
    next_after: UUID | None = None

    @property
    def count(self) -> int:
        return sum(len(things) for things in (self.visits, self.reports, self.studies, self.accesses, self.entries))

    def collected(self, documents: tuple[tuple[UUID, bytes], ...]) -> Collected:
        """As the service keeps it, with the files of reports on paper that were drawn for it."""
        return Collected(self.count, self.next_after, documents)


@dataclass(frozen=True)
class Cover:
    """What stands in front: who it is, and who may see the records."""

    person: health_card.PlainDemographics
    grants: list[GrantView]


def collect_slice(session: Session, step: Step) -> Slice:
    """The next slice, as the step says."""
    page: dict[str, Any] = {"person_id": step.person_id, "until": step.until, "after": step.after, "limit": SLICE}
    if step.kind == "visits":
        visits = history.list_history(session, step.actor, **page)
        return Slice(visits=visits, next_after=_go_on([visit.id for visit in visits]))
    if step.kind == "reports":
        found = reports.list_history(session, step.actor, **page)
        attachments = {report.id: reports.list_attachment_files(session, report) for report in found}
        return Slice(reports=found, attachments=attachments, next_after=_go_on([report.id for report in found]))
    if step.kind == "studies":
        studies = images.list_history(session, step.actor, **page)
        return Slice(studies=studies, next_after=_go_on([study.id for study in studies]))
    if step.kind == "entries":
        told = entries.list_history(session, step.actor, **page)
        return Slice(entries=told, next_after=_go_on([entry.id for entry in told]))
    rows = consent.list_access(
        session, step.actor, before=step.after, wanted=consent.AccessFilter(person_id=step.person_id)
    )
    until_then = [row for row in rows if row.at <= step.until]
    proofs = _list_proofs(session, {row.id for row in until_then})
    return Slice(accesses=until_then, proofs=proofs, next_after=rows[-1].id if rows else None)


def _list_proofs(session: Session, entry_ids: set[UUID]) -> dict[UUID, str]:
    try:
        return {entry_id: str(proof) for entry_id, proof in sealing.list_proofs(session, entry_ids).items()}
    except sealing.LogDamaged:
        # Whoever verifies the log is told; the patient gets his rows in any case.
        return {}


def read_cover(session: Session, step: Step) -> Cover:
    """Who it is, whole, and the grants; the caller has seen that the asker acts for the person."""
    records = set(session.scalars(health_card.same_person_ids(step.person_id)))
    grants = [grant for grant in consent.list_grants(session, step.actor) if grant.person_id in records]
    return Cover(health_card.get_plain_demographics(session, step.person_id), grants)


def _go_on(ids: list[UUID]) -> UUID | None:
    """Behind a full slice there may be another one. What was filed after the export was asked for comes last."""
    return ids[-1] if len(ids) == SLICE else None
