"""The machine interface of reports, for those who read them."""

from flask import Response, send_file

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.reports import service
from records.reports.incoming import ATTACHMENT_TYPES
from records.reports.schemas import AttachmentPath, ReportPath, ReportShown, VersionPath

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
    "/reports/<uuid:report_id>/attachments/<int:number>", openapi_extensions={"x-also-produces": list(ATTACHMENT_TYPES)}
)
@requires("records:report:read")
def read_attachment(path: AttachmentPath) -> Response:
    """A document that came inside a report, as the hospital made it: PDF, JPEG or PNG"""
    with db.transaction() as session:
        attachment, stream = service.open_attachment(session, current_actor(), path.report_id, path.number)
    reply = send_file(stream, mimetype=attachment.content_type, as_attachment=True, download_name=f"{path.report_id}")
    reply.headers["Cache-Control"] = "no-store"
    return reply
