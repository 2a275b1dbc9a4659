"""Frames and other bulk data out of a stored file, without reading the rest of it."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import pydicom
from pydicom.pixels.utils import pixel_array
from pydicom.uid import ExplicitVRBigEndian

from core.errors import Refusal
from records.images import codecs
from records.images.details import NATIVE, PLAIN, describe, find_pixel_data, unpack_frames
from records.images.dicom import quietly
from records.images.service import InstanceFile
from records.refusals import ImageNotDecodable, ImageNotFound

_CUT = "the pixel data is broken or cut off"
_PIECE_BYTES = 256 * 1024
_WIDTHS = {"OB": 1, "OW": 2, "OF": 4, "OD": 8}

codecs.install()


def read_stored_frames(file: InstanceFile, numbers: list[int]) -> Iterator[bytes]:
    """Frames as they are in the file.

    :param numbers: from 1.
    :raises ImageNotDecodable: it is not known where its frames lie.
    :raises FileDamaged: the file is missing or altered.
    """
    syntax = file.view.transfer_syntax_uid
    read = _read_native if syntax in NATIVE else _read_encapsulated
    with file.open() as stream:
        places = file.list_places() or _find_places(stream, syntax)
        if places is None:
            raise ImageNotDecodable(reason="its frames cannot be told apart without decoding them")
        for number in numbers:
            yield read(stream, places, number)


def read_decoded_frames(file: InstanceFile, numbers: list[int]) -> Iterator[bytes]:
    """Frames as Explicit VR Little Endian has them: samples by pixel, colours as RGB.

    :param numbers: from 1.
    :raises ImageNotDecodable: there are no pixels, or nothing here decodes them.
    :raises FileDamaged: the file is missing or altered.
    """
    if file.view.transfer_syntax_uid in PLAIN and file.frame_places is not None:
        yield from read_stored_frames(file, numbers)
        return
    with file.open() as stream:
        for number in numbers:
            yield _decode(stream, number)


def read_bulk(file: InstanceFile, path: str) -> Iterator[bytes]:
    """The value of an attribute that metadata gives by address, in pieces, lowest byte first.

    :param path: tag; within a sequence: its tag, number of the item, tag ("00081140.1.00081155").
    :raises ImageNotFound: there is no such attribute, or its value is no bulk data.
    :raises ImageNotDecodable: the file is broken before it.
    :raises FileDamaged: the file is missing or altered.
    """
    with file.open() as stream:
        found = _read_dataset(stream)
        pixels = find_pixel_data(stream, file.view.transfer_syntax_uid, stream.tell())
        if pixels is None or path != f"{pixels.tag:08X}":
            yield _read_value(found, path)
        elif pixels.size is None:
            yield from read_stored_frames(file, list(range(1, file.view.frames + 1)))
        else:
            width = _WIDTHS[pixels.vr] if file.view.transfer_syntax_uid == ExplicitVRBigEndian else 1
            yield from _read_pieces(stream, pixels.start, pixels.size, width)


def _read_pieces(stream: BinaryIO, start: int, size: int, width: int) -> Iterator[bytes]:
    stream.seek(start)
    while size > 0:
        piece = _read_exactly(stream, min(size, _PIECE_BYTES))
        size -= len(piece)
        yield piece if width == 1 else np.frombuffer(piece, f">u{width}").astype(f"<u{width}").tobytes()


def _read_native(stream: BinaryIO, places: tuple[int, ...], number: int) -> bytes:
    start, end = places
    stream.seek(start + (number - 1) * (end - start))
    return _read_exactly(stream, end - start)


def _read_encapsulated(stream: BinaryIO, places: tuple[int, ...], number: int) -> bytes:
    """The fragments of a frame put together (PS3.5, section A.4)."""
    if not 1 <= number < len(places):
        raise ImageNotFound
    stream.seek(places[number - 1])
    items = _read_exactly(stream, places[number] - places[number - 1])
    fragments, at = [], 0
    while at + 8 <= len(items):
        size = struct.unpack_from("<L", items, at + 4)[0]
        fragments.append(items[at + 8 : at + 8 + size])
        at += 8 + size
    return b"".join(fragments)


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise ImageNotDecodable(reason=_CUT)
    return content


def _decode(stream: BinaryIO, number: int) -> bytes:
    header = pydicom.Dataset()
    try:
        with quietly():
            stream.seek(0)
            samples = pixel_array(stream, index=number - 1, ds_out=header)
            bits = int(header.BitsAllocated)
            if bits == 1:
                return np.packbits(samples, bitorder="little").tobytes()
            kind = samples.dtype.kind
            return bytes(samples.astype(f"<{kind}{bits // 8}").tobytes())
    except Refusal:
        raise
    except Exception as error:
        raise ImageNotDecodable(reason=_CUT) from error


def _find_places(stream: BinaryIO, syntax: str) -> tuple[int, ...] | None:
    """As at arrival, of what was filed before they were kept."""
    packed = describe(_read_dataset(stream), stream, syntax).frames
    return None if packed is None else unpack_frames(packed)


def _read_dataset(stream: BinaryIO) -> pydicom.Dataset:
    try:
        with quietly():
            stream.seek(0)
            return pydicom.dcmread(stream, stop_before_pixels=True)
    except Refusal:
        raise
    except Exception as error:
        raise ImageNotDecodable(reason="the file is broken before its pixels") from error


def _read_value(found: pydicom.Dataset, path: str) -> bytes:
    *steps, last = path.split(".")
    try:
        with quietly():
            for tag, number in zip(steps[::2], steps[1::2], strict=True):
                found = found[int(tag, 16)].value[int(number) - 1]
            value = found[int(last, 16)].value
    except Exception as error:
        raise ImageNotFound from error
    if not isinstance(value, bytes):
        raise ImageNotFound
    return value
