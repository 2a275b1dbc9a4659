"""A study as a phone or a page gets it."""

from collections.abc import Container
from datetime import datetime
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown
from records.images.service import InstanceView, KeyImageView, SelectionView, SeriesView, StudyView

# A whole-slide picture has more tiles than anybody scrolls through, and a broken header may claim any number.
MOST_FRAME_PATHS = 2000


class StudyPath(Received):
    study_id: UUID


class InstanceShown(Shown):
    sop_instance_uid: str
    number: int | None
    rows: int | None
    columns: int | None
    frames: int
    frame_paths: list[str] = Field(
        description="addresses of the frames as JPEG, in order (at most 2,000); empty when it is no picture"
    )
    is_key: bool = Field(description="somebody has pointed it out: it stands in `key_images` of the study")


class KeyImageShown(Shown):
    series_instance_uid: str
    sop_instance_uid: str
    reasons: list[str] = Field(description="titles of the key object selections that point it out")
    frames: list[int] = Field(description="which of its frames are meant, from 1; empty: all of it")
    frame_paths: list[str] = Field(description="addresses of what is meant as JPEG; empty when it is no picture")


class KeySelectionShown(Shown):
    """A key object selection (DICOM PS3.3, section A.35.4) among the instances of the study."""

    sop_instance_uid: str
    title: str = Field(description="why the images were chosen: code meaning of the document title")
    description: str | None = Field(description="in free words, as it was written")
    is_rejection: bool = Field(description="the images were chosen not to be used, and are no key images by it")
    images: int = Field(description="so many of the study it points out")
    missing: int = Field(description="so many more of the study, which have not arrived")
    elsewhere: int = Field(description="so many of other studies, about which it changes nothing")


class SeriesShown(Shown):
    series_instance_uid: str
    modality: str = Field(description="DICOM defined term: CT, MR, DX, US ...")
    number: int | None
    description: str | None
    body_part: str | None
    instances: list[InstanceShown]


class StudyReportShown(Shown):
    id: UUID = Field(description="of GET /api/v1/reports/{report_id}")
    name: str
    status: str = Field(description="preliminary, final, amended, corrected, cancelled")


class StudyShown(Shown):
    id: UUID
    study_instance_uid: str
    accession_number: str | None
    description: str | None
    modalities: list[str]
    hospital_name: str
    studied_at: datetime
    series_count: int
    instance_count: int
    key_images: list[KeyImageShown] = Field(description="what to look at first, in the order of the selections")
    key_selections: list[KeySelectionShown]
    series: list[SeriesShown]
    reports: list[StudyReportShown] = Field(
        description="of the examination, by its accession number or its UID: what the reader may see; newest first"
    )


_MADE = {"series", "reports", "key_images", "key_selections"}


def show_study(study: StudyView) -> StudyShown:
    """A study with ready-made addresses."""
    base = f"/dicomweb/studies/{study.study_instance_uid}/series"
    keys = study.list_key_images()
    series = [_show_series(one, f"{base}/{one.series_instance_uid}/instances", keys) for one in study.series or []]
    return StudyShown(
        **{name: getattr(study, name) for name in StudyShown.model_fields if name not in _MADE},
        key_images=_show_keys(series, keys),
        key_selections=[_show_selection(one) for one in study.selections],
        series=series,
        reports=[StudyReportShown.model_validate(one) for one in study.reports],
    )


def _show_keys(series: list[SeriesShown], keys: dict[str, KeyImageView]) -> list[KeyImageShown]:
    places = {image.sop_instance_uid: (one, image) for one in series for image in one.instances if image.is_key}
    return [
        KeyImageShown(
            series_instance_uid=one.series_instance_uid,
            sop_instance_uid=uid,
            reasons=list(key.reasons),
            frames=list(key.frames),
            frame_paths=[
                path for number, path in enumerate(image.frame_paths, 1) if not key.frames or number in key.frames
            ],
        )
        for uid, key in keys.items()
        for one, image in (places[uid],)
    ]


def _show_selection(selection: SelectionView) -> KeySelectionShown:
    return KeySelectionShown(
        sop_instance_uid=selection.sop_instance_uid,
        title=selection.title,
        description=selection.description,
        is_rejection=selection.is_rejection,
        images=len(selection.images),
        missing=selection.missing,
        elsewhere=selection.elsewhere,
    )


def _show_series(series: SeriesView, base: str, keys: Container[str]) -> SeriesShown:
    return SeriesShown(
        series_instance_uid=series.series_instance_uid,
        modality=series.modality,
        number=series.number,
        description=series.description,
        body_part=series.body_part,
        instances=[
            _show_instance(one, f"{base}/{one.sop_instance_uid}", is_key=one.sop_instance_uid in keys)
            for one in series.instances or []
        ],
    )


def _show_instance(instance: InstanceView, base: str, *, is_key: bool) -> InstanceShown:
    frames = range(1, min(instance.frames, MOST_FRAME_PATHS) + 1) if instance.rows else ()
    return InstanceShown(
        sop_instance_uid=instance.sop_instance_uid,
        number=instance.number,
        rows=instance.rows,
        columns=instance.columns,
        frames=instance.frames,
        frame_paths=[f"{base}/frames/{number}/rendered" for number in frames],
        is_key=is_key,
    )
