"""Taking images in and showing them: what other packages and protocols may ask."""

from records.images.service.filing import FILED_TOPIC, Filed, file_instance
from records.images.service.keeping import list_kept
from records.images.service.reading import (
    InstanceFile,
    InstanceView,
    SeriesView,
    StudySearch,
    StudyView,
    get_instance,
    get_study,
    list_history,
    list_instances,
    list_series,
    list_studies,
)

__all__ = [
    "FILED_TOPIC",
    "Filed",
    "InstanceFile",
    "InstanceView",
    "SeriesView",
    "StudySearch",
    "StudyView",
    "file_instance",
    "get_instance",
    "get_study",
    "list_history",
    "list_instances",
    "list_kept",
    "list_series",
    "list_studies",
]
