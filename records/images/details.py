"""What of an instance never changes and is asked for again and again: its attributes as DICOM JSON, and where each of
its frames lies in the file. Both are made at arrival and kept beside the index.
"""

import base64
import json
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, BinaryIO

import pydicom
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from records.images.plain_values import write_plain

NATIVE = {ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian}
# Native, with samples as they lie in Explicit VR Little Endian.
PLAIN = {ImplicitVRLittleEndian, ExplicitVRLittleEndian}
LARGEST_INLINE_BYTES = 1024
# Above, metadata is made anew when it is asked for: thousands of frames with a description of their own.
LARGEST_KEPT_BYTES = 512 * 1024
MOST_FRAGMENTS = 100_000
METADATA_CONTEXT = "instance_details.metadata"
# Stands for the instance's address in kept metadata. It cannot occur in JSON, which escapes it.
ADDRESS = b"\x01"

_BINARY = {"OB", "OD", "OF", "OL", "OV", "OW", "UN", "OB or OW", "US or OW", "US or SS or OW"}
_PIXEL_TAGS = {0x7FE00010: "OW", 0x7FE00009: "OD", 0x7FE00008: "OF"}
_ITEM, _END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0"
_OPEN_ENDED = 0xFFFFFFFF


@dataclass(frozen=True)
class PixelData:
    """The element that holds the pixels: where its value begins in the file; ``size`` None: it is encapsulated."""

    tag: int
    vr: str
    start: int
    size: int | None


@dataclass(frozen=True)
class Details:
    """What is kept of an instance beside its row; None where it could not be made.

    :ivar metadata: DICOM JSON without bulk data, deflated; ``ADDRESS`` stands for the instance's address.
    :ivar frames: places in the file (``unpack_frames``). Encapsulated: the beginning of each frame's first fragment,
        and the end of the last one's; native: beginning and end of the first frame, the others follow as close.
    """

    metadata: bytes | None = None
    frames: bytes | None = None

    @property
    def size_bytes(self) -> int:
        """What they take of memory."""
        return len(self.metadata or b"") + len(self.frames or b"")


def unpack_frames(packed: bytes) -> tuple[int, ...]:
    """Places in a file out of 64-bit numbers, lowest byte first."""
    return struct.unpack(f"<{len(packed) // 8}Q", packed)


def describe(found: pydicom.Dataset, stream: BinaryIO, syntax: str) -> Details:
    """The details of a file that was just read up to its pixels; the stream stands there.

    A file that breaks the rules so far that one of them cannot be made is filed all the same.
    """
    place = stream.tell()
    metadata = frames = None
    with suppress(Exception):
        metadata = _deflate(found, stream, syntax, place)
    with suppress(Exception):
        frames = _pack(_find_frames(found, stream, syntax, place))
    return Details(metadata, frames)


def write_metadata(found: pydicom.Dataset, pixels: PixelData | None) -> bytes:
    """All attributes in the DICOM JSON model (PS3.18, annex F); bulk data by address (``ADDRESS``/bulkdata/...).

    A value that cannot be represented is left out.
    """
    members = list(_write_elements(found, ""))
    if pixels is not None:
        members.append(_write_bulk(f"{pixels.tag:08X}", pixels.vr, f"{pixels.tag:08X}"))
    return b"{" + b",".join(members) + b"}"


def find_pixel_data(stream: BinaryIO, syntax: str, place: int) -> PixelData | None:
    """The element at this place of the file, when it is one of pixels.

    :param place: where reading before the pixels has stopped.
    """
    stream.seek(place)
    head = stream.read(12)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    if len(head) < 12:
        return None
    group, element = struct.unpack(f"{order}HH", head[:4])
    tag = group << 16 | element
    if tag not in _PIXEL_TAGS:
        return None
    if syntax == ImplicitVRLittleEndian:
        vr, size, start = _PIXEL_TAGS[tag], struct.unpack("<L", head[4:8])[0], place + 8
    else:
        size, start = struct.unpack(f"{order}L", head[8:])[0], place + 12
        vr = head[4:6].decode("ascii") if head[4:6] in {b"OB", b"OW"} else _PIXEL_TAGS[tag]
    return PixelData(tag, vr, start, None if size == _OPEN_ENDED else size)


def frame_bytes(found: pydicom.Dataset) -> int | None:
    """How many bytes a native frame has; None when it has no whole number of them, or says nothing."""
    numbers = [found.get(name) for name in ("Rows", "Columns", "BitsAllocated")]
    if not all(isinstance(number, int) and number > 0 for number in numbers):
        return None
    bits = numbers[0] * numbers[1] * numbers[2] * int(found.get("SamplesPerPixel") or 1)
    if found.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits // 3 * 2
    return bits // 8 if bits % 8 == 0 else None


def _pack(places: tuple[int, ...] | None) -> bytes | None:
    return None if places is None else struct.pack(f"<{len(places)}Q", *places)


def _deflate(found: pydicom.Dataset, stream: BinaryIO, syntax: str, place: int) -> bytes | None:
    deflated = zlib.compress(write_metadata(found, find_pixel_data(stream, syntax, place)), 6)
    return deflated if len(deflated) <= LARGEST_KEPT_BYTES else None


def _find_frames(found: pydicom.Dataset, stream: BinaryIO, syntax: str, place: int) -> tuple[int, ...] | None:
    pixels = find_pixel_data(stream, syntax, place)
    if pixels is None:
        return None
    count = max(1, int(found.get("NumberOfFrames") or 1))
    if syntax in NATIVE:
        size = frame_bytes(found)
        fits = size is not None and pixels.size is not None and size * count <= pixels.size
        return (pixels.start, pixels.start + size) if fits and size else None
    return _find_encapsulated(stream, pixels.start, count) if pixels.size is None else None


def _find_encapsulated(stream: BinaryIO, start: int, count: int) -> tuple[int, ...] | None:
    """PS3.5, section A.4: by one fragment a frame, or by the basic offset table."""
    items = list(_list_items(stream, start))
    if len(items) < 2 or items[-1][1] is not None:
        return None
    table, *fragments, (end, _) = items
    first = fragments[0][0] if fragments else end
    places = [place for place, _ in fragments]
    if count == 1 and places:
        return (first, end)
    if len(places) == count:
        return (*places, end)
    if table[1] != 4 * count:
        return None
    stream.seek(table[0] + 8)
    offsets = [first + one for one in struct.unpack(f"<{count}L", stream.read(4 * count))]
    in_order = all(before < after for before, after in pairwise(offsets))
    return (*offsets, end) if in_order and set(places).issuperset(offsets) else None


def _list_items(stream: BinaryIO, start: int) -> Iterator[tuple[int, int | None]]:
    """Where each item begins, the table's first, and its size; the delimiter behind the last one has none."""
    place = start
    for _ in range(MOST_FRAGMENTS):
        stream.seek(place)
        head = stream.read(8)
        if head[:4] == _END:
            yield place, None
            return
        if len(head) < 8 or head[:4] != _ITEM:
            return
        size = struct.unpack("<L", head[4:])[0]
        yield place, size
        place += 8 + size


def _write_elements(found: pydicom.Dataset, path: str) -> Iterator[bytes]:
    for tag in sorted(found.keys(), key=int):
        # A group's length says nothing about the data (PS3.5, section 7.2), and does not hold for JSON.
        if tag.element == 0:
            continue
        # Whatever a broken value raises, it costs the others nothing.
        with suppress(Exception):
            yield write_plain(found.get_item(tag)) or _write_element(found, tag, path)


def _write_element(found: pydicom.Dataset, tag: BaseTag, path: str) -> bytes:
    element, name = found[tag], f"{tag:08X}"
    if element.VR == "SQ":
        items = [
            b"{" + b",".join(_write_elements(item, f"{path}{name}.{number}.")) + b"}"
            for number, item in enumerate(element.value or [], 1)
        ]
        value = b',"Value":[' + b",".join(items) + b"]" if items else b""
        return b'"' + name.encode() + b'":{"vr":"SQ"' + value + b"}"
    if element.VR in _BINARY and isinstance(element.value, bytes):
        vr = element.VR[-2:]
        if len(element.value) > LARGEST_INLINE_BYTES:
            return _write_bulk(name, vr, path + name)
        inline = {"InlineBinary": base64.b64encode(element.value).decode()} if element.value else {}
        return _write_member(name, {"vr": vr, **inline})
    return _write_member(name, element.to_json_dict(None, 0))


def _write_member(name: str, member: dict[str, Any]) -> bytes:
    return f'"{name}":{json.dumps(member, ensure_ascii=False, allow_nan=False)}'.encode()


def _write_bulk(name: str, vr: str, path: str) -> bytes:
    return f'"{name}":{{"vr":"{vr}","BulkDataURI":"'.encode() + ADDRESS + f'/bulkdata/{path}"}}'.encode()
