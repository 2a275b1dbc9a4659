"""What is written straight from the bytes of a file is what pydicom makes of them."""

import json
import struct
from typing import Any

import pydicom
import pytest
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from records.images import details
from records.images.dicom import quietly
from records.images.plain_values import write_plain

FILES = [
    *("CT_small.dcm", "MR_small.dcm", "MR_small_bigendian.dcm", "ExplVR_BigEnd.dcm", "reportsi.dcm", "rtplan.dcm"),
    *("test-SR.dcm", "image_dfl.dcm", "badVR.dcm", "nested_priv_SQ.dcm", "examples_palette.dcm", "no_meta.dcm"),
]
CURVE = 0x00189999
TEXTS = ["AE", "AS", "CS", "DA", "DT", "LO", "LT", "SH", "ST", "TM", "UC", "UI", "UT"]

TRIED = [
    *(b"1", b"1 ", b" 1", b"1\\2", b" 1 \\ 2 ", b"1\\ ", b"\\1", b"\\", b" ", b"1\0", b"1 \0", b"1.0", b"1.50\\-2e3 "),
    *(b"1e400", b"-0", b"007", b"+1", b"1.", b".5", b"1,5", b"nan", b"inf", b"99999999999999999999", b'A"B', b"A\tB"),
    *(b"A\x1b$BB", b"\xe4\xf6", b"A\0B", b"2.25.1\\2.25.2\0"),
]


def members(dataset: pydicom.Dataset) -> dict[str, Any]:
    with quietly():
        written: dict[str, Any] = json.loads(details.write_metadata(dataset, None).replace(details.ADDRESS, b"A"))
    return written


@pytest.mark.parametrize("name", [*FILES, *(path for path in get_charset_files("*.dcm"))])
def test_plain_values_are_what_pydicom_makes_of_them(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    path = name if "/" in name else str(get_testdata_file(name, download=False))
    with quietly():
        first, second = (pydicom.dcmread(path, stop_before_pixels=True, force=True) for _ in range(2))
    by_hand = members(first)
    monkeypatch.setattr(details, "write_plain", lambda _raw: None)
    assert by_hand == members(second)
    assert by_hand


@pytest.mark.parametrize("vr", [*TEXTS, "DS", "IS"])
def test_a_text_or_number_is_plain_or_left_to_pydicom(monkeypatch: pytest.MonkeyPatch, vr: str) -> None:
    for value in TRIED:
        with monkeypatch.context() as within:
            check_same(within, RawDataElement(Tag(CURVE), vr, len(value), value, 0, False, True, True, False))


@pytest.mark.parametrize(
    ("vr", "value", "is_little"),
    [
        *(("US", struct.pack("<3H", 0, 1, 65535), True), ("SS", struct.pack(">2h", -1, 7), False)),
        *(("UL", b"\1\2\3\4", True), ("SL", b"\xff\xff\xff\xff", True), ("US", b"\1\2\3", True)),
        *(("FD", struct.pack("<2d", 0.1, -1e300), True), ("FL", struct.pack("<f", 0.1), True)),
        *(("FL", struct.pack("<f", float("nan")), True), ("FD", struct.pack("<d", float("inf")), True)),
    ],
)
def test_a_binary_number_is_plain_or_left_to_pydicom(
    monkeypatch: pytest.MonkeyPatch, vr: str, value: bytes, is_little: bool
) -> None:
    check_same(monkeypatch, RawDataElement(Tag(CURVE), vr, len(value), value, 0, False, is_little, True, False))


def test_the_first_value_of_a_palette_descriptor_is_unsigned(monkeypatch: pytest.MonkeyPatch) -> None:
    value = struct.pack("<3h", -1, 0, 16)
    raw = RawDataElement(Tag("RedPaletteColorLookupTableDescriptor"), "SS", 6, value, 0, False, True, True, False)
    assert check_same(monkeypatch, raw) == {"00281101": {"vr": "SS", "Value": [65535, 0, 16]}}


def test_what_most_elements_are_is_plain() -> None:
    image = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)), stop_before_pixels=True)
    plain = [tag for tag in list(image.keys()) if write_plain(image.get_item(tag))]
    assert len(plain) > 0.9 * len(image)


def check_same(monkeypatch: pytest.MonkeyPatch, raw: RawDataElement) -> dict[str, Any]:
    """What is written by hand, which is what is written without it."""
    by_hand = members(pydicom.Dataset({raw.tag: raw}))
    monkeypatch.setattr(details, "write_plain", lambda _raw: None)
    assert by_hand == members(pydicom.Dataset({raw.tag: raw}))
    return by_hand
