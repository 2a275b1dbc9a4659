"""What a view is asked for, and what its page and script get."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown
from records.images.service import InstanceView, SeriesView, StudyView
from records.images.slow import FIRST_LOOK_PIXELS, is_large
from records.viewing.presets import list_presets

# More than this nobody scrolls through, and a broken header may claim any number.
MOST_FRAMES = 2000
THUMBNAIL_PIXELS = 144
# The middle of a stack says most; of what comes in few pictures, the first.
_STACK = 8


class ViewPath(Received):
    study_id: UUID


class PicturePath(ViewPath):
    series: str = Field(description="SeriesInstanceUID", max_length=64, pattern=r"^[0-9.]+$")
    instance: str = Field(description="SOPInstanceUID", max_length=64, pattern=r"^[0-9.]+$")
    frame: int = Field(description="from 1", ge=1, le=2**31 - 1)


class CopyQuery(Received):
    use: Literal["own", "shared"] = Field(
        "own", description="shared: for somebody else, without anything that says whose images they are"
    )


class TicketQuery(Received):
    ticket: str = Field(max_length=128)


class StudyViewShown(Shown):
    """``address`` opens the study in a browser, once."""

    address: str = Field(description="a path of this site with a one-time ticket; open it within a minute")
    expires_at: datetime = Field(description="of the ticket; the page it opens shows the study for 15 minutes")


def describe_series(study: StudyView, base: str) -> list[dict[str, Any]]:
    """What the page's script needs of each series that has pictures, in their order.

    ``images``: [SOPInstanceUID, frames, whether it is larger than a first look needs, whereto it runs] each.

    :param base: the address of the study's view.
    """
    return [
        {
            "title": one.description or f"序列 {one.number or position}",
            "kind": " · ".join(text for text in (one.modality, one.body_part) if text),
            "base": f"{base}/series/{one.series_instance_uid}/instances",
            "images": [
                [
                    image.sop_instance_uid,
                    min(image.frames, MOST_FRAMES),
                    is_large(image.rows, image.columns),
                    image.orientation,
                ]
                for image in pictures
            ],
            "count": sum(min(image.frames, MOST_FRAMES) for image in pictures),
            "moves": any(image.frames > 1 for image in pictures),
            "presets": [[preset.name, preset.window] for preset in list_presets(one.modality, one.body_part)],
        }
        for position, one in enumerate(study.series or [], 1)
        if (pictures := list_pictures(one))
    ]


def list_pictures(series: SeriesView) -> list[InstanceView]:
    """The instances of a series that are pictures."""
    return [one for one in series.instances or [] if one.rows and one.columns]


def choose_start(series: list[dict[str, Any]]) -> tuple[int, int]:
    """Where to begin: the series of most images (a scout view says little), and in a stack of slices its middle."""
    if not series:
        return 0, 0
    longest = max(range(len(series)), key=lambda position: (len(series[position]["images"]), -position))
    images = series[longest]["images"]
    return longest, len(images) // 2 if len(images) >= _STACK and not series[longest]["moves"] else 0


def picture_address(series: dict[str, Any], position: int) -> str:
    """The address of a series' picture as it is first shown; positions count instances, from 0."""
    sop_uid, _, large, _ = series["images"][position]
    fit = f"?viewport={FIRST_LOOK_PIXELS},{FIRST_LOOK_PIXELS}" if large else ""
    return f"{series['base']}/{sop_uid}/frames/1/rendered{fit}"


def thumbnail_address(series: dict[str, Any]) -> str:
    """The address of the small picture that stands for a series: of its middle."""
    sop_uid = series["images"][len(series["images"]) // 2][0]
    return f"{series['base']}/{sop_uid}/frames/1/rendered?viewport={THUMBNAIL_PIXELS},{THUMBNAIL_PIXELS}"
