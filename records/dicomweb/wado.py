"""WADO-RS, Retrieve Transaction (PS3.18, section 10.4): an instance as it was sent, and frames as pictures."""

import io
import secrets
from collections.abc import Iterator
from typing import BinaryIO

from flask import Request, Response

from records.dicomweb import media
from records.images import render, rendered
from records.images.dicom import read_header
from records.images.service import InstanceFile

PIECE_BYTES = 256 * 1024
# Asked again each time, so that a revoke holds from the next request on; kept by the asker's own browser only.
CACHE_CONTROL = "private, no-cache"


def answer_instance(file: InstanceFile, request: Request) -> Response:
    """The stored file, streamed.

    :raises RepresentationNotAvailable: Accept wants another media type or transfer syntax.
    :raises FileDamaged: the file is missing or altered.
    """
    syntax = _syntax_of(file)
    media_type = media.choose_instance_type(request.headers.get("Accept"), syntax)
    stream = file.open()
    size_bytes = stream.seek(0, io.SEEK_END)
    stream.seek(0)
    before, after, content_type = _frame(media_type, syntax)
    reply = Response(_stream(stream, before, after), content_type=content_type)
    reply.content_length = len(before) + size_bytes + len(after)
    reply.headers["Cache-Control"] = CACHE_CONTROL
    return reply


def _syntax_of(file: InstanceFile) -> str:
    """What an archive keeps says for itself in which syntax it is; its index seldom does."""
    if file.archived is None:
        return file.view.transfer_syntax_uid
    with file.open() as stream:
        return read_header(stream).transfer_syntax_uid


def answer_rendered(file: InstanceFile, frame: int, request: Request) -> Response:
    """A frame as JPEG; 304 when the asker has it already (and, as was just decided, may still see it).

    :raises RepresentationNotAvailable: Accept wants another picture format.
    :raises ImageNotDecodable: see ``render_instance``.
    """
    media.check_accepts(request.headers.get("Accept"), media.JPEG)
    tag = f"{file.sha256.hex()}-{frame}"
    known = request.if_none_match.contains(tag)
    reply = Response(status=304) if known else _answer_picture(file, frame)
    reply.set_etag(tag)
    reply.headers["Cache-Control"] = CACHE_CONTROL
    return reply


def _answer_picture(file: InstanceFile, frame: int) -> Response:
    described = f"{frame}/{render.JPEG_QUALITY}"
    picture = rendered.find_or_make(file, described, lambda: render.render_instance(file, frame=frame))
    reply = Response(picture.content, mimetype=media.JPEG)
    if picture.sent_from is not None:
        reply.headers["X-Accel-Redirect"] = picture.sent_from
    return reply


def _frame(media_type: str, syntax: str) -> tuple[bytes, bytes, str]:
    """What stands before and after the file, and the content type of the whole."""
    part_type = f"{media.DICOM}; transfer-syntax={syntax}"
    if media_type == media.DICOM:
        return b"", b"", part_type
    boundary = secrets.token_hex(16)
    before = f"--{boundary}\r\nContent-Type: {part_type}\r\n\r\n".encode()
    after = f"\r\n--{boundary}--\r\n".encode()
    return before, after, f'{media.MULTIPART}; type="{media.DICOM}"; boundary={boundary}'


def _stream(source: BinaryIO, before: bytes, after: bytes) -> Iterator[bytes]:
    with source:
        yield before
        while piece := source.read(PIECE_BYTES):
            yield piece
        yield after
