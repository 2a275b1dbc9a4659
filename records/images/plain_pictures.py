"""Plain grey pictures, by what was kept of them at arrival: neither their header nor the rest of their file is read.

Most pictures are so: one sample of 8 or 16 bits a pixel, not compressed, with a window and a rescale at most.
"""

import json
from typing import Any

import numpy as np
from pydicom.datadict import tag_for_keyword

from records.images import geometry, pixels
from records.images.details import ADDRESS, PLAIN
from records.images.service import InstanceFile

Array = np.ndarray[Any, Any]
_Told = dict[str, dict[str, Any]]

_GREY = {"MONOCHROME1", "MONOCHROME2"}
# With one of them, values are looked up in tables of the file, or a frame has attributes of its own.
_NOT_PLAIN = {
    f"{tag_for_keyword(keyword):08X}"
    for keyword in (
        "ModalityLUTSequence",
        "VOILUTSequence",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
    )
}
_DRAWN = {
    keyword: f"{tag_for_keyword(keyword):08X}"
    for keyword in (
        "WindowCenter",
        "WindowWidth",
        "VOILUTFunction",
        "RescaleSlope",
        "RescaleIntercept",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "PresentationLUTShape",
        "PhotometricInterpretation",
        *geometry.SIZES,
    )
}


def read_plain(file: InstanceFile, frame: int) -> tuple[Array, dict[str, Any]] | None:
    """The stored values of a frame, row by row, and by keyword what says how they are shown; None: no such picture.

    :param frame: from 1.
    :raises ImageNotDecodable: the file is cut off.
    :raises FileDamaged: the file is missing or altered.
    """
    view = file.view
    if view.transfer_syntax_uid not in PLAIN or file.archived or not (file.metadata_sealed and file.frame_places):
        return None
    told: _Told = json.loads(file.read_metadata().replace(ADDRESS, b""))
    stored = _read_type(told)
    if stored is None or not _NOT_PLAIN.isdisjoint(told):
        return None
    (content,) = pixels.read_stored_frames(file, [frame])
    values, unused_bits = np.frombuffer(content, stored[0]), stored[1]
    if view.rows is None or view.columns is None or values.size != view.rows * view.columns:
        return None
    if unused_bits:
        # Whatever stands in them belongs to nobody (PS3.5, section 8.1.1).
        values = values << unused_bits >> unused_bits
    return values.reshape(view.rows, view.columns), {
        keyword: _value(told, tag) for keyword, tag in _DRAWN.items() if tag in told
    }


def _read_type(told: _Told) -> tuple[str, int] | None:
    """Of the stored values, in numpy's way, and how many of their upper bits are not used; None: no plain grey."""
    bits, stored, high, signed = (_value(told, tag) for tag in ("00280100", "00280101", "00280102", "00280103"))
    is_grey = _value(told, "00280002") == 1 and _value(told, "00280004") in _GREY and "7FE00010" in told
    if not is_grey or bits not in {8, 16} or signed not in {0, 1} or stored not in range(1, bits + 1):
        return None
    return (f"<{'i' if signed else 'u'}{bits // 8}", bits - stored) if high == stored - 1 else None


def _value(told: _Told, tag: str) -> Any:
    """One value, or several as a list."""
    values = told.get(tag, {}).get("Value") or [None]
    return values if len(values) > 1 else values[0]
