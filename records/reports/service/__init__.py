"""What protocols and other slices of records may ask of reports."""

from records.reports.service.filing import FiledReport, file_reports
from records.reports.service.reading import (
    ObservationView,
    ReportView,
    ResultView,
    get_report,
    list_results,
    list_texts,
)

__all__ = [
    "FiledReport",
    "ObservationView",
    "ReportView",
    "ResultView",
    "file_reports",
    "get_report",
    "list_results",
    "list_texts",
]
