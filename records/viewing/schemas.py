"""What a view is asked for, and what its page and script get."""

from collections import Counter
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown
from records.images import documents
from records.images.service import InstanceView, SeriesView, StudyView
from records.images.slow import FIRST_LOOK_PIXELS, is_large
from records.viewing.presets import list_presets

_KINDS = {
    **dict.fromkeys(documents.REPORTS, "结构化报告"),
    documents.KEY_SELECTION: "关键图像说明",
    documents.ENCAPSULATED_PDF: "PDF 文档",
}
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
    """What the page's script needs of each series that has pictures, in their order; before them what of each was
    pointed out.

    ``images``: [SOPInstanceUID, frames, whether it is larger than a first look needs, whereto it runs] each.

    :param base: the address of the study's view.
    """
    keys = list(study.list_key_images())
    numbered = [(one, f"序列 {one.number or position}") for position, one in enumerate(study.series or [], 1)]
    described = [
        _describe(one, "关键图像", base, pointed_out) | {"is_key": True, "kind": one.description or name}
        for one, name in numbered
        if (pointed_out := _list_key_pictures(one, keys))
    ]
    return described + [
        _describe(one, one.description or name, base, pictures)
        for one, name in numbered
        if (pictures := list_pictures(one))
    ]


def _describe(one: SeriesView, title: str, base: str, pictures: list[InstanceView]) -> dict[str, Any]:
    return {
        "title": title,
        "is_key": False,
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


def _list_key_pictures(series: SeriesView, keys: list[str]) -> list[InstanceView]:
    """Those of a series that were pointed out, in the order in which they were."""
    pictures = {one.sop_instance_uid: one for one in list_pictures(series)}
    return [pictures[uid] for uid in keys if uid in pictures]


def describe_rest(study: StudyView) -> list[str]:
    """What a reader is told about the study's key object selections, and about what is no picture."""
    told = []
    for one in study.selections:
        if one.is_rejection:
            told.append(f"医院已标记 {len(one.images)} 幅不再使用：{one.title}")
            continue
        beside = [f"{one.missing} 幅尚未上传"] * bool(one.missing)
        beside += [f"另指出其他检查的 {one.elsewhere} 幅"] * bool(one.elsewhere)
        said = "，".join([f"关键图像 {len(one.images)} 幅：{one.title}", *beside])
        told.append(f"{said}。{one.description}" if one.description else said)
    others = Counter(
        _KINDS.get(instance.sop_class_uid, "其他对象")
        for series in study.series or []
        for instance in series.instances or []
        if not (instance.rows and instance.columns)
    )
    if others:
        counted = "、".join(f"{kind} {count} 个" for kind, count in others.items())
        told.append(f"不能显示为图像：{counted}")
    return told


def list_pictures(series: SeriesView) -> list[InstanceView]:
    """The instances of a series that are pictures."""
    return [one for one in series.instances or [] if one.rows and one.columns]


def choose_start(series: list[dict[str, Any]]) -> tuple[int, int]:
    """Where to begin: at what was pointed out; else in the series of most images (a scout view says little), of a
    stack of slices in its middle.
    """
    if not series or series[0]["is_key"]:
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
