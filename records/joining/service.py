"""The reports of a study and the studies of a report: made by one hospital of one person under one accession number.

Each side is asked for through the gate: what the reader may not see is not named beside what he may. A report that
does not say under which number the examination was made is compared by its own: many a hospital gives both the same.
Laboratories number their specimens, which says nothing of images.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from consent import service as consent
from core.actor import Actor
from health_card import service as health_card
from records.images.models import Study
from records.reports.models import Report, ReportCategory
from records.timeline.models import TimelineEntry


@dataclass(frozen=True)
class Examination:
    """What the images and the report of an examination have in common. ``number``: None where nothing is known."""

    hospital_id: UUID
    person_id: UUID
    number: str | None


@dataclass(frozen=True)
class JoinedReport:
    """A report of a study, as its current version is."""

    id: UUID
    name: str
    status: str


@dataclass(frozen=True)
class JoinedStudy:
    """A study of a report. ``title``: as on the timeline."""

    id: UUID
    title: str


def list_reports(session: Session, actor: Actor, examination: Examination) -> list[JoinedReport]:
    """The reports of a study that the actor may read now, the newest first. The caller has decided about the study."""
    if examination.number is None:
        return []
    rows = session.execute(
        select(Report.id, Report.name, Report.status)
        .where(Report.is_current, Report.hospital_id == examination.hospital_id)
        .where(Report.person_id.in_(health_card.same_person_ids(examination.person_id)))
        .where(Report.category != ReportCategory.LABORATORY)
        .where(func.coalesce(Report.accession_number, Report.identifier_value) == examination.number)
        .where(consent.is_readable(actor, person_id=Report.person_id, object_id=Report.id))
        .order_by(Report.effective_at.desc(), Report.id.desc())
    )
    return [JoinedReport(*row) for row in rows]


def list_studies(session: Session, actor: Actor, examination: Examination) -> list[JoinedStudy]:
    """The studies of a report that the actor may see now, the newest first. The caller has decided about the report."""
    if examination.number is None:
        return []
    rows = session.execute(
        select(Study.id, TimelineEntry.title)
        .join(TimelineEntry, TimelineEntry.object_id == Study.id)
        .where(Study.hospital_id == examination.hospital_id, Study.accession_number == examination.number)
        .where(Study.person_id.in_(health_card.same_person_ids(examination.person_id)))
        .where(consent.is_readable(actor, person_id=Study.person_id, object_id=Study.id))
        .order_by(Study.studied_at.desc(), Study.id.desc())
    )
    return [JoinedStudy(*row) for row in rows]
