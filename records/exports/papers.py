"""The documents of reports as files of an export: each report on paper, and what came inside it."""

from collections.abc import Iterator
from uuid import UUID

from core import observe, storage
from core.config import Config
from core.errors import Unavailable
from records.documents.drawing import draw_report
from records.documents.service import PrintedReport
from records.exports.fhir import Paper
from records.reports.incoming import ATTACHMENT_ENDINGS
from records.reports.service import AttachmentFile

_PDF = "application/pdf"
PRINTED_TITLE = "报告（可核验）"


def draw_paper(printed: PrintedReport, config: Config) -> tuple[Paper, bytes]:
    """The report on paper, as a single one is printed."""
    document = draw_report(printed, base_url=config.base_url, issuer_name=config.issuer_name)
    return Paper(PRINTED_TITLE, f"reports/{printed.report.id}.pdf", _PDF, len(document)), document


def read_papers(report_id: UUID, attachments: list[AttachmentFile]) -> Iterator[tuple[Paper, bytes | None]]:
    """What came inside a report; None: the file cannot be read now, and the rest is exported all the same."""
    for each in attachments:
        name = f"reports/{report_id}/{each.number}.{ATTACHMENT_ENDINGS[each.content_type]}"
        yield Paper(each.title, name, each.content_type, each.size_bytes), _read(each)


def _read(attachment: AttachmentFile) -> bytes | None:
    try:
        with storage.open_file(attachment.storage_key, attachment.data_key) as stream:
            return stream.read()
    except Unavailable as refusal:
        observe.log.error("attachment_left_out_of_export", code=refusal.code, address=attachment.storage_key)
        return None
