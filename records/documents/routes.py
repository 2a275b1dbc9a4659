"""The machine interface of documents."""

import hashlib
from uuid import UUID

from flask import Response, request

from core import db, limits
from core.api import Api
from core.web import current_actor, current_config, present, public, requires
from records.documents import drawing, service
from records.documents.schemas import NumberPath, ProvenShown
from records.reports.schemas import ReportPath

api = Api("documents", tag="Records 健康档案", url_prefix="/api/v1")

_PDF = "application/pdf"
PROOFS_PER_MINUTE = 30


@api.get("/reports/<uuid:report_id>/report.pdf", openapi_extensions={"x-also-produces": [_PDF]})
@requires("records:report:read")
def print_report(path: ReportPath) -> Response:
    """One report as PDF (A4), with a number and a code by which anybody can have it proven at /verify"""
    return send_report(path.report_id)


def send_report(report_id: UUID) -> Response:
    """The document itself, shared with other addresses."""
    config = current_config()
    with db.transaction() as session:
        printed = service.print_report(session, current_actor(), report_id=report_id)
    document = drawing.draw_report(printed, base_url=config.base_url, issuer_name=config.issuer_name)
    with db.transaction() as session:
        service.record_file(session, document_id=printed.document_id, sha256=hashlib.sha256(document).digest())
    headers = {"Cache-Control": "no-store", "Content-Disposition": 'inline; filename="report.pdf"'}
    return Response(document, 200, headers, mimetype=_PDF)


@api.get("/documents/<number>", responses={200: ProvenShown})
@public("whoever is handed a document may ask whether it is genuine; the answer holds no result")
def prove_number(path: NumberPath) -> Response:
    """Whether a document is genuine, by the number that is printed on it"""
    return present(ProvenShown.model_validate(prove(path.number)))


def prove(number: str) -> service.Proven:
    """The question itself, shared with the page."""
    count_proof()
    with db.transaction() as session:
        return service.prove_number(session, number=number)


def count_proof() -> None:
    """:raises RateExceeded: too many questions from one address within a minute."""
    limits.count("document_proof", request.remote_addr or "-", per_minute=PROOFS_PER_MINUTE)
