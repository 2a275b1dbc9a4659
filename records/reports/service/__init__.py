"""What protocols and other slices of records may ask of reports."""

from records.reports.service.facts import (
    SentReport,
    VersionFacts,
    get_current_version,
    get_sent,
    get_version,
    get_version_facts,
    is_report,
    list_version_facts,
)
from records.reports.service.filing import file_reports, match_subject
from records.reports.service.plain import Offered, file_plain
from records.reports.service.reading import (
    AttachmentFile,
    AttachmentView,
    ObservationView,
    ReportView,
    ResultView,
    get_report,
    list_attachment_files,
    list_history,
    list_results,
    list_texts,
    open_attachment,
)
from records.reports.service.writing import CHANGED_TOPIC, FILED_TOPIC, FiledReport

__all__ = [
    "CHANGED_TOPIC",
    "FILED_TOPIC",
    "AttachmentFile",
    "AttachmentView",
    "FiledReport",
    "ObservationView",
    "Offered",
    "ReportView",
    "ResultView",
    "SentReport",
    "VersionFacts",
    "file_plain",
    "file_reports",
    "get_current_version",
    "get_report",
    "get_sent",
    "get_version",
    "get_version_facts",
    "is_report",
    "list_attachment_files",
    "list_history",
    "list_results",
    "list_texts",
    "list_version_facts",
    "match_subject",
    "open_attachment",
]
