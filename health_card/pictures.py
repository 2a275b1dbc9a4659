"""The code as a picture."""

import io

import qrcode
import qrcode.constants
from qrcode.image.pil import PilImage
from qrcode.image.svg import SvgPathFillImage


def draw_svg(text: str) -> bytes:
    """The QR code as an SVG document, level M, with its quiet zone."""
    return _draw(text, SvgPathFillImage)


def draw_png(text: str) -> bytes:
    """The QR code as a PNG, level M, with its quiet zone."""
    return _draw(text, PilImage)


def _draw(text: str, factory: type[PilImage] | type[SvgPathFillImage]) -> bytes:
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4, box_size=8)
    code.add_data(text)
    code.make(fit=True)
    buffer = io.BytesIO()
    code.make_image(image_factory=factory).save(buffer)
    return buffer.getvalue()
