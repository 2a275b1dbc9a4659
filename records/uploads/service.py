"""Taking a list in: checked and kept sealed, then filed report by report in the background."""

import csv
import io
from collections.abc import Iterable
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from core import audit, clock, outbox, storage
from core.actor import Actor, ActorKind
from core.errors import Refusal, list_refusals
from records.intake.subjects import Subject, match_person
from records.refusals import PersonContradicts, PersonNotMatched
from records.uploads.models import Upload, UploadedReport
from records.uploads.refiling import refile_report, write_body, write_key
from records.uploads.refusals import UploadExpired, UploadHasErrors, UploadNotFound, UploadTooLong
from records.uploads.rows import Group, RowError, build_incoming, group_rows
from records.uploads.sheets import read_rows

COMMITTED_TOPIC = "records.upload_committed"
EXPIRY_DUE_TOPIC = "records.upload_expiry_due"
MOST_REPORTS = 1000
MOST_ERRORS = 1000
PAGE = 50
LIFE = timedelta(hours=24)
STATES = {"ready": "待提交", "left_out": "有误", "filed": "已归档", "same": "此前已归档", "quarantined": "待处理"}


def read_groups(body: bytes) -> list[Group]:
    """The reports of a list.

    :raises Refusal: the file is refused whole, see ``sheets.read_rows``; UploadTooLong also for too many reports.
    """
    groups = group_rows(read_rows(body))
    if len(groups) > MOST_REPORTS:
        raise UploadTooLong
    return groups


def check_list(session: Session, actor: Actor, *, listed: storage.Staged, groups: list[Group]) -> Upload:
    """Check a list: every row and whom it is about. Nothing is filed. The same file again is the same upload.

    :param listed: the file, finished; it is kept when, and only when, the upload is new.
    """
    lock = func.hashtextextended(f"upload/{actor.house_id}/{listed.sha256.hex()}", 0)
    session.execute(select(func.pg_advisory_xact_lock(lock)))
    same = select(Upload).filter_by(hospital_id=actor.house_id, digest=listed.sha256)
    known = session.scalars(same.where(Upload.state != "expired")).one_or_none()
    if known is not None:
        return known
    _match_persons(session, actor, groups)
    errors = sorted((error for group in groups for error in group.errors), key=lambda error: error.line)
    upload = Upload(
        hospital_id=actor.house_id,
        created_by=actor.id,
        created_at=clock.now(),
        state="checked",
        digest=listed.sha256,
        storage_key=storage.keep(listed),
        data_key=listed.wrapped_key,
        rows_total=sum(len(group.rows) for group in groups),
        errors=[vars(error) for error in errors[:MOST_ERRORS]],
        errors_total=len(errors),
    )
    session.add(upload)
    session.flush()
    session.execute(insert(UploadedReport), [_list_report(upload, *each) for each in enumerate(groups)])
    payload = {"upload_id": str(upload.id)}
    outbox.announce(session, EXPIRY_DUE_TOPIC, payload, due_at=upload.created_at + LIFE)
    facts = {"rows": upload.rows_total, "reports": len(groups), "errors": upload.errors_total}
    audit.record_act(session, actor, "records.upload.checked", of=("upload", upload.id), facts=facts)
    return upload


def commit_upload(session: Session, actor: Actor, *, upload_id: UUID, leaves_out_errors: bool = False) -> Upload:
    """Have the reports of a checked list filed. Committed already: nothing changes.

    :param leaves_out_errors: file those without errors; the others are corrected and uploaded again.
    :raises UploadNotFound: none such of the actor's hospital.
    :raises UploadExpired: it was checked more than a day ago.
    :raises UploadHasErrors: a row has an error, and those reports were not to be left out.
    """
    upload = get_upload(session, actor, upload_id=upload_id, locks=True)
    if upload.state == "expired":
        raise UploadExpired
    if upload.state != "checked":
        return upload
    if upload.errors_total and not leaves_out_errors:
        raise UploadHasErrors
    upload.state, upload.committed_by = "filing", actor.id
    outbox.announce(session, COMMITTED_TOPIC, {"upload_id": str(upload.id)})
    audit.record_act(session, actor, "records.upload.committed", of=("upload", upload.id))
    return upload


def get_upload(session: Session, actor: Actor, *, upload_id: UUID, locks: bool = False) -> Upload:
    """:raises UploadNotFound: none such of the actor's hospital."""
    mine = select(Upload).filter_by(id=upload_id, hospital_id=actor.house_id)
    upload = session.scalars(mine.with_for_update() if locks else mine).one_or_none()
    if upload is None:
        raise UploadNotFound
    return upload


def list_uploads(session: Session, actor: Actor, *, before: UUID | None = None) -> list[Upload]:
    """The hospital's uploads, newest first, 50 a page.

    :param before: the id of the last one of the page before.
    """
    mine = select(Upload).filter_by(hospital_id=actor.house_id).order_by(Upload.id.desc()).limit(PAGE)
    return list(session.scalars(mine.where(Upload.id < before) if before else mine))


def count_reports(session: Session, upload_ids: Iterable[UUID]) -> dict[UUID, dict[str, int]]:
    """How many reports of each upload are in each state."""
    counted: dict[UUID, dict[str, int]] = {upload_id: {} for upload_id in upload_ids}
    states = (
        select(UploadedReport.upload_id, UploadedReport.state, func.count())
        .where(UploadedReport.upload_id.in_(counted))
        .group_by(UploadedReport.upload_id, UploadedReport.state)
    )
    for upload_id, state, many in session.execute(states):
        counted[upload_id][state] = many
    return counted


def export_result(session: Session, actor: Actor, *, upload_id: UUID) -> bytes:
    """What became of every report, as CSV (UTF-8 with a byte order mark, for spreadsheets): number, first line, rows,
    outcome, code of the reason, the reason, and the report's id and version.

    :raises UploadNotFound: none such of the actor's hospital.
    """
    get_upload(session, actor, upload_id=upload_id)
    titles = {refusal.code: refusal.title for refusal in list_refusals()}
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow(["报告编号", "首行", "行数", "结果", "原因代码", "原因", "报告标识", "版本"])
    for report in session.scalars(select(UploadedReport).filter_by(upload_id=upload_id).order_by("position")):
        # A spreadsheet would run what begins like a formula.
        number = f"'{report.report_number}" if report.report_number[:1] in "+-" else report.report_number
        stands = [report.report_id or "", report.report_version or ""]
        reason = [report.reason or "", titles.get(report.reason or "", "")]
        writer.writerow([number, report.first_line, report.rows, STATES[report.state], *reason, *stands])
    audit.record_act(session, actor, "records.upload.result_read", of=("upload", upload_id))
    return sheet.getvalue().encode("utf-8-sig")


def describe_errors(upload: Upload) -> list[RowError]:
    """The first thousand errors of a list, by line."""
    return [RowError(**error) for error in upload.errors]


def file_next(session: Session, *, upload_id: UUID, groups: list[Group]) -> bool:
    """File the next report of a committed list in the name of who committed it; returns whether more may be left."""
    upload = session.scalars(select(Upload).filter_by(id=upload_id).with_for_update()).one()
    if upload.state != "filing" or upload.committed_by is None:
        return False
    ready = select(UploadedReport).filter_by(upload_id=upload_id, state="ready").order_by(UploadedReport.position)
    report = session.scalars(ready.limit(1)).one_or_none()
    if report is None:
        end_upload(upload, "filed")
        return False
    actor = Actor(ActorKind.STAFF, upload.committed_by, frozenset(), hospital_id=upload.hospital_id)
    group = groups[report.position]
    body = write_body(group)
    try:
        filed = refile_report(session, actor, body=body, message_key=write_key(group, body))
    except Refusal as refusal:
        if not refusal.keeps_changes and refusal.code != "records.message_dismissed":
            raise
        report.state, report.reason = "quarantined", refusal.code
    else:
        report.state = "filed" if filed.is_new else "same"
        report.report_id, report.report_version = filed.report_id, filed.version
    return True


def end_upload(upload: Upload, state: str) -> None:
    """The file is not needed any more: without its key nobody can read it, and then it goes."""
    upload.state, upload.ended_at, upload.data_key = state, clock.now(), None


def _list_report(upload: Upload, position: int, group: Group) -> dict[str, object]:
    return {
        "upload_id": upload.id,
        "position": position,
        "report_number": group.number,
        "first_line": group.lines[0],
        "rows": len(group.rows),
        "state": "left_out" if group.errors else "ready",
    }


def _match_persons(session: Session, actor: Actor, groups: list[Group]) -> None:
    """Whom each report is about. What cannot be matched now would wait in quarantine: better said at once."""
    known: dict[Subject, str | None] = {}
    for group in groups:
        if group.errors:
            continue
        subject = build_incoming(group.rows).subject
        if subject not in known:
            known[subject] = _match(session, actor, subject)
        code = known[subject]
        if code is not None:
            group.errors.append(RowError(group.lines[0], "name" if code == "person_contradicts" else None, code))


def _match(session: Session, actor: Actor, subject: Subject) -> str | None:
    try:
        match_person(session, actor, subject)
    except (PersonNotMatched, PersonContradicts) as refusal:
        return refusal.code.removeprefix("records.")
    return None
