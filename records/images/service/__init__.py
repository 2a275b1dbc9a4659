"""Taking images in and showing them: what other packages and protocols may ask."""

from records.images.service.filing import Filed, file_instance, hold_study
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
    "Filed",
    "InstanceFile",
    "InstanceView",
    "SeriesView",
    "StudySearch",
    "StudyView",
    "file_instance",
    "get_instance",
    "get_study",
    "hold_study",
    "list_history",
    "list_instances",
    "list_series",
    "list_studies",
]
