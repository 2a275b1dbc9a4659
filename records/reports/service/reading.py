"""Reading one report: the same for the patient and for a doctor with whom it is shared."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core.actor import Actor
from health_card import service as health_card
from records.refusals import ReportNotFound
from records.reports.incoming import LOINC
from records.reports.models import Observation, Report, ReportStatus


@dataclass(frozen=True)
class ObservationView:
    """One line of a report; see ``models.Observation``."""

    position: int
    status: str
    code: str
    code_system: str
    name: str
    value: Decimal | None
    comparator: str | None
    text: str | None
    unit: str | None
    unit_code: str | None
    reference_low: Decimal | None
    reference_high: Decimal | None
    reference_text: str | None
    interpretation: str | None
    note: str | None


@dataclass(frozen=True)
class ReportView:
    """The current version of a report. ``performed_at``: when the specimen was taken or the examination done."""

    id: UUID
    person_id: UUID
    hospital_id: UUID
    version: int
    status: str
    category: str
    code: str
    code_system: str
    name: str
    hospital_name: str
    performed_at: datetime
    issued_at: datetime | None
    conclusion: str | None
    observations: list[ObservationView]


@dataclass(frozen=True)
class ResultView:
    """A result that counts: where it stands and when it was performed, not what it says."""

    report_id: UUID
    report_version: int
    hospital_id: UUID
    performed_at: datetime


def get_report(session: Session, actor: Actor, report_id: UUID, *, action: str = "records.report.read") -> ReportView:
    """The current version of a report of a person whose records the actor may see now; leaves an access row.

    :param action: what is done with it, for the access row.
    :raises ReportNotFound: none such for this actor.
    """
    report = session.scalars(
        select(Report).where(
            Report.id == report_id,
            Report.is_current,
            consent.is_readable(actor, person_id=Report.person_id, object_id=Report.id),
        )
    ).one_or_none()
    if report is None:
        raise ReportNotFound
    consent.release(
        session,
        actor,
        person_id=report.person_id,
        action=action,
        of=("report", report.id),
        facts={"version": report.version},
    )
    return show_version(session, report)


def list_history(
    session: Session, actor: Actor, *, person_id: UUID, until: datetime, after: UUID | None, limit: int
) -> list[ReportView]:
    """The reports of a person as they were at a time, in the order of their ids.

    The caller releases and records the read (``consent.release``); what the actor may not see is not among them.

    :param after: the id of the last report of the page before.
    """
    current = select(Report).where(
        Report.person_id.in_(health_card.same_person_ids(person_id)),
        Report.is_current,
        consent.is_readable(actor, person_id=Report.person_id, object_id=Report.id),
    )
    if after is not None:
        current = current.where(Report.id > after)
    found = session.scalars(current.order_by(Report.id).limit(limit)).all()
    then = [report if report.filed_at <= until else _find_version(session, report.id, until) for report in found]
    return [show_version(session, report) for report in then if report is not None]


def list_results(
    session: Session, actor: Actor, *, person_id: UUID, code: str, since: datetime, code_system: str = LOINC
) -> list[ResultView]:
    """Completed results of one item, newest first: final (also after an amendment or correction), with a value.

    The caller releases and records the read (``consent.release``); persons whom the actor may not see have none.

    :param since: performed at this time or later.
    """
    completed = (ReportStatus.FINAL, ReportStatus.AMENDED, ReportStatus.CORRECTED)
    rows = session.execute(
        select(Report.id, Report.version, Report.hospital_id, Report.effective_at)
        .join(Observation, and_(Observation.report_id == Report.id, Observation.report_version == Report.version))
        .where(Report.is_current, Report.effective_at >= since)
        .where(Report.person_id.in_(health_card.same_person_ids(person_id)))
        .where(
            consent.is_readable(actor, person_id=Report.person_id, object_id=Report.id), Report.status.in_(completed)
        )
        .where(Observation.code == code, Observation.code_system == code_system)
        .where(Observation.status.in_(completed), or_(Observation.value.is_not(None), Observation.text.is_not(None)))
        .order_by(Report.effective_at.desc(), Report.id.desc())
        .distinct()
    )
    return [ResultView(*row) for row in rows]


def show_version(session: Session, report: Report) -> ReportView:
    """What one version says. The caller has decided who may read it."""
    return ReportView(
        id=report.id,
        person_id=report.person_id,
        hospital_id=report.hospital_id,
        version=report.version,
        status=report.status,
        category=report.category,
        code=report.code,
        code_system=report.code_system,
        name=report.name,
        hospital_name=accounts.get_hospital(session, report.hospital_id).name,
        performed_at=report.effective_at,
        issued_at=report.issued_at,
        conclusion=report.conclusion,
        observations=_list_observations(session, report),
    )


def _find_version(session: Session, report_id: UUID, until: datetime) -> Report | None:
    earlier = select(Report).where(Report.id == report_id, Report.filed_at <= until)
    return session.scalars(earlier.order_by(Report.version.desc()).limit(1)).one_or_none()


def _list_observations(session: Session, report: Report) -> list[ObservationView]:
    names = ObservationView.__dataclass_fields__
    lines = session.execute(
        select(*(getattr(Observation, name) for name in names))
        .where(Observation.report_id == report.id, Observation.report_version == report.version)
        .order_by(Observation.position)
    )
    return [ObservationView(*line) for line in lines]
