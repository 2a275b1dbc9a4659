"""Versions of reports, whoever may read them: for what the platform itself says about them, never what they say."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import and_, select, tuple_
from sqlalchemy.orm import Session

from core.actor import Actor
from records.refusals import ReportNotFound
from records.reports.incoming import IncomingObservation, IncomingReport
from records.reports.models import Observation, Report, ReportAttachment, ReportStatus
from records.reports.service.reading import ReportView, show_version
from records.reports.service.writing import OBSERVED, REPORTED


@dataclass(frozen=True)
class VersionFacts:
    """One version of a report, without a word of its content.

    ``previous_status``: of the version before, if any. ``is_withdrawn``: the version that is current is a cancellation.
    """

    report_id: UUID
    version: int
    is_withdrawn: bool
    person_id: UUID
    hospital_id: UUID
    status: str
    previous_status: str | None
    category: str
    performed_at: datetime
    filed_at: datetime

    @property
    def is_change(self) -> bool:
        """Whether it changes what was final, or withdraws what was said; otherwise it says what was still to come."""
        if self.previous_status is None:
            return False
        return self.previous_status != ReportStatus.PRELIMINARY or self.status == ReportStatus.CANCELLED


def get_version_facts(session: Session, *, report_id: UUID, version: int) -> VersionFacts:
    """What is known of a version that was filed."""
    return list_version_facts(session, {(report_id, version)})[report_id, version]


def list_version_facts(session: Session, versions: set[tuple[UUID, int]]) -> dict[tuple[UUID, int], VersionFacts]:
    """As ``get_version_facts``, for some at once."""
    previous, current = Report.__table__.alias().c, Report.__table__.alias().c
    rows = session.execute(
        select(
            Report.id,
            Report.version,
            current.status == ReportStatus.CANCELLED,
            Report.person_id,
            Report.hospital_id,
            Report.status,
            previous.status,
            Report.category,
            Report.effective_at,
            Report.filed_at,
        )
        .outerjoin_from(
            Report, previous.id.table, and_(previous.id == Report.id, previous.version == Report.version - 1)
        )
        .join(current.id.table, and_(current.id == Report.id, current.is_current))
        .where(tuple_(Report.id, Report.version).in_(versions))
    )
    return {(row[0], row[1]): VersionFacts(*row) for row in rows.tuples()}


def get_version(session: Session, *, report_id: UUID, version: int) -> ReportView:
    """What a version says, to be compared with what was said of it before; it is shown to nobody."""
    return show_version(session, report_id=report_id, version=version)


def is_report(session: Session, *, report_id: UUID) -> bool:
    """Whether this id is a report's, and not that of something else on a timeline."""
    return session.scalar(select(Report.id).where(Report.id == report_id, Report.is_current)) is not None


def get_current_version(session: Session, *, report_id: UUID) -> tuple[int, str]:
    """Number and status of the version that is current."""
    current = select(Report.version, Report.status).where(Report.id == report_id, Report.is_current)
    return session.execute(current).tuples().one()


@dataclass(frozen=True)
class SentReport:
    """The current version of a report as its hospital has sent it. ``has_attachments``: documents, not given here."""

    report_id: UUID
    version: int
    report: IncomingReport
    has_attachments: bool


def get_sent(session: Session, actor: Actor, *, report_id: UUID) -> SentReport:
    """What the actor's own hospital has filed, whoever may read it: it is about to send the next version.

    :raises ReportNotFound: none such of this hospital.
    """
    mine = select(Report).where(Report.id == report_id, Report.is_current, Report.hospital_id == actor.house_id)
    report = session.scalars(mine).one_or_none()
    if report is None:
        raise ReportNotFound
    of_version = Observation.report_id == report.id, Observation.report_version == report.version
    lines = session.scalars(select(Observation).where(*of_version).order_by(Observation.position))
    attachments = select(ReportAttachment.number).where(
        ReportAttachment.report_id == report.id, ReportAttachment.report_version == report.version
    )
    sent = IncomingReport(
        identifier=(report.identifier_system, report.identifier_value),
        observations=tuple(IncomingObservation(**{name: getattr(line, name) for name in OBSERVED}) for line in lines),
        **{name: getattr(report, name) for name in REPORTED},
    )
    return SentReport(report.id, report.version, sent, session.scalar(attachments.limit(1)) is not None)
