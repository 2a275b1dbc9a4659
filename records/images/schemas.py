"""A study as a phone or a page gets it."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from core.api import Received, Shown
from records.images.service import InstanceView, SeriesView, StudyView

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
    series: list[SeriesShown]
    reports: list[StudyReportShown] = Field(
        description="of the examination, by its accession number: what the reader may see; newest first"
    )


def show_study(study: StudyView) -> StudyShown:
    """A study with ready-made addresses."""
    base = f"/dicomweb/studies/{study.study_instance_uid}/series"
    return StudyShown(
        **{name: getattr(study, name) for name in StudyShown.model_fields if name not in {"series", "reports"}},
        series=[_show_series(one, f"{base}/{one.series_instance_uid}/instances") for one in study.series or []],
        reports=[StudyReportShown.model_validate(one) for one in study.reports],
    )


def _show_series(series: SeriesView, base: str) -> SeriesShown:
    return SeriesShown(
        series_instance_uid=series.series_instance_uid,
        modality=series.modality,
        number=series.number,
        description=series.description,
        body_part=series.body_part,
        instances=[_show_instance(one, f"{base}/{one.sop_instance_uid}") for one in series.instances or []],
    )


def _show_instance(instance: InstanceView, base: str) -> InstanceShown:
    frames = range(1, min(instance.frames, MOST_FRAME_PATHS) + 1) if instance.rows else ()
    return InstanceShown(
        sop_instance_uid=instance.sop_instance_uid,
        number=instance.number,
        rows=instance.rows,
        columns=instance.columns,
        frames=instance.frames,
        frame_paths=[f"{base}/frames/{number}/rendered" for number in frames],
    )
