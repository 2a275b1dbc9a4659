"""How a picture lies in the body, and the shape of its pixels (PS3.3, sections C.7.6.1.1.1, C.7.6.2.1.1 and 10.7)."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pydicom

# Attributes by keyword, of a data set or as they were kept of one.
Header = pydicom.Dataset | dict[str, Any]

# What says the size of a pixel, most exact first; each is the distance of rows, then that of columns.
SIZES = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing", "PixelAspectRatio")
# Beyond this it is a mistake of the file, and within that the eye sees no difference.
_MOST_RATIO, _LEAST_DIFFERENCE = 20, 0.005
# Towards the left hand, the back and the head: the axes of PS3.3, section C.7.6.2.1.1, with what lies opposite.
_AXES = (("L", "R"), ("P", "A"), ("H", "F"))
# A direction is named by another letter too when the picture is turned by a quarter of a right angle or more.
_LEAST_PART = 0.38
_WRITTEN = re.compile(r"[LRAPHF]{1,3}\\[LRAPHF]{1,3}")


def read_orientation(found: pydicom.Dataset) -> str | None:
    r"""Whereto its rows and its columns run, as PatientOrientation writes it: ``L\P`` is a slice seen from the feet.

    None where nobody says it, or its frames differ. A file that breaks the rules here is shown all the same.
    """
    names: set[str] = set()
    with suppress(Exception):
        names = {_name_cosines(one) for one in _list_cosines(found)}
        names = names or {"\\".join(str(one).strip() for one in found.get("PatientOrientation") or ())}
    name = names.pop() if len(names) == 1 else ""
    return name if _WRITTEN.fullmatch(name) else None


def read_pixel_ratio(header: Header, frame: int) -> float:
    """How many times as high as wide a pixel is; 1 where it is a square, or nobody says soundly what it is.

    :param frame: from 1.
    """
    with suppress(Exception):
        sources = list(_sources(header, frame, "PixelMeasuresSequence"))
        said: list[Any] = [source.get(keyword) for keyword in SIZES for source in sources if source.get(keyword)]
        high, wide = (float(one) for one in said[0])
        ratio = high / wide
        if 1 / _MOST_RATIO <= ratio <= _MOST_RATIO and abs(ratio - 1) >= _LEAST_DIFFERENCE:
            return ratio
    return 1.0


def _list_cosines(found: pydicom.Dataset) -> Iterator[list[float]]:
    frames = len(found.get("PerFrameFunctionalGroupsSequence") or ())
    for frame in range(1, max(1, frames) + 1):
        for source in _sources(found, frame, "PlaneOrientationSequence"):
            cosines = source.get("ImageOrientationPatient")
            if cosines:
                yield [float(one) for one in cosines]


def _sources(found: Header, frame: int, sequence: str) -> Iterator[Header]:
    """The object itself, what all its frames share, and what this frame alone has (PS3.3, section C.7.6.16)."""
    yield found
    own = found.get("PerFrameFunctionalGroupsSequence") or []
    for group in [*(found.get("SharedFunctionalGroupsSequence") or []), *own[frame - 1 : frame]]:
        yield from group.get(sequence) or []


def _name_cosines(cosines: list[float]) -> str:
    if len(cosines) != 6:
        raise ValueError
    return "\\".join(_name_direction(cosines[start : start + 3]) for start in (0, 3))


def _name_direction(direction: list[float]) -> str:
    parts = sorted(
        ((abs(part), _AXES[axis][part < 0]) for axis, part in enumerate(direction)), key=lambda part: -part[0]
    )
    return "".join(letter for size, letter in parts if size >= _LEAST_PART)
