"""What protocols and other slices of records may ask of reports."""

from records.reports.service.filing import FiledReport, file_reports
from records.reports.service.reading import ObservationView, ReportView, get_report

__all__ = ["FiledReport", "ObservationView", "ReportView", "file_reports", "get_report"]
