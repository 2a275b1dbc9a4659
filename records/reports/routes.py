"""The machine interface of reports, for those who read them."""

from uuid import UUID

from flask import Response, send_file

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.reports import service
from records.reports.incoming import ATTACHMENT_ENDINGS
from records.reports.schemas import AttachmentPath, AttachmentQuery, ReportPath, ReportShown, VersionPath

api = Api("reports", tag="Records 健康档案", url_prefix="/api/v1")


@api.get("/reports/<uuid:report_id>", responses={200: ReportShown})
@requires("records:report:read")
def read_report(path: ReportPath) -> Response:
    """One report: values, units, reference ranges, flags, status, and what each version changed"""
    with db.transaction() as session:
        report = service.get_report(session, current_actor(), path.report_id)
    return present(ReportShown.model_validate(report))


@api.get("/reports/<uuid:report_id>/versions/<int:version>", responses={200: ReportShown})
@requires("records:report:read")
def read_version(path: VersionPath) -> Response:
    """A report as it was in one of its versions"""
    with db.transaction() as session:
        report = service.get_report(session, current_actor(), path.report_id, version=path.version)
    return present(ReportShown.model_validate(report))


@api.get(
    "/reports/<uuid:report_id>/attachments/<int:number>",
    openapi_extensions={"x-also-produces": list(ATTACHMENT_ENDINGS)},
)
@requires("records:report:read")
def read_attachment(path: AttachmentPath, query: AttachmentQuery) -> Response:
    """A document that came inside a report, as the hospital made it: PDF, JPEG or PNG"""
    return send_attachment(path.report_id, path.number, query.version)


def send_attachment(report_id: UUID, number: int, version: int | None) -> Response:
    """The document itself, shared with other addresses."""
    with db.transaction() as session:
        attachment, stream = service.open_attachment(session, current_actor(), report_id, number, version=version)
    name = f"report-{number}.{ATTACHMENT_ENDINGS[attachment.content_type]}"
    reply = send_file(stream, mimetype=attachment.content_type, as_attachment=True, download_name=name)
    reply.headers["Cache-Control"] = "no-store"
    # Nobody here has looked into it: whatever opens it on our address runs none of it and reaches nothing of ours.
    reply.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return reply
