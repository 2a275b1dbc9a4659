"""Taking images in and showing them: what other packages and protocols may ask."""

from records.images.service.filing import ARCHIVED_MEDIA_TYPE, Filed, file_instance, is_filed
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
    "ARCHIVED_MEDIA_TYPE",
    "Filed",
    "InstanceFile",
    "InstanceView",
    "SeriesView",
    "StudySearch",
    "StudyView",
    "file_instance",
    "get_instance",
    "get_study",
    "is_filed",
    "list_history",
    "list_instances",
    "list_series",
    "list_studies",
]
