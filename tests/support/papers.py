"""PDF documents as people and scanners read them."""

import io

import pypdfium2
import zxingcpp
from PIL.Image import Image


def read_pdf(document: bytes) -> list[tuple[str, Image]]:
    """Text and picture of each page."""
    opened = pypdfium2.PdfDocument(io.BytesIO(document))
    try:
        return [(page.get_textpage().get_text_bounded(), page.render(scale=2).to_pil()) for page in opened]
    finally:
        opened.close()


def read_codes(picture: Image) -> set[str]:
    return {found.text for found in zxingcpp.read_barcodes(picture)}
