"""Images as they are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from records.images.service.selecting import SelectionView
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
    bits_allocated: int | None = None
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
    performed_at: datetime | None = None
    requests: Sequence[dict[str, str]] = ()
    instances: list[InstanceView] | None = None


@dataclass(frozen=True)
class KeyImageView:
    """An instance that was pointed out. ``frames``: which of its frames; none: all of it."""

    reasons: tuple[str, ...]
    frames: tuple[int, ...]


@dataclass(frozen=True)
class StudyView:
    """One study; ``series`` in their order, None where they were not asked for.

    ``reports``: of its examination, as far as the reader may see them; ``selections``: its key object selections; both
    of ``get_study`` only.
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
    local_id: str | None = None
    referring_physician: str | None = None
    series: list[SeriesView] | None = None
    reports: tuple[JoinedReport, ...] = ()
    selections: tuple[SelectionView, ...] = ()

    def list_key_images(self) -> dict[str, KeyImageView]:
        """What was pointed out in the study, by SOPInstanceUID, in that order."""
        found: dict[str, KeyImageView] = {}
        for selection in self.selections:
            for image in selection.images if not selection.is_rejection else ():
                known = found.get(image.sop_instance_uid)
                reasons, frames = (known.reasons, known.frames) if known else ((), ())
                # Where one selection means the whole image, no frame of it is special.
                is_whole = not image.frames or (known is not None and not known.frames)
                found[image.sop_instance_uid] = KeyImageView(
                    tuple(dict.fromkeys((*reasons, selection.title))),
                    () if is_whole else tuple(sorted({*frames, *image.frames})),
                )
        return found
