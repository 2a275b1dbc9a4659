"""What protocols and other slices of records may ask of reports."""

from records.reports.service.filing import FILED_TOPIC, FiledReport, file_reports
from records.reports.service.reading import (
    ObservationView,
    ReportView,
    ResultView,
    get_report,
    list_history,
    list_results,
)
from records.reports.service.versions import (
    VersionFacts,
    get_current_version,
    get_version,
    get_version_facts,
    list_version_facts,
)

__all__ = [
    "FILED_TOPIC",
    "FiledReport",
    "ObservationView",
    "ReportView",
    "ResultView",
    "VersionFacts",
    "file_reports",
    "get_current_version",
    "get_report",
    "get_version",
    "get_version_facts",
    "list_history",
    "list_results",
    "list_version_facts",
]
