"""Which side of a picture is which side of the body, and pixels that are no squares."""

import io
from collections.abc import Sequence
from typing import Any

import pydicom
import pytest
from PIL import Image

from records.images import geometry, render
from tests.support import dicom, studies

AXIAL, SAGITTAL, OBLIQUE = [1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [0.7071, 0.7071, 0, 0, 0.1, -0.995]


@pytest.mark.parametrize(
    ("cosines", "said"),
    [(AXIAL, "L\\P"), (SAGITTAL, "P\\F"), ([-1, 0, 0, 0, 0, -1], "R\\F"), (OBLIQUE, "LP\\F"), ([0] * 6, None)],
)
def test_rows_and_columns_are_named_by_where_they_run(cosines: list[float], said: str | None) -> None:
    assert geometry.read_orientation(dicom.make_image(ImageOrientationPatient=cosines)) == said


def grouped(*each: Sequence[float]) -> list[pydicom.Dataset]:
    """Functional groups of frames, each with its own orientation."""
    groups = []
    for cosines in each:
        plane, group = pydicom.Dataset(), pydicom.Dataset()
        plane.ImageOrientationPatient = list(cosines)
        group.PlaneOrientationSequence = [plane]
        groups.append(group)
    return groups


def test_what_frames_say_counts_where_they_agree_and_a_projection_says_it_in_words() -> None:
    none: dict[str, Any] = {"ImageOrientationPatient": None}
    agreed = dicom.make_image(PerFrameFunctionalGroupsSequence=grouped(AXIAL, AXIAL), **none)
    differ = dicom.make_image(PerFrameFunctionalGroupsSequence=grouped(AXIAL, SAGITTAL), **none)
    shared = dicom.make_image(SharedFunctionalGroupsSequence=grouped(SAGITTAL), **none)
    found = [geometry.read_orientation(image) for image in (agreed, differ, shared)]
    assert found == ["L\\P", None, "P\\F"]
    for words, said in ((["L", "F"], "L\\F"), (["L", "PF"], "L\\PF"), (["LE", "V"], None), ("L", None), (None, None)):
        assert geometry.read_orientation(dicom.make_image(PatientOrientation=words, **none)) == said


def size_of(name: str, look: render.Look = render.AS_IT_IS, **attributes: object) -> tuple[int, int]:
    content = dicom.to_bytes(studies.picture(name, **attributes))
    return Image.open(io.BytesIO(render.render_frame(io.BytesIO(content), frame=1, look=look))).size


def test_pixels_that_are_no_squares_become_squares() -> None:
    assert size_of("color-px.dcm") == (256, 160), "120 rows, of pixels four high and three wide"
    assert size_of("CT_small.dcm", PixelSpacing=[0.5, 1]) == (256, 128)
    assert size_of("CT_small.dcm", render.Look(size=(64, 64)), PixelSpacing=[2, 1]) == (32, 64)
    assert size_of("CT_small.dcm", PixelSpacing=[0.5, 0.501]) == (128, 128)


@pytest.mark.parametrize("spacing", [[0, 1], [1, 0], [1000, 1], [1], ["", ""]])
def test_a_senseless_spacing_changes_nothing(spacing: list[object]) -> None:
    assert size_of("CT_small.dcm", PixelSpacing=spacing) == (128, 128)
