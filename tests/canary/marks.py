"""Canaries: what is planted in each field of each person, and how it is found again in whatever leaves the platform."""

import base64
import binascii
import gzip
import html
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote

import pypdfium2

# Characters that stand in no text of ours.
_FIRST, _LETTERS = "雀", "鸫鹀鹟鹡鹨鹩鹪鹛鹎鹋鸲鸱鸨鸩鸮鸬鸶鸸鸺鸼"
_TEXT = re.compile(r"QXZ(\d{3})([A-Z]{2})W", re.IGNORECASE)
_NAME = re.compile(f"{_FIRST}([{_LETTERS}])([{_LETTERS}])")
_NUMBER = re.compile(r"(?<!\d)(?:1397777\d{4}|99\d{15}[\dX])")
_MEASURED = re.compile(r"(?<![\d.])8\.8(\d{3})5(?!\d)")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_PERSON = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ESCAPED = re.compile(r"\\u([0-9a-fA-F]{4})")
_DEEPEST = 4

# What a person says of himself: name, certificate, phone, address.
IDENTITY = "ID"
# Our own id of a person.
PERSON = "PI"
# Planted under these numbers: not yet anybody's, kept for a hospital (``HOUSE + n``).
HOUSE = 900


class Mark(NamedTuple):
    """Whose it is (a number below 200, or ``HOUSE`` and that of a hospital), and in which field it was planted."""

    owner: int
    field: str


def text_of(owner: int, field_: str) -> str:
    """A canary for a field of free text, in ASCII: it survives every character set, and beside it one that does not."""
    return f"QXZ{owner:03d}{field_}W"


def name_of(owner: int) -> str:
    return f"{_FIRST}{_LETTERS[owner // 20]}{_LETTERS[owner % 20]}"


def phone_of(owner: int) -> str:
    return f"1397777{owner:04d}"


def value_of(owner: int) -> float:
    """A canary for a field that takes numbers only."""
    return float(f"8.8{owner:03d}5")


@dataclass
class Scanner:
    """Finds canaries in every encoding that an answer may have.

    :ivar numbers: certificate numbers, whose they are.
    :ivar ids: our own of persons, as they are written.
    """

    numbers: dict[str, int] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)

    def find(self, content: bytes | str) -> set[Mark]:
        return {mark for text in _read(content, 0) for mark in self._find_in(text)}

    def _find_in(self, text: str) -> Iterator[Mark]:
        for number, kind in _TEXT.findall(text):
            yield Mark(int(number), kind.upper())
        for first, second in _NAME.findall(text):
            yield Mark(_LETTERS.index(first) * 20 + _LETTERS.index(second), IDENTITY)
        for id_ in _PERSON.findall(text):
            if id_.lower() in self.ids:
                yield Mark(self.ids[id_.lower()], PERSON)
        for number in _MEASURED.findall(text):
            yield Mark(int(number), "RQ")
        for number in _NUMBER.findall(text):
            if number.startswith("1397777"):
                yield Mark(int(number[7:]), IDENTITY)
            elif number in self.numbers:
                yield Mark(self.numbers[number], IDENTITY)


def _read(content: bytes | str, depth: int) -> Iterator[str]:
    """What it says, in every way in which it can be read."""
    if isinstance(content, str):
        yield from _read_text(content, depth)
        return
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as opened:
            for name in opened.namelist():
                yield name
                yield from _read(opened.read(name), depth)
        return
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    if content.startswith(b"%PDF"):
        yield from _read_pdf(content)
        return
    try:
        yield from _read_text(content.decode(), depth)
    except UnicodeDecodeError:
        yield content.decode("latin-1")
        yield content.decode("utf-8", "ignore")
        yield content.decode("gb18030", "ignore")


def _read_text(text: str, depth: int) -> Iterator[str]:
    yield text
    if "\\u" in text:
        yield _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
    if "&#" in text:
        yield html.unescape(text)
    if "%" in text:
        yield unquote(text)
        yield unquote(text, "gb18030")
    if depth < _DEEPEST:
        for found in _BASE64.findall(text):
            # A picture has nothing to say, and most of what looks so is an id.
            with_padding = found.rstrip("=") + "=" * (-len(found.rstrip("=")) % 4)
            try:
                inside = base64.b64decode(with_padding, b"-_" if set("-_") & set(found) else None)
            except (ValueError, binascii.Error):
                continue
            yield from _read(inside, depth + 1)


def _read_pdf(content: bytes) -> Iterator[str]:
    yield content.decode("latin-1")
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError:
        return
    try:
        yield "\n".join(str(value) for value in document.get_metadata_dict().values())
        for number in range(len(document)):
            page = document[number]
            text = page.get_textpage()
            yield text.get_text_range()
            text.close()
            page.close()
    finally:
        document.close()
