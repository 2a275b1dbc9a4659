"""Taking images in and showing them: what other packages and protocols may ask."""

from records.images.service.adding import ARCHIVED_MEDIA_TYPE, FILED_TOPIC
from records.images.service.filing import Filed, file_instance, file_together, hold_study, is_filed
from records.images.service.keeping import list_kept
from records.images.service.reading import get_study, list_history
from records.images.service.retrieving import (
    InstanceFile,
    find_instance,
    find_metadata,
    get_instance,
    is_still_readable,
    list_files,
    list_metadata,
)
from records.images.service.searching import (
    ATTRIBUTES,
    Criterion,
    Hit,
    Kind,
    Level,
    Page,
    Search,
    find_images,
    search_images,
)
from records.images.service.selecting import Pointed, SelectionView, keep_selection
from records.images.service.views import InstanceView, KeyImageView, SeriesView, StudyView

__all__ = [
    "ARCHIVED_MEDIA_TYPE",
    "ATTRIBUTES",
    "FILED_TOPIC",
    "Criterion",
    "Filed",
    "Hit",
    "InstanceFile",
    "InstanceView",
    "KeyImageView",
    "Kind",
    "Level",
    "Page",
    "Pointed",
    "Search",
    "SelectionView",
    "SeriesView",
    "StudyView",
    "file_instance",
    "file_together",
    "find_images",
    "find_instance",
    "find_metadata",
    "get_instance",
    "get_study",
    "hold_study",
    "is_filed",
    "is_still_readable",
    "keep_selection",
    "list_files",
    "list_history",
    "list_kept",
    "list_metadata",
    "search_images",
]
