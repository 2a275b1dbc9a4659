"""Values that are what they look like, straight from a file's bytes to DICOM JSON (PS3.18, section F.2).

Nine of ten elements of a file are short texts or numbers in ASCII. pydicom makes an object of each, which is most of
the cost of taking an image in; whatever is not plain is left to it.
"""

import json
import math
import re
import struct
from collections.abc import Callable
from typing import Any

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement

# No escape sequences: in every character set of DICOM these bytes are what they are in ASCII.
_PLAIN = re.compile(rb"[ -~]+\0?")
_LONGEST = 1024
_DECIMAL = re.compile(r" *([+-]?[0-9]{1,16}(?:\.[0-9]{0,16})?(?:[eE][+-]?[0-9]{1,2})?) *")
_INTEGER = re.compile(r" *([+-]?[0-9]{1,12}) *")
_NUMBERS = {"US": "H", "SS": "h", "UL": "L", "SL": "l", "FL": "f", "FD": "d"}
_PALETTES = 0x0028

_Read = Callable[[str], list[Any] | None]


def write_plain(raw: object) -> bytes | None:
    """An element that is as it was read, as a member of a JSON object; None: it is not plain, or not as it was read."""
    if not isinstance(raw, RawDataElement) or not raw.value or len(raw.value) > _LONGEST:
        return None
    vr = raw.VR or _look_up(raw)
    if vr in _NUMBERS:
        values = _read_numbers(raw, vr)
    elif vr in _READERS and _PLAIN.fullmatch(raw.value) and not (vr == "AE" and raw.value[-1] == 0):
        values = _READERS[vr](raw.value.decode("ascii").rstrip(" \0"))
    else:
        return None
    return f'"{raw.tag:08X}":{{"vr":"{vr}","Value":{json.dumps(values)}}}'.encode() if values else None


def _look_up(raw: RawDataElement) -> str | None:
    """Where the file does not say it; what a private one is says somebody else."""
    try:
        return None if raw.tag.is_private else dictionary_VR(raw.tag)
    except KeyError:
        return None


def _read_numbers(raw: RawDataElement, vr: str) -> list[Any] | None:
    assert raw.value is not None
    form = _NUMBERS[vr]
    count, rest = divmod(len(raw.value), struct.calcsize(f"={form}"))
    # The first value of a palette's descriptor is unsigned, whatever is said of it.
    if rest or (vr == "SS" and raw.tag.group == _PALETTES):
        return None
    values = list(struct.unpack(f"{'<' if raw.is_little_endian else '>'}{count}{form}", raw.value))
    return values if all(map(math.isfinite, values)) else None


def _read_texts(text: str) -> list[Any] | None:
    values = [one.rstrip(" ") for one in text.split("\\")]
    return values if all(values) else None


def _read_codes(text: str) -> list[Any] | None:
    """Blanks before the end belong to them."""
    values = text.split("\\")
    return values if all(values) else None


def _read_names(text: str) -> list[Any] | None:
    """Of application entities, and UIDs: blanks around them mean nothing."""
    values = [one.strip(" ") for one in text.split("\\")]
    return values if all(values) else None


def _read_one(text: str) -> list[Any] | None:
    return [text] if text else None


def _read_decimals(text: str) -> list[Any] | None:
    found = [_DECIMAL.fullmatch(one) for one in text.split("\\")]
    return [float(one[1]) for one in found if one] if all(found) else None


def _read_integers(text: str) -> list[Any] | None:
    found = [_INTEGER.fullmatch(one) for one in text.split("\\")]
    return [int(one[1]) for one in found if one] if all(found) else None


_READERS: dict[str, _Read] = {
    **dict.fromkeys(("AS", "CS", "DA", "DT", "TM"), _read_codes),
    **dict.fromkeys(("LO", "SH", "UC"), _read_texts),
    **dict.fromkeys(("LT", "ST", "UT"), _read_one),
    **dict.fromkeys(("AE", "UI"), _read_names),
    "DS": _read_decimals,
    "IS": _read_integers,
}
