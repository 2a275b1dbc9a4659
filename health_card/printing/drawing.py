"""Printed cards as PDF: one card of the size of ISO/IEC 7810 ID-1, or A4 sheets of ten with cut marks. Pure."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas

from core.matrix import draw_matrix
from core.typeface import typeface

# ISO/IEC 7810, ID-1.
CARD_WIDTH, CARD_HEIGHT = 85.6 * mm, 53.98 * mm
COLUMNS, ROWS = 2, 5
CARDS_A_PAGE = COLUMNS * ROWS

TITLE = "电子健康卡"
ADVICE = ("静态码，须同时核对本人证件", "请妥善保管，遗失请及时挂失")
_CERTIFICATE_WORDS = {
    "01": "居民身份证",
    "02": "户口簿",
    "03": "护照",
    "04": "军官证",
    "05": "驾驶证",
    "06": "港澳通行证",
    "07": "台湾通行证",
    "111": "出生医学证明",
}
_INK, _SOFT, _BRAND, _WHITE = HexColor("#16252b"), HexColor("#53666e"), HexColor("#0f766e"), HexColor("#ffffff")
_MARGIN = 4.5 * mm
_BAND = 10.5 * mm
_CODE = 35 * mm
_GAP = 4 * mm
_CUT_MARK = 3 * mm


@dataclass(frozen=True)
class CardFace:
    """What stands on a card. ``certificate_number`` is masked; both certificate fields are None for a newborn.

    ``code`` is the text of the static code, ``card_number`` its 64 hexadecimal digits.
    """

    name: str
    certificate_type: str | None
    certificate_number: str | None
    card_number: str
    code: str


@dataclass(frozen=True)
class _Pen:
    """A document and the font that its texts are set in."""

    canvas: Canvas
    font: str

    def write(
        self,
        at: tuple[float, float],
        text: str,
        size: float,
        color: Color,
        *,
        room: float | None = None,
        align_right: bool = False,
    ) -> None:
        """One line of text; one that is too long for its room is set smaller."""
        width = self.canvas.stringWidth(text, self.font, size)
        if room is not None and width > room:
            size *= room / width
        self.canvas.setFont(self.font, size)
        self.canvas.setFillColor(color)
        (self.canvas.drawRightString if align_right else self.canvas.drawString)(*at, text)


def draw_card(face: CardFace, issuer_name: str, *, on_sheet: bool = False) -> bytes:
    """A document of one page: the card itself, for a card printer or a phone, or a sheet of A4 with it."""
    return _draw([face], issuer_name, A4 if on_sheet else (CARD_WIDTH, CARD_HEIGHT))


def draw_sheets(faces: Sequence[CardFace], issuer_name: str) -> bytes:
    """A4 pages, ten cards each, to be printed at 100% and cut along the marks."""
    return _draw(faces, issuer_name, A4)


def _draw(faces: Sequence[CardFace], issuer_name: str, page: tuple[float, float]) -> bytes:
    written = io.BytesIO()
    canvas = Canvas(written, pagesize=page, pageCompression=1)
    canvas.setTitle(TITLE)
    with typeface(_characters(faces, issuer_name)) as font:
        for start in range(0, len(faces), CARDS_A_PAGE):
            on_page = faces[start : start + CARDS_A_PAGE]
            if page == A4:
                _draw_page(_Pen(canvas, font), on_page, issuer_name)
            else:
                _draw_face(_Pen(canvas, font), on_page[0], issuer_name)
            canvas.showPage()
        canvas.save()
    return written.getvalue()


def _characters(faces: Sequence[CardFace], issuer_name: str) -> set[str]:
    texts = [TITLE, issuer_name, *ADVICE, *_CERTIFICATE_WORDS.values(), "证件卡号尚无…"]
    texts += [text or "" for face in faces for text in (face.name, face.certificate_number)]
    return set("0123456789ABCDEF*").union(*texts)


def _draw_page(pen: _Pen, faces: Sequence[CardFace], issuer_name: str) -> None:
    canvas = pen.canvas
    width, height = A4
    left = (width - COLUMNS * CARD_WIDTH - (COLUMNS - 1) * _GAP) / 2
    top = height - (height - ROWS * CARD_HEIGHT - (ROWS - 1) * _GAP) / 2
    for place, face in enumerate(faces):
        row, column = divmod(place, COLUMNS)
        x = left + column * (CARD_WIDTH + _GAP)
        y = top - row * (CARD_HEIGHT + _GAP) - CARD_HEIGHT
        canvas.saveState()
        canvas.translate(x, y)
        _draw_cut_marks(canvas)
        _draw_face(pen, face, issuer_name)
        canvas.restoreState()


def _draw_cut_marks(canvas: Canvas) -> None:
    canvas.setStrokeColor(_SOFT)
    canvas.setLineWidth(0.25)
    for x, outward in ((0, -1), (CARD_WIDTH, 1)):
        for y, upward in ((0, -1), (CARD_HEIGHT, 1)):
            canvas.line(x + outward * 0.5 * mm, y, x + outward * _CUT_MARK / 2, y)
            canvas.line(x, y + upward * 0.5 * mm, x, y + upward * _CUT_MARK / 2)


def _draw_face(pen: _Pen, face: CardFace, issuer_name: str) -> None:
    canvas = pen.canvas
    canvas.setStrokeColor(_SOFT)
    canvas.setLineWidth(0.3)
    canvas.rect(0.15, 0.15, CARD_WIDTH - 0.3, CARD_HEIGHT - 0.3)
    canvas.setFillColor(_BRAND)
    canvas.rect(0, CARD_HEIGHT - _BAND, CARD_WIDTH, _BAND, stroke=0, fill=1)
    band = CARD_HEIGHT - _BAND + 3.6 * mm
    pen.write((_MARGIN, band), TITLE, 12, _WHITE)
    room = CARD_WIDTH - 2 * _MARGIN - canvas.stringWidth(TITLE, pen.font, 12) - 4 * mm
    pen.write((CARD_WIDTH - _MARGIN, band), issuer_name, 7.5, _WHITE, room=room, align_right=True)
    text_room = CARD_WIDTH - 2 * _MARGIN - _CODE - 1 * mm
    word = _CERTIFICATE_WORDS.get(face.certificate_type or "", "证件")
    number = face.certificate_number or "尚无"
    pen.write((_MARGIN, 33.5 * mm), face.name, 15, _INK, room=text_room)
    pen.write((_MARGIN, 26.5 * mm), word, 6.5, _SOFT)
    pen.write((_MARGIN, 22.9 * mm), number, 8, _INK, room=text_room)
    pen.write((_MARGIN, 17.6 * mm), "卡号", 6.5, _SOFT)
    pen.write((_MARGIN, 14 * mm), f"{face.card_number[:8]}…{face.card_number[-8:]}", 8, _INK, room=text_room)
    for line, text in enumerate(ADVICE):
        pen.write((_MARGIN, 7.3 * mm - line * 3 * mm), text, 5.5, _SOFT, room=text_room)
    at = CARD_WIDTH - _MARGIN - _CODE + 3 * mm, (CARD_HEIGHT - _BAND - _CODE) / 2
    draw_matrix(canvas, face.code, at, size=_CODE, color=_INK)
