"""The machine interface of reports, for those who read them."""

from flask import Response

from core import db
from core.api import Api
from core.web import current_actor, present, requires
from records.reports import service
from records.reports.schemas import ReportPath, ReportShown, VersionPath

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
