"""The reports of a study and the studies of a report: made by one hospital of one person under one accession number,
or where the report names the study by its UID.

Each side is asked for through the gate: what the reader may not see is not named beside what he may. A report that
says neither number nor UID is compared by its own number: many a hospital gives both the same. Laboratories number
their specimens, which says nothing of images.
"""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, SQLColumnExpression, case, false, func, or_, select
from sqlalchemy.orm import Session

from consent import service as consent
from core.actor import Actor
from health_card import service as health_card
from records.images.models import Study
from records.reports.models import Report, ReportCategory
from records.timeline.models import TimelineEntry


@dataclass(frozen=True)
class Examination:
    """What the images and the report of an examination have in common. ``number``: None where nothing is known.

    ``study_instance_uid``: of the images; None where the report does not say it.
    """

    hospital_id: UUID
    person_id: UUID
    number: str | None
    study_instance_uid: str | None


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
    own = case((Report.study_instance_uid.is_(None), Report.identifier_value))
    said = func.coalesce(Report.accession_number, own)
    rows = session.execute(
        select(Report.id, Report.name, Report.status)
        .where(Report.is_current, Report.hospital_id == examination.hospital_id)
        .where(Report.person_id.in_(health_card.same_person_ids(examination.person_id)))
        .where(Report.category != ReportCategory.LABORATORY)
        .where(_is_one_of(examination, Report.study_instance_uid, said))
        .where(consent.is_readable(actor, person_id=Report.person_id, object_id=Report.id))
        .order_by(Report.effective_at.desc(), Report.id.desc())
    )
    return [JoinedReport(*row) for row in rows]


def list_studies(session: Session, actor: Actor, examination: Examination) -> list[JoinedStudy]:
    """The studies of a report that the actor may see now, the newest first. The caller has decided about the report."""
    rows = session.execute(
        select(Study.id, TimelineEntry.title)
        .join(TimelineEntry, TimelineEntry.object_id == Study.id)
        .where(Study.hospital_id == examination.hospital_id)
        .where(_is_one_of(examination, Study.study_instance_uid, Study.accession_number))
        .where(Study.person_id.in_(health_card.same_person_ids(examination.person_id)))
        .where(consent.is_readable(actor, person_id=Study.person_id, object_id=Study.id))
        .order_by(Study.studied_at.desc(), Study.id.desc())
    )
    return [JoinedStudy(*row) for row in rows]


def _is_one_of(
    examination: Examination, uid: SQLColumnExpression[str | None], number: SQLColumnExpression[str | None]
) -> ColumnElement[bool]:
    """What is not known is equal to nothing, not to what is not known of others."""
    same = [(uid, examination.study_instance_uid), (number, examination.number)]
    return or_(false(), *(column == value for column, value in same if value is not None))
