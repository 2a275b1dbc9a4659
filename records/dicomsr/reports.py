"""Structured reports (PS3.3, section A.35) and PDF among the images (section A.45) as reports of the record."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydicom import Dataset

from records.dicomsr.content import Code, Item, read_code, read_name, read_sequence, read_tree, read_value
from records.dicomsr.lines import UNTITLED, read_lines_of
from records.dicomsr.refusals import DocumentNotUnderstood
from records.images import documents
from records.images.dicom import read_datetime, read_moment
from records.reports.authors import INTERPRETER, MOST_AUTHORS, Author, keep_authors
from records.reports.incoming import (
    LONGEST_ACCESSION_NUMBER,
    MOST_OBSERVATIONS,
    IncomingAttachment,
    IncomingReport,
    find_attachment_type,
    is_plausible,
)
from records.reports.models import ObservationStatus, ReportCategory, ReportStatus

# A UID is an identifier in this system, written as urn:oid:... (FHIR R4, section 3.1.11).
UID_SYSTEM = "urn:dicom:uid"
_PDF = "application/pdf"
_OBSERVER = frozenset({("DCM", "121008")})


@dataclass(frozen=True)
class Document:
    """A report as its file says it. ``predecessors``: SOP instance UIDs of what it takes the place of."""

    report: IncomingReport
    predecessors: tuple[str, ...]


def name_uid(uid: str) -> tuple[str, str]:
    """A UID as the identifier of a report."""
    return UID_SYSTEM, f"urn:oid:{uid}"


def read_report(found: Dataset, *, sop_class_uid: str, studied_at: datetime) -> Document:
    """The report that a file says.

    :param found: the file's data set, read to its end.
    :param studied_at: when the examination was made.
    :raises DocumentNotUnderstood: there is nothing in it to read, or too much.
    """
    is_pdf = sop_class_uid == documents.ENCAPSULATED_PDF
    root = Item("CONTAINER", "", None) if is_pdf else read_tree(found)
    attachments = (_read_pdf(found),) if is_pdf else ()
    status = _read_status(found, is_pdf=is_pdf)
    is_open = status is ReportStatus.PRELIMINARY
    said = read_lines_of(root, status=ObservationStatus.PRELIMINARY if is_open else ObservationStatus.FINAL)
    if not (said.lines or said.conclusion or attachments):
        raise DocumentNotUnderstood("there is nothing in it to read")
    if len(said.lines) > MOST_OBSERVATIONS:
        raise DocumentNotUnderstood(f"more than {MOST_OBSERVATIONS} sections and measurements")
    title = read_code(found, "ConceptNameCodeSequence") or UNTITLED
    report = IncomingReport(
        identifier=name_uid(read_value(found, "SOPInstanceUID") or ""),
        status=status.value,
        category=ReportCategory.IMAGING.value,
        code=title.value,
        code_system=title.system,
        name=_read_name(found, title, is_pdf=is_pdf),
        effective_at=studied_at,
        issued_at=_read_issued(found),
        conclusion=said.conclusion,
        observations=said.lines,
        attachments=attachments,
        authors=keep_authors(list(_list_authors(found, root))[:MOST_AUTHORS]),
        accession_number=_read_accession_number(found),
        study_instance_uid=read_value(found, "StudyInstanceUID"),
    )
    return Document(report, tuple(_list_predecessors(found)))


def _read_status(found: Dataset, *, is_pdf: bool) -> ReportStatus:
    """Complete and verified, or said to be final, is final (section C.17.2). A PDF seldom says anything."""
    completed = read_value(found, "CompletionFlag")
    verified = read_value(found, "VerificationFlag")
    preliminary = read_value(found, "PreliminaryFlag")
    if completed == "PARTIAL" or preliminary == "PRELIMINARY":
        return ReportStatus.PRELIMINARY
    is_final = preliminary == "FINAL" or verified == "VERIFIED" or (is_pdf and verified is None)
    return ReportStatus.FINAL if is_final else ReportStatus.PRELIMINARY


def _read_name(found: Dataset, title: Code, *, is_pdf: bool) -> str:
    return (read_value(found, "DocumentTitle") if is_pdf else None) or title.meaning


def _read_issued(found: Dataset) -> datetime | None:
    """When it was last verified, else when its content was made."""
    verified = [
        read_datetime(one, "VerificationDateTime", root=found)
        for one in read_sequence(found, "VerifyingObserverSequence")
    ]
    times = [*sorted((at for at in verified if at), reverse=True), read_moment(found, "ContentDate", "ContentTime")]
    return next((at for at in times if at is not None and is_plausible(at)), None)


def _list_authors(found: Dataset, root: Item) -> Iterator[Author]:
    """Who wrote it, then who verified it; where neither is said, whom its content names as the observer."""
    persons = [("AuthorObserverSequence", "PersonName", "PersonIdentificationCodeSequence")]
    persons += [("VerifyingObserverSequence", "VerifyingObserverName", "VerifyingObserverIdentificationCodeSequence")]
    is_named = False
    for sequence, name_keyword, number_keyword in persons:
        for one in read_sequence(found, sequence):
            name, number = read_name(one, name_keyword), read_code(one, number_keyword)
            if name or number:
                is_named = True
                yield _to_author(name, number)
    if not is_named:
        for item in root.below:
            if item.kind == "PNAME" and item.text and item.concept and item.concept.is_one_of(_OBSERVER):
                yield Author(INTERPRETER, item.text)


def _to_author(name: str | None, number: Code | None) -> Author:
    return Author(INTERPRETER, name, *((number.value, number.system) if number else (None, None)))


def _read_accession_number(found: Dataset) -> str | None:
    """Of the study, else of the one request that the document answers."""
    requested = {read_value(one, "AccessionNumber") for one in read_sequence(found, "ReferencedRequestSequence")}
    only = requested.pop() if len(requested) == 1 else None
    said = read_value(found, "AccessionNumber") or only
    return said if said and len(said) <= LONGEST_ACCESSION_NUMBER else None


def _list_predecessors(found: Dataset) -> Iterator[str]:
    for study in read_sequence(found, "PredecessorDocumentsSequence"):
        for series in read_sequence(study, "ReferencedSeriesSequence"):
            for one in read_sequence(series, "ReferencedSOPSequence"):
                uid = read_value(one, "ReferencedSOPInstanceUID")
                if uid:
                    yield uid


def _read_pdf(found: Dataset) -> IncomingAttachment:
    content: Any = found.get("EncapsulatedDocument")
    if not isinstance(content, bytes) or find_attachment_type(content) != _PDF:
        raise DocumentNotUnderstood("it holds no PDF")
    # An odd number of bytes was filled up (section C.24.2); how many there are is said since 2018.
    length: Any = found.get("EncapsulatedDocumentLength")
    content = content[:length] if isinstance(length, int) and 0 < length <= len(content) else content.rstrip(b"\0")
    return IncomingAttachment(read_value(found, "DocumentTitle") or "报告", _PDF, content)
