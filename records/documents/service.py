"""Reports as documents: given out to who may read them, and proven to anybody who holds one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from accounts import service as accounts
from consent.service import Need
from core import audit, clock, keys
from core.actor import SYSTEM, Actor
from core.ids import new_id
from health_card import service as health_card
from records.documents import proof
from records.documents.models import ReportDocument, ReportDocumentFile
from records.reports import service as reports
from records.reports.service import ReportView


@dataclass(frozen=True)
class PrintedReport:
    """What is to be drawn, and the document's id and number."""

    document_id: UUID
    number: str
    report: ReportView
    person: health_card.Demographics
    printed_at: datetime


class Finding(StrEnum):
    """What can be said of a document.

    ``superseded``: it was given out so, and the report has a newer version. ``changed``: what it says is not what was
    signed. ``unknown``: the platform gave out no such document, or cannot vouch for it any more.
    """

    GENUINE = "genuine"
    SUPERSEDED = "superseded"
    CHANGED = "changed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Proven:
    """The answer to whoever holds a document: never a result. ``person_name``: masked."""

    finding: Finding
    number: str | None = None
    hospital_name: str | None = None
    category: str | None = None
    performed_at: datetime | None = None
    person_name: str | None = None
    version: int | None = None
    issued_at: datetime | None = None
    current_version: int | None = None
    current_status: str | None = None


def print_report(session: Session, actor: Actor, *, report_id: UUID) -> PrintedReport:
    """The current version of a report, to be drawn as a document; leaves an access row. Again: the same number.

    :raises ReportNotFound: none such for this actor.
    :raises ViewOnly: he may see it, and not take it away.
    """
    report = reports.get_report(session, actor, report_id, action="records.report.printed", need=Need.DOWNLOAD)
    return print_read(session, report)


def print_read(session: Session, report: ReportView) -> PrintedReport:
    """As ``print_report``, of a version that the caller has read and recorded the read of."""
    document = _find_good(session, report) or _issue(session, report)
    person = health_card.get_demographics(session, report.person_id, masked=False)
    return PrintedReport(document.id, document.number, report, person, clock.now())


def record_file(session: Session, *, document_id: UUID, sha256: bytes) -> None:
    """Remember a file before it is handed out, so that it is known again."""
    session.add(ReportDocumentFile(document_id=document_id, sha256=sha256, made_at=clock.now()))


def prove_number(session: Session, *, number: str) -> Proven:
    """What can be said of the document with this number, as somebody typed or scanned it.

    The patient reads in his access log that it was asked.
    """
    read = proof.read_number(number)
    found = _find(session, select(ReportDocument).where(ReportDocument.number == read)) if read else None
    return _prove(session, found, "number")


def prove_file(session: Session, *, sha256: bytes) -> Proven:
    """As ``prove_number``, of a file: it was handed out exactly so, or it is unknown."""
    handed_out = select(ReportDocumentFile.document_id).where(ReportDocumentFile.sha256 == sha256).limit(1)
    return _prove(session, _find(session, select(ReportDocument).where(ReportDocument.id.in_(handed_out))), "file")


def _find(session: Session, wanted: Select[tuple[ReportDocument]]) -> ReportDocument | None:
    return session.scalars(wanted).one_or_none()


def _find_good(session: Session, report: ReportView) -> ReportDocument | None:
    """A document of this version whose key was not killed since."""
    of_version = select(ReportDocument).filter_by(report_id=report.id, report_version=report.version)
    for document in session.scalars(of_version.order_by(ReportDocument.id.desc())):
        if keys.find_public_key(session, proof.PURPOSE, document.kid) is not None:
            return document
    return None


def _issue(session: Session, report: ReportView) -> ReportDocument:
    """Two who ask at the same moment get one document."""
    ring, number, issued_at = keys.ring(session, proof.PURPOSE), proof.new_number(), clock.now()
    content_hash = proof.hash_content(report)
    signature = proof.sign(ring.signing_key.sign, number=number, issued_at=issued_at, content_hash=content_hash)
    session.execute(
        insert(ReportDocument)
        .values(
            id=new_id(),
            number=number,
            report_id=report.id,
            report_version=report.version,
            content_hash=content_hash,
            kid=ring.signing_kid,
            signature=signature,
            issued_at=issued_at,
        )
        .on_conflict_do_nothing(index_elements=["report_id", "report_version", "kid"])
    )
    same = select(ReportDocument).filter_by(report_id=report.id, report_version=report.version, kid=ring.signing_kid)
    return session.scalars(same).one()


def _prove(session: Session, document: ReportDocument | None, way: str) -> Proven:
    key = keys.find_public_key(session, proof.PURPOSE, document.kid) if document else None
    if document is None or key is None:
        audit.record_act(session, SYSTEM, "records.document.unknown", facts={"way": way})
        return Proven(Finding.UNKNOWN)
    report = reports.get_version(session, report_id=document.report_id, version=document.report_version)
    current_version, current_status = reports.get_current_version(session, report_id=document.report_id)
    is_intact = proof.hash_content(report) == document.content_hash and proof.is_signed_by(
        key,
        document.signature,
        number=document.number,
        issued_at=document.issued_at,
        content_hash=document.content_hash,
    )
    finding = Finding.GENUINE if current_version == document.report_version else Finding.SUPERSEDED
    finding = finding if is_intact else Finding.CHANGED
    audit.record_act(
        session,
        SYSTEM,
        "records.document.proven",
        subject_id=report.person_id,
        of=("report", report.id),
        facts={"finding": finding.value, "way": way, "document_version": document.report_version},
    )
    if not is_intact:
        return Proven(finding, number=document.number)
    return Proven(
        finding,
        number=document.number,
        hospital_name=accounts.get_hospital(session, report.hospital_id).name,
        category=report.category,
        performed_at=report.performed_at,
        person_name=health_card.get_demographics(session, report.person_id).name,
        version=report.version,
        issued_at=document.issued_at,
        current_version=current_version,
        current_status=current_status,
    )
