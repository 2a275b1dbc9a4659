"""The typeface of printed documents: Noto Sans SC (SIL OFL 1.1), as much of it as one document needs.

The font comes with PostScript outlines (CFF); documents carry TrueType, which every viewer and printer understands. So
the glyphs of a document's characters are converted, and nothing else of the font's eight megabytes is read.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

import pylopdf_fonts_zh_cn
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.cu2quPen import Cu2QuPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont as SourceFont
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from core.ids import new_id

# What printers of old set in place of a character that they did not have.
MISSING = "〓"
_UNITS_PER_EM = 1000
_LARGEST_ERROR_UNITS = 1.0

# fontTools reads the file as it goes, from one place at a time.
_reading = Lock()


@contextmanager
def typeface(characters: set[str]) -> Iterator[str]:
    """A font of these characters for the document drawn meanwhile; gives its name.

    A character that the font has not, looks like 〓.
    """
    # Reportlab finds fonts by their names, and would keep for ever what is registered with it.
    name = f"NotoSansSC-{new_id().hex}"
    pdfmetrics._fonts[name] = TTFont(name, io.BytesIO(_build(name, characters | {MISSING, " "})))
    try:
        yield name
    finally:
        del pdfmetrics._fonts[name]


@cache
def _source() -> SourceFont:
    return SourceFont(pylopdf_fonts_zh_cn.sans_path(), lazy=True)


def _build(name: str, characters: set[str]) -> bytes:
    with _reading:
        source = _source()
        known = source.getBestCmap()
        glyphs = {ord(each): known.get(ord(each), known[ord(MISSING)]) for each in sorted(characters)}
        order = [".notdef", *dict.fromkeys(glyphs.values())]
        outlines, metrics = source.getGlyphSet(), source["hmtx"]
        drawn = {}
        for glyph in order:
            pen = TTGlyphPen(None)
            outlines[glyph].draw(Cu2QuPen(pen, _LARGEST_ERROR_UNITS, reverse_direction=True))
            drawn[glyph] = pen.glyph()
        widths = {glyph: metrics[glyph] for glyph in order}
        line = source["hhea"]
        ascent, descent = line.ascent, line.descent
    font = FontBuilder(_UNITS_PER_EM, isTTF=True)
    font.setupGlyphOrder(order)
    font.setupCharacterMap(glyphs)
    font.setupGlyf(drawn)
    font.setupHorizontalMetrics(widths)
    font.setupHorizontalHeader(ascent=ascent, descent=descent)
    font.setupNameTable({"familyName": "Noto Sans SC", "styleName": "Regular", "psName": name})
    font.setupOS2(sTypoAscender=ascent, sTypoDescender=descent)
    font.setupPost()
    written = io.BytesIO()
    font.save(written)
    return written.getvalue()
