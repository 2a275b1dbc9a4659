"""WADO-RS, rendered resources and thumbnails (PS3.18, sections 8.3.5, 10.4.1.1.4 and 10.4.1.1.5)."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import partial

from flask import Request, Response
from werkzeug.datastructures import MultiDict

from records.dicomweb import media
from records.dicomweb.media import Offer
from records.dicomweb.standing import MayGo
from records.dicomweb.wado import CACHE_CONTROL, Part, answer_parts
from records.images import render, rendered
from records.images.render import AS_IT_IS, Look, Window
from records.images.rendered import Picture
from records.images.service import InstanceFile
from records.refusals import ImageNotDecodable, RenderingNotUnderstood

THUMBNAIL_PIXELS = 128
LARGEST_VIEWPORT_PIXELS = 8192

_FUNCTIONS = {"linear": "LINEAR", "linear-exact": "LINEAR_EXACT", "sigmoid": "SIGMOID"}
_KNOWN = {"viewport", "window", "quality", "accept"}
_REASONS = {
    "annotation": "nothing is written into pictures here",
    "iccprofile": "pictures carry no colour profile",
    "presentationSeriesUID": "presentation states are not applied",
    "presentationUID": "presentation states are not applied",
}
_NUMBER = r"-?[0-9]{1,9}(?:\.[0-9]{1,6})?"


def answer_picture(file: InstanceFile, frame: int, request: Request) -> Response:
    """A frame as JPEG; 304 when the asker has it already (and, as was just decided, may still see it).

    :raises RepresentationNotAvailable: Accept wants another picture format.
    :raises RenderingNotUnderstood: see ``read_look``.
    :raises ImageNotDecodable: see ``render_instance``.
    """
    return _answer(file, frame, read_look(request.args), request)


def answer_thumbnail(files: Sequence[InstanceFile], frame: int, request: Request) -> Response:
    """A small picture of the instance, or of the one in the middle of many.

    :raises ImageNotDecodable: none of them is a picture, or it cannot be rendered.
    """
    shown = [file for file in files if file.view.rows]
    if not shown:
        raise ImageNotDecodable(reason="the instance is no picture")
    return _answer(shown[len(shown) // 2], frame, read_look(request.args, small=True), request)


def answer_pictures(files: Sequence[InstanceFile], request: Request, may_go: MayGo) -> Response:
    """The first frame of every picture of a study or series, as parts; of one picture also bare.

    :param may_go: as ``answer_instances``.
    :raises ImageNotDecodable: none of them is a picture, or the first one cannot be rendered.
    """
    look = read_look(request.args)
    shown = [file for file in files if file.view.rows]
    if not shown:
        raise ImageNotDecodable(reason="none of the instances is a picture")
    several = Offer(media.JPEG, is_multipart=True)
    offer = media.choose(request, [several, *([Offer(media.JPEG)] if len(shown) == 1 else [])])
    return answer_parts(offer, (Part(media.JPEG, _read(file, look), may_go=partial(may_go, file)) for file in shown))


def read_look(arguments: "MultiDict[str, str]", *, small: bool = False) -> Look:
    """How the picture shall look.

    :param small: where nothing else is said.
    :raises RenderingNotUnderstood: a parameter that is not offered, or a value that has no sense.
    """
    for name in arguments:
        if name not in _KNOWN:
            raise _not_understood(name, _REASONS.get(name, "no parameter of a picture"))
    viewport = arguments.get("viewport", f"{THUMBNAIL_PIXELS},{THUMBNAIL_PIXELS}" if small else None)
    size, part = _read_viewport(viewport) if viewport is not None else (None, None)
    window, quality = arguments.get("window"), arguments.get("quality")
    return Look(
        size,
        part,
        _read_window(window) if window is not None else None,
        _read_quality(quality) if quality is not None else AS_IT_IS.quality,
    )


def _answer(file: InstanceFile, frame: int, look: Look, request: Request) -> Response:
    media.choose(request, [Offer(media.JPEG)])
    tag = f"{file.sha256.hex()}-{frame}"
    if look != AS_IT_IS:
        tag += f"-{hashlib.sha256(repr(look).encode()).hexdigest()[:16]}"
    known = request.if_none_match.contains(tag)
    reply = Response(status=304) if known else _send(_render(file, frame, look))
    reply.set_etag(tag)
    reply.headers["Cache-Control"] = CACHE_CONTROL
    return reply


def _send(picture: Picture) -> Response:
    reply = Response(picture.content, mimetype=media.JPEG)
    if picture.sent_from is not None:
        reply.headers["X-Accel-Redirect"] = picture.sent_from
    return reply


def _render(file: InstanceFile, frame: int, look: Look) -> Picture:
    make = partial(render.render_instance, file, frame=frame, look=look)
    return rendered.find_or_make(file, f"{frame}/{look}", make)


def _read(file: InstanceFile, look: Look) -> Iterator[bytes]:
    yield render.render_instance(file, frame=1, look=look)


def _not_understood(name: str, reason: str) -> RenderingNotUnderstood:
    return RenderingNotUnderstood(parameter=name if re.fullmatch(r"[A-Za-z]{1,64}", name) else "", reason=reason)


def _read_viewport(text: str) -> tuple[tuple[int, int], tuple[int, int, int, int] | None]:
    """Section 8.3.5.1.3: a size, and the part of the image that is shown; turned where its size is negative."""
    numbers = text.split(",")
    if len(numbers) not in {2, 6} or not all(re.fullmatch(r"-?[0-9]{1,6}", number) for number in numbers):
        raise _not_understood("viewport", "must be width,height or width,height,x,y,width,height")
    width, height, *part = map(int, numbers)
    if not (1 <= width <= LARGEST_VIEWPORT_PIXELS and 1 <= height <= LARGEST_VIEWPORT_PIXELS):
        raise _not_understood("viewport", f"width and height are 1 to {LARGEST_VIEWPORT_PIXELS}")
    if part and (min(part[:2]) < 0 or 0 in part[2:]):
        raise _not_understood("viewport", "the part begins within the image and is not empty")
    return (width, height), (part[0], part[1], part[2], part[3]) if part else None


def _read_window(text: str) -> Window:
    found = re.fullmatch(rf"({_NUMBER}),({_NUMBER}),([a-z-]{{1,16}})", text)
    if found is None or found[3] not in _FUNCTIONS:
        raise _not_understood("window", f"must be center,width,function; functions are {', '.join(_FUNCTIONS)}")
    window = Window(float(found[1]), float(found[2]), _FUNCTIONS[found[3]])
    if not window.is_sound:
        raise _not_understood("window", "the width is at least 1 for linear, and more than 0 for the others")
    return window


def _read_quality(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= 100:
        raise _not_understood("quality", "must be 1 to 100")
    return int(text)
