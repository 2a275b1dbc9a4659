"""Matrix codes (QR, ISO/IEC 18004) drawn into PDF documents."""

import qrcode
import qrcode.constants
from reportlab.lib.colors import Color
from reportlab.pdfgen.canvas import Canvas

# The quiet zone that ISO/IEC 18004 demands.
_QUIET_MODULES = 4


def draw_matrix(canvas: Canvas, text: str, at: tuple[float, float], *, size: float, color: Color) -> None:
    """The QR code at level M, as one path: each run of dark modules is a rectangle.

    :param at: left and bottom, in points.
    :param size: width and height in points, the quiet zone included.
    """
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=0)
    code.add_data(text)
    code.make(fit=True)
    modules = code.modules
    count = len(modules)
    unit = size / (count + 2 * _QUIET_MODULES)
    left, bottom = at
    path = canvas.beginPath()
    for row, cells in enumerate(modules):
        y = bottom + (count + _QUIET_MODULES - 1 - row) * unit
        start = 0
        while start < count:
            end = start
            while end < count and cells[end]:
                end += 1
            if end > start:
                path.rect(left + (start + _QUIET_MODULES) * unit, y, (end - start) * unit, unit)
            start = end + 1
    canvas.setFillColor(color)
    canvas.drawPath(path, stroke=0, fill=1)
