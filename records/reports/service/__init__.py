"""What protocols and other slices of records may ask of reports."""

from records.reports.service.filing import FiledReport, file_reports, match_subject
from records.reports.service.plain import Offered, file_plain
from records.reports.service.reading import (
    AttachmentView,
    ObservationView,
    ReportView,
    ResultView,
    get_report,
    list_results,
    list_texts,
    open_attachment,
)

__all__ = [
    "AttachmentView",
    "FiledReport",
    "ObservationView",
    "Offered",
    "ReportView",
    "ResultView",
    "file_plain",
    "file_reports",
    "get_report",
    "list_results",
    "list_texts",
    "match_subject",
    "open_attachment",
]
