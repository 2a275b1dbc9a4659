"""WADO-RS, Retrieve Transaction (PS3.18, section 10.4): instances, their metadata, frames and bulk data."""

import io
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice

from flask import Request, Response
from pydicom.uid import ExplicitVRLittleEndian

from records.dicomweb import media
from records.dicomweb.media import Offer
from records.dicomweb.standing import MayGo
from records.images import pixels, transcoding
from records.images.details import ADDRESS, NATIVE
from records.images.dicom import read_header
from records.images.service import InstanceFile

PIECE_BYTES = 256 * 1024
# Asked again each time, so that a revoke holds from the next request on; kept by the asker's own browser only.
CACHE_CONTROL = "private, no-cache"

_PIXEL_DATA = "7FE00010"
_PLAIN = str(ExplicitVRLittleEndian)
# PS3.18, tables 8.7.3-4 and 8.7.3-5: how an encoded frame is called outside of its file.
_FRAME_TYPES = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.92": "image/jpx",
    "1.2.840.10008.1.2.4.93": "image/jpx",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
}


@dataclass(frozen=True)
class Part:
    """One part of an answer. ``pieces`` open and read nothing before they are asked; ``size``: where it is known.

    ``may_go`` is asked when its turn has come: where it says no, the answer ends there, without its end.
    """

    content_type: str
    pieces: Iterator[bytes]
    size: int | None = None
    may_go: Callable[[], bool] | None = None


def answer_instances(files: Sequence[InstanceFile], request: Request, may_go: MayGo) -> Response:
    """Instances, streamed: byte for byte as they were stored, or in the transfer syntax that was asked for.

    Several go out as parts; one alone also bare, when that is what is accepted.

    :param may_go: asked before each but the first; where it says no, the answer ends without its closing boundary.
    :raises RepresentationNotAvailable: Accept wants another media type or transfer syntax.
    :raises ImageNotDecodable: the first one cannot be written in that transfer syntax.
    :raises FileDamaged: the first file is missing or altered.
    """
    files = [_as_kept(files[0])] if len(files) == 1 else [_without_guess(file) for file in files]
    offer = media.choose(request, _offer_instances(files))
    parts = [replace(_write_instance(file, offer), may_go=partial(may_go, file)) for file in files]
    return answer_parts(offer, parts)


def answer_metadata(files: Sequence[InstanceFile], request: Request, study_address: str) -> Response:
    """The attributes of instances as DICOM JSON.

    :raises RepresentationNotAvailable: Accept wants another media type.
    :raises ImageUnreadable: they were not kept, and cannot be made.
    """
    media_type = media.choose_json(request)
    shown = (file.read_metadata().replace(ADDRESS, _address(file, study_address).encode()) for file in files)
    reply = Response(b"[" + b",".join(shown) + b"]", mimetype=media_type)
    reply.headers["Cache-Control"] = "no-store"
    return reply


def _address(file: InstanceFile, study_address: str) -> str:
    return f"{study_address}/series/{file.series_instance_uid}/instances/{file.view.sop_instance_uid}"


def answer_frames(file: InstanceFile, numbers: list[int], request: Request) -> Response:
    """Frames: decoded, or encoded as they were stored.

    :param numbers: from 1.
    :raises RepresentationNotAvailable: Accept wants another media type or transfer syntax.
    :raises ImageNotDecodable: the first one cannot be read or decoded.
    :raises FileDamaged: the file is missing or altered.
    """
    file = _as_kept(file)
    offer = media.choose(request, _offer_frames(file.view.transfer_syntax_uid, is_one=len(numbers) == 1))
    read = pixels.read_decoded_frames if offer.syntax == _PLAIN else pixels.read_stored_frames
    parts = (Part(offer.part_type, iter((frame,)), len(frame)) for frame in read(file, numbers))
    return answer_parts(offer, list(parts) if len(numbers) == 1 else parts)


def answer_bulk(file: InstanceFile, path: str, request: Request) -> Response:
    """The value of an attribute that metadata gives by address; encapsulated pixels as a part for each frame.

    :param path: see ``pixels.read_bulk``.
    :raises RepresentationNotAvailable: Accept wants another media type.
    :raises ImageNotFound: there is no such bulk data.
    """
    file = _as_kept(file)
    if path == _PIXEL_DATA and file.view.transfer_syntax_uid not in NATIVE:
        syntax = file.view.transfer_syntax_uid
        types = dict.fromkeys((_FRAME_TYPES.get(syntax, media.OCTETS), media.OCTETS))
        offer = media.choose(request, [Offer(name, syntax, is_multipart=True) for name in types])
        parts = (Part(offer.part_type, iter((frame,))) for frame in pixels.read_bulk(file, path))
        return answer_parts(offer, parts)
    offer = media.choose(request, [Offer(media.OCTETS), Offer(media.OCTETS, is_multipart=True)])
    return answer_parts(offer, [Part(media.OCTETS, pixels.read_bulk(file, path))])


def answer_parts(offer: Offer, parts: Iterable[Part]) -> Response:
    """An answer that is made while it is sent; what the first part is refused for is still an answer of its own."""
    boundary, content_type = secrets.token_hex(16), offer.part_type
    content: Iterator[bytes] = (piece for part in parts for piece in part.pieces)
    if offer.is_multipart:
        content_type = f'{media.MULTIPART}; type="{offer.media_type}"; boundary={boundary}'
        content = _write_parts(boundary, parts)
    begun = list(islice(content, 2))
    reply = Response(chain(begun, content), content_type=content_type)
    reply.headers["Cache-Control"] = CACHE_CONTROL
    size = _measure(boundary if offer.is_multipart else None, parts) if isinstance(parts, list) else None
    if size is not None:
        reply.content_length = size
    return reply


def _measure(boundary: str | None, parts: list[Part]) -> int | None:
    """How long the answer is, where that is known before it is made."""
    sizes = [part.size for part in parts if part.size is not None]
    if len(sizes) < len(parts):
        return None
    frame = (
        sum(len(_write_head(boundary, part, 1)) for part in parts) + len(_write_end(boundary)) - 2 if boundary else 0
    )
    return sum(sizes) + frame


def _write_parts(boundary: str, parts: Iterable[Part]) -> Iterator[bytes]:
    for number, part in enumerate(parts):
        # The first was decided with the request itself.
        if number and part.may_go is not None and not part.may_go():
            return
        yield _write_head(boundary, part, number)
        yield from part.pieces
    yield _write_end(boundary)


def _write_head(boundary: str, part: Part, number: int) -> bytes:
    line = "\r\n" if number else ""
    return f"{line}--{boundary}\r\nContent-Type: {part.content_type}\r\n\r\n".encode()


def _write_end(boundary: str) -> bytes:
    return f"\r\n--{boundary}--\r\n".encode()


def _offer_instances(files: Sequence[InstanceFile]) -> list[Offer]:
    stored = {file.view.transfer_syntax_uid for file in files}
    # Where they differ there is no name for what they are stored in but "*".
    ways = [(stored.copy().pop() if len(stored) == 1 else "", True)]
    if all(transcoding.can_transcode(file) for file in files):
        ways += [(syntax, False) for syntax in transcoding.SYNTAXES if stored != {syntax}]
    forms = [True] if len(files) > 1 else [True, False]
    return [
        Offer(media.DICOM, syntax, is_multipart=form, is_stored=is_stored)
        for syntax, is_stored in ways
        for form in forms
    ]


def _as_kept(file: InstanceFile) -> InstanceFile:
    """What an archive keeps says for itself in which syntax it is; its index seldom does."""
    if file.archived is None:
        return file
    with file.open() as stream:
        told = _in_syntax(file, read_header(stream).transfer_syntax_uid)
        # Of what its index says only the header was measured.
        return replace(told, size_bytes=stream.seek(0, io.SEEK_END))


def _without_guess(file: InstanceFile) -> InstanceFile:
    """Of many that an archive keeps none is fetched before its turn: so nobody knows."""
    return file if file.archived is None else _in_syntax(file, "")


def _in_syntax(file: InstanceFile, syntax: str) -> InstanceFile:
    return replace(file, view=replace(file.view, transfer_syntax_uid=syntax))


def _write_instance(file: InstanceFile, offer: Offer) -> Part:
    stored = file.view.transfer_syntax_uid
    size = file.size_bytes if stored else None
    if offer.is_stored or offer.syntax in {None, stored}:
        content_type = f"{media.DICOM}; transfer-syntax={stored}" if stored else media.DICOM
        return Part(content_type, _read_file(file), size)
    return Part(f"{media.DICOM}; transfer-syntax={offer.syntax}", _transcode(file, offer.syntax or ""))


def _read_file(file: InstanceFile) -> Iterator[bytes]:
    with file.open() as source:
        while piece := source.read(PIECE_BYTES):
            yield piece


def _transcode(file: InstanceFile, syntax: str) -> Iterator[bytes]:
    yield transcoding.transcode(file, syntax)


def _offer_frames(syntax: str, *, is_one: bool) -> list[Offer]:
    if syntax in NATIVE:
        ways = [Offer(media.OCTETS, _PLAIN)]
    else:
        types = dict.fromkeys((_FRAME_TYPES.get(syntax, media.OCTETS), media.OCTETS))
        ways = [Offer(media.OCTETS, _PLAIN, is_stored=False), *(Offer(name, syntax) for name in types)]
    return [replace(way, is_multipart=True) for way in ways] + (ways if is_one else [])
