"""Images as they are shown."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from records.joining.service import JoinedReport

# A scroll through a series asks for every one of its images: the patient reads of one look.
FOLD = timedelta(minutes=15)


@dataclass(frozen=True)
class InstanceView:
    r"""One instance. Without ``rows`` and ``columns`` it is no picture.

    ``orientation``: whereto its rows and columns run (``L\P``); of ``get_study`` only.
    """

    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    number: int | None
    rows: int | None
    columns: int | None
    frames: int
    orientation: str | None = None


@dataclass(frozen=True)
class SeriesView:
    """One series; ``instances`` in their order, None where they were not asked for."""

    series_instance_uid: str
    modality: str
    number: int | None
    description: str | None
    body_part: str | None
    instance_count: int
    instances: list[InstanceView] | None = None


@dataclass(frozen=True)
class StudyView:
    """One study; ``series`` in their order, None where they were not asked for.

    ``reports``: of its examination, as far as the reader may see them; of ``get_study`` only.
    """

    id: UUID
    study_instance_uid: str
    accession_number: str | None
    description: str | None
    modalities: list[str]
    hospital_name: str
    studied_at: datetime
    series_count: int
    instance_count: int
    series: list[SeriesView] | None = None
    reports: tuple[JoinedReport, ...] = ()
