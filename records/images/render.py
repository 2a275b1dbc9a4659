"""One frame of a DICOM image as a JPEG picture for a screen.

Grey pictures go through a table of at most 65,536 values (modality LUT, VOI LUT, presentation LUT; PS3.3, C.11.1,
C.11.2 and C.11.6), not through arithmetic on every pixel.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pydicom
from PIL import Image
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi_lut
from pydicom.pixels.utils import pixel_array
from pydicom.tag import Tag

from core.errors import Refusal
from records.images import codecs, plain_pictures
from records.images.dicom import quietly
from records.images.geometry import Header, read_pixel_ratio
from records.images.service import InstanceFile
from records.refusals import ImageNotDecodable, RenderingNotUnderstood

JPEG_QUALITY = 85
LARGEST_FRAME_PIXELS = 64 * 1024 * 1024
LARGEST_SIDE_PIXELS = 8192

_SCALING = Image.Resampling.BILINEAR

Array = np.ndarray[Any, Any]

_TAGS: list[int] = [
    Tag(keyword)
    for keyword in (
        "WindowCenter",
        "WindowWidth",
        "VOILUTFunction",
        "VOILUTSequence",
        "RescaleSlope",
        "RescaleIntercept",
        "ModalityLUTSequence",
        "PixelPaddingValue",
        "PixelPaddingRangeLimit",
        "PresentationLUTShape",
        "RedPaletteColorLookupTableDescriptor",
        "GreenPaletteColorLookupTableDescriptor",
        "BluePaletteColorLookupTableDescriptor",
        "RedPaletteColorLookupTableData",
        "GreenPaletteColorLookupTableData",
        "BluePaletteColorLookupTableData",
        "SegmentedRedPaletteColorLookupTableData",
        "SegmentedGreenPaletteColorLookupTableData",
        "SegmentedBluePaletteColorLookupTableData",
        "SharedFunctionalGroupsSequence",
        "PerFrameFunctionalGroupsSequence",
        "PixelSpacing",
        "ImagerPixelSpacing",
        "NominalScannedPixelSpacing",
        "PixelAspectRatio",
    )
]

codecs.install()


@dataclass(frozen=True)
class Window:
    """What range of values is spread over the screen's greys."""

    center: float
    width: float
    function: str

    @property
    def is_sound(self) -> bool:
        """PS3.3, section C.11.2.1.2: a linear window is at least one value wide."""
        return self.width >= 1 if self.function == "LINEAR" else self.width > 0


@dataclass(frozen=True)
class Look:
    """How a picture is asked for.

    :ivar size: width and height in pixels that it must fit into, larger or smaller than it is; None: as it is.
    :ivar part: what of the image is shown: x, y, width, height; turned over where a size is negative.
    :ivar window: of grey pictures, in place of the file's own.
    :ivar quality: of JPEG, 1 to 100.
    """

    size: tuple[int, int] | None = None
    part: tuple[int, int, int, int] | None = None
    window: Window | None = None
    quality: int = JPEG_QUALITY


AS_IT_IS = Look()


def render_instance(file: InstanceFile, *, frame: int, look: Look = AS_IT_IS) -> bytes:
    """A frame of a stored instance, as ``render_frame`` makes it.

    :raises ImageNotDecodable: it is no picture, or too large a one; or as ``render_frame``.
    :raises FileDamaged: the file is missing or altered.
    """
    if not file.view.rows or not file.view.columns:
        raise ImageNotDecodable(reason="the instance is no picture")
    if file.view.rows * file.view.columns > LARGEST_FRAME_PIXELS:
        raise ImageNotDecodable(reason="a frame of this size is not rendered")
    plain = plain_pictures.read_plain(file, frame)
    if plain is not None:
        return _to_jpeg(_draw_grey(*plain, look), look, read_pixel_ratio(plain[1], frame))
    with file.open() as stream:
        return render_frame(stream, frame=frame, look=look)


def render_frame(stream: BinaryIO, *, frame: int, look: Look = AS_IT_IS) -> bytes:
    """A frame as JPEG, grey or colour, in the window that is asked for, or that the file itself asks for.

    :param frame: from 1.
    :raises ImageNotDecodable: there are no pixels, or nothing here decodes them; ``reason`` says which.
    """
    header = pydicom.Dataset()
    try:
        with quietly():
            pixels = pixel_array(stream, index=frame - 1, ds_out=header, specific_tags=_TAGS)
            picture = _to_colour(pixels, header) if _is_colour(header) else _to_grey(pixels, header, frame, look)
            return _to_jpeg(picture, look, read_pixel_ratio(header, frame))
    except Refusal:
        raise
    except Exception as error:
        # Whatever a decoder raises over a broken file means the same to who asks; its text may quote the file.
        raise ImageNotDecodable(reason=_reason(header, error)) from error


def _reason(header: pydicom.Dataset, error: Exception) -> str:
    if isinstance(error, AttributeError):
        return "the instance has no complete set of image attributes and pixel data"
    syntax = pydicom.uid.UID(str(getattr(header, "file_meta", {}).get("TransferSyntaxUID", "")))
    return f"the pixel data is broken, cut off, or in a form that is not decoded here ({syntax.name or 'unknown'})"


def _is_colour(header: pydicom.Dataset) -> bool:
    return bool(header.get("SamplesPerPixel", 1) > 1) or header.get("PhotometricInterpretation") == "PALETTE COLOR"


def _to_colour(pixels: Array, header: pydicom.Dataset) -> Array:
    # Decoding has turned YBR into RGB already.
    if header.PhotometricInterpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, header)
        bits = pixels.dtype.itemsize * 8
    else:
        bits = int(header.BitsStored)
    shown: Array = (pixels >> (bits - 8) if bits > 8 else pixels)[..., :3].astype(np.uint8)
    return shown


def _to_grey(pixels: Array, header: pydicom.Dataset, frame: int, look: Look) -> Array:
    return _draw_grey(pixels, _with_frame_attributes(header, frame), look)


def _draw_grey(pixels: Array, header: Header, look: Look) -> Array:
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
        kind = np.uint8 if pixels.dtype.itemsize == 1 else np.uint16
        # As many shades as there are values between the smallest and the largest; their places wrap around zero.
        low, high = int(pixels.min(initial=0)), int(pixels.max(initial=0))
        shades = _shade(np.arange(low, high + 1).astype(pixels.dtype), pixels, header, look.window)
        places = pixels.view(kind) - np.array(low).astype(kind)
        # Each place is within: nothing needs to be clipped, but to say so is half the time.
        shown: Array = np.take(shades, places, out=np.empty(places.shape, np.uint8), mode="clip")
        return shown
    return _shade(pixels, pixels, header, look.window)


def _with_frame_attributes(header: pydicom.Dataset, frame: int) -> pydicom.Dataset:
    """Enhanced objects keep window and rescale in functional groups, shared or a frame's own (PS3.3, C.7.6.16)."""
    flat = pydicom.Dataset()
    flat.update(header)
    for group in _functional_groups(header, frame):
        for sequence in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
            for item in group.get(sequence) or []:
                flat.update(item)
    return flat


def _functional_groups(header: pydicom.Dataset, frame: int) -> Iterator[pydicom.Dataset]:
    yield from header.get("SharedFunctionalGroupsSequence") or []
    own = header.get("PerFrameFunctionalGroupsSequence") or []
    if len(own) >= frame:
        yield own[frame - 1]


def _shade(values: Array, pixels: Array, header: Header, asked: Window | None) -> Array:
    """The screen's grey (0 black to 255 white) of each stored value."""
    measured = _rescale(values, header)
    window = asked or _read_window(header)
    if window is None and isinstance(header, pydicom.Dataset) and header.get("VOILUTSequence"):
        looked_up = apply_voi_lut(measured.astype(np.int64), header).astype(np.float64)
        shades = _stretch(looked_up, looked_up.min(), looked_up.max())
    elif window is None:
        shown = _rescale(_without_padding(pixels, header), header)
        low, high = np.percentile(shown, (1, 99)) if shown.size else (0.0, 1.0)
        # A picture that is nearly all background still has a range.
        low, high = (low, high) if high > low else (shown.min(initial=0), shown.max(initial=1))
        shades = _stretch(measured, low, high)
    else:
        shades = _apply_window(measured, window)
    if header.get("PhotometricInterpretation") == "MONOCHROME1" or header.get("PresentationLUTShape") == "INVERSE":
        shades = 255 - shades
    return np.rint(shades).astype(np.uint8)


def _rescale(values: Array, header: Header) -> Array:
    if isinstance(header, pydicom.Dataset) and header.get("ModalityLUTSequence"):
        return apply_modality_lut(values, header).astype(np.float64)
    slope, intercept = header.get("RescaleSlope"), header.get("RescaleIntercept")
    return values.astype(np.float64) * float(slope or 1) + float(intercept or 0)


def _without_padding(pixels: Array, header: Header) -> Array:
    padding = header.get("PixelPaddingValue")
    if padding is None:
        return pixels
    limit = header.get("PixelPaddingRangeLimit", padding)
    low, high = sorted((int(padding), int(limit)))
    return pixels[(pixels < low) | (pixels > high)]


def _read_window(header: Header) -> Window | None:
    """The first window of the file; None when there is none, or none that makes sense."""
    center, width = _first_number(header.get("WindowCenter")), _first_number(header.get("WindowWidth"))
    function = str(header.get("VOILUTFunction") or "LINEAR")
    if center is None or width is None:
        return None
    window = Window(center, width, function)
    return window if window.is_sound else None


def _first_number(value: Any) -> float | None:
    first = value[0] if isinstance(value, (list, pydicom.multival.MultiValue)) and value else value
    try:
        number = float(first)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _apply_window(values: Array, window: Window) -> Array:
    """PS3.3, sections C.11.2.1.2.1 (LINEAR) and C.11.2.1.3 (SIGMOID, LINEAR_EXACT)."""
    if window.function == "SIGMOID":
        steepness = np.clip(-4 * (values - window.center) / window.width, -700, 700)
        return 255 / (1 + np.exp(steepness))
    if window.function == "LINEAR_EXACT":
        return _stretch(values, window.center - window.width / 2, window.center + window.width / 2)
    half, middle = (window.width - 1) / 2, window.center - 0.5
    return _stretch(values, middle - half, middle + half)


def _stretch(values: Array, low: float, high: float) -> Array:
    if high <= low:
        return np.where(values > low, 255.0, 0.0)
    return np.clip((values - low) / (high - low), 0, 1) * 255


def _to_jpeg(picture: Array, look: Look, ratio: float) -> bytes:
    out = io.BytesIO()
    shown = Image.fromarray(np.ascontiguousarray(_cut(picture, look.part)))
    size = _size_on_screen(shown.size, look.size, ratio)
    if size != shown.size:
        shown = shown.resize(size, _SCALING)
    shown.save(out, "JPEG", quality=look.quality)
    return out.getvalue()


def _size_on_screen(stored: tuple[int, int], wanted: tuple[int, int] | None, ratio: float) -> tuple[int, int]:
    """Screens have square pixels: where those of the image are not, its smaller side grows.

    :param ratio: how many times as high as wide its pixels are.
    """
    width, height = stored[0] * max(1.0, 1 / ratio), stored[1] * max(1.0, ratio)
    # What would become larger than any picture may be is made smaller instead.
    most = max(LARGEST_SIDE_PIXELS, *stored)
    scale = min(1.0, most / width, most / height) if wanted is None else min(wanted[0] / width, wanted[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _cut(picture: Array, part: tuple[int, int, int, int] | None) -> Array:
    """PS3.18, section 8.3.5.1.3: a negative width shows it from right to left, a negative height upside down."""
    if part is None:
        return picture
    x, y, width, height = part
    if x >= picture.shape[1] or y >= picture.shape[0]:
        raise RenderingNotUnderstood(parameter="viewport", reason="the part begins outside of the image")
    cut = picture[y : y + abs(height), x : x + abs(width)]
    return cut[:: -1 if height < 0 else 1, :: -1 if width < 0 else 1]
