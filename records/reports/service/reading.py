"""Reading one report: the same for the patient and for a doctor with whom it is shared."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent import service as consent
from core.actor import Actor
from records.refusals import ReportNotFound
from records.reports.models import Observation, Report


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


def get_report(session: Session, actor: Actor, report_id: UUID) -> ReportView:
    """The current version of a report of a person whose records the actor may see now; leaves an access row.

    :raises ReportNotFound: none such for this actor.
    """
    report = session.scalars(
        select(Report).where(
            Report.id == report_id, Report.is_current, Report.person_id.in_(consent.readable_person_ids(actor))
        )
    ).one_or_none()
    if report is None:
        raise ReportNotFound
    consent.release(
        session,
        actor,
        person_id=report.person_id,
        action="records.report.read",
        of=("report", report.id),
        facts={"version": report.version},
    )
    return ReportView(
        id=report.id,
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


def _list_observations(session: Session, report: Report) -> list[ObservationView]:
    names = ObservationView.__dataclass_fields__
    lines = session.execute(
        select(*(getattr(Observation, name) for name in names))
        .where(Observation.report_id == report.id, Observation.report_version == report.version)
        .order_by(Observation.position)
    )
    return [ObservationView(*line) for line in lines]
