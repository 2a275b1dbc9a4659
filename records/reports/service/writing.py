"""Writing what was decided: versions of reports with all that hangs on them, of one message or of many together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.orm import Session

from core import audit, clock, outbox, storage
from core.actor import Actor
from core.appending import append_rows, write_appended
from records.items import service as items
from records.releasing import service as releasing
from records.reports.incoming import IncomingAttachment, IncomingObservation, IncomingReport
from records.reports.models import Observation, Report, ReportAttachment
from records.timeline import service as timeline
from records.timeline.service import Placement

# New reports stand on the timeline: ``report_ids``.
FILED_TOPIC = "records.reports_filed"
# A later version of a report stands there: ``report_id``, ``version``.
CHANGED_TOPIC = "records.report_filed"

OBSERVED = tuple(IncomingObservation.__dataclass_fields__)
REPORTED = (
    "status",
    "category",
    "code",
    "code_system",
    "name",
    "effective_at",
    "issued_at",
    "conclusion",
    "authors",
    "accession_number",
    "based_on",
    "study_instance_uid",
)


@dataclass(frozen=True)
class FiledReport:
    """Where a report ended up. ``is_new``: False when it only repeats the version that is current already."""

    report_id: UUID
    version: int
    is_new: bool


@dataclass(frozen=True)
class Filing:
    """A version of a report about to be written: which it is, whose, where it belongs and how it came."""

    report_id: UUID
    version: int
    report: IncomingReport
    person_id: UUID
    visit_id: UUID | None
    message_id: UUID
    channel: str


def write_reports(session: Session, actor: Actor, filings: Sequence[Filing]) -> None:
    """Write versions that no other transaction decides about at this moment, their timeline lines and audit rows.

    The documents inside them are put on the disk before the rows that name them.
    """
    later = [filing.report_id for filing in filings if filing.version > 1]
    if later:
        session.execute(
            update(Report).where(Report.id.in_(later), Report.is_current).values(is_current=False),
            execution_options={"synchronize_session": False},
        )
    append_rows(session, Report, [_row_of(actor, filing) for filing in filings])
    append_rows(session, Observation, [line for filing in filings for line in _observations_of(filing)])
    append_rows(session, ReportAttachment, [row for filing in filings for row in _attachments_of(filing)])
    timeline.place_entries(session, [_placement_of(actor, filing) for filing in filings])
    sent = [line for filing in filings for line in filing.report.observations]
    items.note_sent_codes(session, hospital_id=actor.house_id, lines=sent)
    releasing.label_items(session, [_item_of(actor, filing) for filing in filings])
    for filing in filings:
        audit.record_act(
            session,
            actor,
            "records.report.filed",
            subject_id=filing.person_id,
            of=("report", filing.report_id),
            facts={"version": filing.version, "status": filing.report.status, "category": filing.report.category},
        )
    _announce(session, filings)
    write_appended(session)


def _announce(session: Session, filings: Sequence[Filing]) -> None:
    new = [str(filing.report_id) for filing in filings if filing.version == 1]
    if new:
        outbox.announce(session, FILED_TOPIC, {"report_ids": new}, wakes=False)
    for filing in filings:
        if filing.version > 1:
            changed = {"report_id": str(filing.report_id), "version": filing.version}
            outbox.announce(session, CHANGED_TOPIC, changed, wakes=False)


def _row_of(actor: Actor, filing: Filing) -> dict[str, Any]:
    return {name: getattr(filing.report, name) for name in REPORTED} | {
        "id": filing.report_id,
        "version": filing.version,
        "is_current": True,
        "hospital_id": actor.house_id,
        "person_id": filing.person_id,
        "visit_id": filing.visit_id,
        "inbound_message_id": filing.message_id,
        "identifier_system": filing.report.identifier[0],
        "identifier_value": filing.report.identifier[1],
        "channel": filing.channel,
        "filed_at": clock.now(),
    }


def _observations_of(filing: Filing) -> list[dict[str, Any]]:
    id_, version = filing.report_id, filing.version
    return [
        {"report_id": id_, "report_version": version, "position": position} | vars(line)
        for position, line in enumerate(filing.report.observations, start=1)
    ]


def _attachments_of(filing: Filing) -> list[dict[str, Any]]:
    key = {"report_id": filing.report_id, "report_version": filing.version}
    return [key | {"number": number} | _keep(one) for number, one in enumerate(filing.report.attachments, start=1)]


def _keep(attachment: IncomingAttachment) -> dict[str, Any]:
    with storage.Staging() as staging:
        staged = staging.new_file()
        staged.write(attachment.content)
        staged.finish()
        return {
            "title": attachment.title,
            "content_type": attachment.content_type,
            "size_bytes": staged.size_bytes,
            "digest": staged.sha256,
            "data_key": staged.wrapped_key,
            "storage_key": storage.keep(staged),
        }


def _placement_of(actor: Actor, filing: Filing) -> Placement:
    return Placement(
        person_id=filing.person_id,
        hospital_id=actor.house_id,
        visit_id=filing.visit_id,
        object_kind="report",
        object_id=filing.report_id,
        category=filing.report.category,
        title=filing.report.name,
        status=filing.report.status,
        occurred_at=filing.report.effective_at,
        version=filing.version,
    )


def _item_of(actor: Actor, filing: Filing) -> releasing.Item:
    report = filing.report
    return releasing.Item(
        of=("report", filing.report_id),
        version=filing.version,
        person_id=filing.person_id,
        hospital_id=actor.house_id,
        visit_id=filing.visit_id,
        category=report.category,
        code=(report.code_system, report.code),
        codes=[(line.code_system, line.code) for line in report.observations],
        names=[report.name, *(line.name for line in report.observations)],
    )
